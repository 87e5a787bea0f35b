"""The progress bar of a run."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """A bar on stderr with rate and time left; appears after a second, and only in a terminal."""

    def __init__(self, after_s: float = 1.0, what: str = "requests") -> None:
        self._after_s = after_s
        self._what = what
        self._begun_s = time.monotonic()
        self._progress: Progress | None = None
        self._label = ""
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, label: str, done: int, total: int) -> None:
        """Tell that ``done`` of ``total`` requests of ``label`` ended."""
        if self._progress is None:
            if time.monotonic() - self._begun_s < self._after_s:
                return
            self._progress = _start(self._what)
        if self._task is None or label != self._label:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._label = label
            self._task = self._progress.add_task(label, total=total)
        self._progress.update(self._task, completed=done, total=total)


def _start(what: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from edgesim.common.text import rate

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else rate(speed))

    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(what),
        Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    progress.start()
    return progress
