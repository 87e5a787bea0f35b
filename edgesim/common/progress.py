"""Progress of a run: the function that receives it, and bars on stderr that show it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from edgesim.common.text import duration

if TYPE_CHECKING:
    import rich.progress

    from edgesim.common.interrupts import Held
    from partition.progress import Report

Progress = Callable[[str, int, int], None]
"""Called now and then with what is done, and how many parts of how many ended."""


def counted(progress: Progress, label: str, total: int) -> Callable[[int], None]:
    """Report the start of what has ``total`` parts; return what reports how many ended."""
    progress(label, 0, total)
    return lambda done: progress(label, done, total)


def bars(*columns: str | rich.progress.ProgressColumn) -> rich.progress.Progress:
    """Return bars on stderr, in a terminal only, that are gone at the end.

    Args:
        columns: columns to the right of the label and the bar.
    """
    from rich.progress import BarColumn, Progress

    from edgesim.common.console import Console, Label

    console = Console(stderr=True)
    return Progress(
        Label(),
        BarColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class Bar:
    """A bar with rate and time left; appears after a second.

    Where stderr is no terminal, as in a log, a line is printed now and then instead.

    Args:
        what: is counted.
        held: interrupts are held from the first report on, and raised by a later one.
        after_s: seconds from which it appears.
        line_s: seconds between two lines.
    """

    def __init__(
        self,
        what: str = "requests",
        held: Held | None = None,
        after_s: float = 1.0,
        line_s: float = 60.0,
    ) -> None:
        self._begun_s = self._line_at_s = time.monotonic()
        self._line_s = line_s
        self._what = what
        self._held = held
        self._shown_s = time.monotonic() + after_s
        self._bars: rich.progress.Progress | None = None
        self._label = ""
        self._task: rich.progress.TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, label: str, done: float, total: float, figures: str = "") -> None:
        """Show that ``done`` of ``total`` parts of ``label`` ended.

        Raises:
            KeyboardInterrupt: an interrupt came since the first report.
        """
        if self._held is not None:
            self._held.begin()
            self._held.check()
        if self._bars is None:
            if time.monotonic() < self._shown_s:
                return
            self._bars = self._make_bars()
            self._bars.start()
        if self._task is None or label != self._label:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._label = label
            self._task = self._bars.add_task(label, total=total, figures=figures)
        self._bars.update(self._task, completed=done, total=total, figures=figures)
        now_s = time.monotonic()
        if not self._bars.console.is_terminal and now_s - self._line_at_s >= self._line_s:
            self._line_at_s = now_s
            line = f"{label}: {done:,.0f} of {total:,.0f} {self._what} after "
            line += ", ".join(filter(None, (duration(now_s - self._begun_s), figures)))
            self._print(line)

    def _print(self, line: str) -> None:
        assert self._bars is not None
        # Rich would break the line at the width of a window that a file does not have.
        self._bars.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _make_bars(self) -> rich.progress.Progress:
        return bars(*_counting(self._what))


class StepBar(Bar):
    """A bar of the step of a training that runs, and a line for each step that trained or noted.

    The bar is drawn in a terminal only; the lines also go to a file or a pipe.

    Args:
        held: interrupts are held from the first report on, and raised by a later one.
    """

    def __init__(self, held: Held | None = None) -> None:
        super().__init__(held=held, after_s=0.0, line_s=math.inf)
        self._printed = False

    def __call__(self, report: Report) -> None:
        """Show ``report`` in the bar; print its note, and a line when a step that trained is done.

        Raises:
            KeyboardInterrupt: an interrupt came since the first report.
        """
        if report.step != self._label:
            self._begun_s, self._printed = time.monotonic(), False
        figures = "" if report.loss is None else f"loss {report.loss:.3f}"
        if report.accuracy is not None:
            figures = f"{figures}  accuracy {report.accuracy:.2%}".strip()
        self.update(report.step, report.done, 1.0, figures)
        assert self._bars is not None
        if report.note is not None:
            self._bars.console.print(report.note, soft_wrap=True, highlight=False, markup=False)
        if report.done >= 1.0 and report.loss is not None and not self._printed:
            self._printed = True
            took_s = time.monotonic() - self._begun_s
            self._print(f"{report.step:24} {figures}  {took_s:.0f} s")

    def _make_bars(self) -> rich.progress.Progress:
        from rich.progress import TimeElapsedColumn

        share, figures = "{task.percentage:>3.0f}%", "{task.fields[figures]}"
        return bars(share, figures, TimeElapsedColumn())


def _counting(what: str) -> tuple[str | rich.progress.ProgressColumn, ...]:
    from rich.progress import MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    from edgesim.common.text import rate

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else rate(speed))

    figures = "[red]{task.fields[figures]}"
    return MofNCompleteColumn(), what, Rate(), TimeRemainingColumn(), figures
