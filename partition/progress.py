"""What a long step tells while it runs, and a console bar that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType


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
    """A bar on standard error with the step, its share done, loss and accuracy."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

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
        """Show ``report`` on the line of its step."""
        if report.step not in self._tasks:
            self._tasks[report.step] = self._bar.add_task(report.step, total=1.0, figures="")
        figures = []
        if report.loss is not None:
            figures.append(f"loss {report.loss:.3f}")
        if report.accuracy is not None:
            figures.append(f"accuracy {report.accuracy:.2%}")
        self._bar.update(
            self._tasks[report.step], completed=report.done, figures="  ".join(figures)
        )
