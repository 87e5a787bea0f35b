"""Who plays points: this process, others beside it, or ranks of MPI; all the same to a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from edgesim.sweep.player import Check, Player
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Study


@dataclass(frozen=True, slots=True)
class Task:
    """A point to play.

    Attributes:
        point: number.
        settings: of a search's trial: a setting and a cell by key path. None: the study's own.
    """

    point: int
    settings: Mapping[str, tuple[Any, Any]] | None = None


class Crew(Protocol):
    """Plays points; a context that ends those who play."""

    def play(self, tasks: Iterator[Task]) -> Iterator[Row]:
        """Yield the row of each task, in any order; tasks are taken as they are needed.

        Raises:
            EdgesimError: someone who plays has ended.
            KeyboardInterrupt: an interrupt came.
        """

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *error: object) -> None:
        """End those who play."""


class Alone:
    """Plays in this process, one point after the other.

    Args:
        study: whose points.
        check: called while a point is played; what it raises ends the sweep.
    """

    def __init__(self, study: Study, check: Check) -> None:
        self._player = Player(study)
        self._check = check

    def play(self, tasks: Iterator[Task]) -> Iterator[Row]:
        """Yield the row of each task."""
        for task in tasks:
            self._check()
            yield self._player.row(task.point, task.settings, self._check)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass
