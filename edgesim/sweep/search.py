"""Plays the points that a search asks for, some at a time, and tells it what came of them.

Trials are asked for in parcels of a fixed size and told in order of their numbers, whoever played
them: so a search depends on its seed and on ``parallel``, and on no number of workers. One that was
interrupted is asked the same again, and told what is in the folder. A point that is asked for again
is not played again: it would give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from edgesim.common.errors import EdgesimError
from edgesim.sweep.crew import Crew, Task
from edgesim.sweep.optimizer import Asked, Optimizer
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Study
from edgesim.sweep.table import Cell


class Kept(Protocol):
    """Rows that are there already."""

    def ordered(self) -> Iterator[Row]:
        """Yield the rows by number."""


def search(study: Study, kept: Kept, crew: Crew, take: Callable[[Row], None]) -> None:
    """Play the trials of a study's search that have no row yet.

    Args:
        study: with aims.
        kept: rows of an earlier run.
        crew: who plays.
        take: is given every new row.

    Raises:
        InputError: Optuna is not installed.
        EdgesimError: the rows that are there are of another search.
    """
    assert study.aims is not None
    axes = len(study.points.axes)
    names = [one.name for one in study.columns]
    optimizer = Optimizer(study.points.axes, study.aims)
    found: dict[int, Row] = {int(row[0]): row for row in kept.ordered()}
    played: dict[tuple[Cell, ...], Row] = {}
    for first in range(0, study.aims.trials, study.aims.parallel):
        asked = [
            optimizer.ask() for _ in range(min(study.aims.parallel, study.aims.trials - first))
        ]
        rows = {number: found.pop(number) for number, _ in asked if number in found}
        _compare(asked, rows, axes)
        for row in rows.values():
            played[row[1 : axes + 1]] = row
        missing: dict[tuple[Cell, ...], Task] = {}
        for number, values in asked:
            cells = tuple(one.cell for one in values.values())
            if cells not in played and cells not in missing:
                settings = {key: (one.setting, one.cell) for key, one in values.items()}
                missing[cells] = Task(number, settings)
        for row in crew.play(iter(missing.values())):
            played[row[1 : axes + 1]] = rows[int(row[0])] = row
            take(row)
        for number, values in asked:
            if number not in rows:
                again = played[tuple(one.cell for one in values.values())]
                rows[number] = (number, *again[1:])
                take(rows[number])
            row = rows[number]
            optimizer.tell(number, dict(zip(names, row[1:-1], strict=True)), row[-1])


def _compare(asked: list[tuple[int, Asked]], rows: dict[int, Row], axes: int) -> None:
    """Check that kept rows are of what is asked for again."""
    for number, values in asked:
        if number in rows and [one.cell for one in values.values()] != list(
            rows[number][1 : axes + 1]
        ):
            raise EdgesimError(
                f"trial {number} of this folder is not what this search asks for: another version "
                "of Optuna wrote it; name another folder with --out"
            )
