"""What a long step tells while it runs, and a console bar that shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How far a step has come.

    Attributes:
        step: which one (``unsplit``, ``part 3/10: prune attention``).
        done: share of the step, 0 to 1.
        loss: mean training loss of the epoch so far, in nats; None where there is none.
        accuracy: on the validation images after the last finished epoch, 0 to 1; None before.
    """

    step: str
    done: float
    loss: float | None = None
    accuracy: float | None = None


Progress = Callable[[Report], None]
"""Called from time to time; must return quickly."""


def silent(report: Report) -> None:
    """Show nothing."""


class ConsoleProgress:
    """On standard error a bar of the step that runs, and a line for each that was trained.

    The bar is drawn in a terminal only; the lines also go to a file or a pipe.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._console = Console(stderr=True, highlight=False)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._last: Report | None = None
        self._begun_s = 0.0
        self._told = False

    def __enter__(self) -> ConsoleProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, report: Report) -> None:
        """Show ``report`` in the bar; print a line when a step that trained is done."""
        if self._last is None or report.step != self._last.step:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(report.step, total=1.0, figures="")
            self._begun_s, self._told = time.monotonic(), False
        assert self._task is not None
        self._bar.update(self._task, completed=report.done, figures=_figures(report))
        if report.done >= 1.0 and report.loss is not None and not self._told:
            self._told = True
            took_s = time.monotonic() - self._begun_s
            # Rich would break the line at the width of a window that a file does not have.
            line = f"{report.step:24} {_figures(report)}  {took_s:.0f} s"
            self._bar.console.print(line, soft_wrap=True)
        self._last = report


def _figures(report: Report) -> str:
    figures = []
    if report.loss is not None:
        figures.append(f"loss {report.loss:.3f}")
    if report.accuracy is not None:
        figures.append(f"accuracy {report.accuracy:.2%}")
    return "  ".join(figures)
