"""Progress reports of long steps."""

from __future__ import annotations

import time
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


def time_text(seconds: float) -> str:
    """Return an estimated time in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


LONG_S = 30.0
"""Seconds from which the time that something takes is announced."""
_TIMED_S = 1.0
"""Seconds of first steps by which a time is estimated."""


class Forecast:
    """Announces the time of many steps once, by the first of them.

    Args:
        name: name of what takes these steps.
        steps: number of steps that are left.
        progress: called with the announcement.
    """

    def __init__(self, name: str, steps: int, progress: Progress) -> None:
        self._name, self._left, self._progress = name, steps, progress
        self._taken = 0
        self._begun_s: float | None = None

    def step(self) -> None:
        """Count a step; the first is not timed, as it may wait for memory and files."""
        if self._taken < 0:
            return
        self._taken += 1
        if self._begun_s is None:
            self._begun_s = time.perf_counter()
            return
        took_s = time.perf_counter() - self._begun_s
        if took_s < _TIMED_S:
            return
        left_s = took_s / (self._taken - 1) * (self._left - self._taken)
        self._taken = -1
        if left_s >= LONG_S:
            note = f"{self._name}: {self._left:,} steps take about {time_text(left_s)}"
            self._progress(Report(step=self._name, done=0.0, note=note))
