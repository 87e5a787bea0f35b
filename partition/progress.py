"""Progress reports of long steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Progress of a step.

    Attributes:
        step: which one (``unsplit``, ``part 3/10: prune attention``).
        done: share of the step, 0 to 1.
        loss: mean training loss of the epoch so far, in nats; None where there is none.
        accuracy: accuracy on the validation images after the last finished epoch, 0 to 1; None
            before.
        note: a line for the user: what is doubtful, left out or reused; None for none.
    """

    step: str
    done: float
    loss: float | None = None
    accuracy: float | None = None
    note: str | None = None


Progress = Callable[[Report], None]
"""Called with each report; must return quickly."""


def silent(report: Report) -> None:
    """Show nothing."""
