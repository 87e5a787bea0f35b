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


LONG_S = 30.0
"""Seconds from which the time that a step takes is announced."""


def time_text(seconds: float) -> str:
    """Return an estimated time in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
