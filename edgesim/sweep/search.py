"""Search: simulates the trials that Optuna asks for, some at a time, and tells it their results.

Trials are asked for in batches of a fixed size and told in order of their numbers, whichever worker
simulated them: so a search depends on its seed and on ``parallel``, not on the number of workers.
After an interrupt it asks the same again, and is told the rows of the folder. A point that is asked
for again is not simulated again: it would give the same results.

Optuna chooses the points by a tree-structured Parzen estimator (TPE), which needs few trials, or by
the genetic algorithm NSGA-II, whose trials cost nothing to choose when there are many thousands.
Both prefer points within the bounds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

from edgesim.common.errors import EdgesimError
from edgesim.common.extras import load
from edgesim.sweep.aims import Aims
from edgesim.sweep.axes import Axis, ListAxis, RangeAxis, Value
from edgesim.sweep.pool import Task, WorkerPool
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.store import Store
from edgesim.sweep.study import Study
from edgesim.sweep.table import Cell

Trial = tuple[Value, ...]
"""A value for each axis."""


class Optimizer:
    """A search in Optuna's terms, ask and tell; the same seed and results give the same trials.

    Args:
        axes: axes to choose values of.
        aims: results to minimize or maximize, and their bounds.

    Raises:
        InputError: Optuna is not installed.
    """

    def __init__(self, axes: Sequence[Axis], aims: Aims) -> None:
        self._optuna = load("a search", "optuna", "search")
        self._axes = axes
        self._aims = aims
        self._spaces = {axis.column.name: _space(self._optuna, axis) for axis in axes}
        with _quiet(self._optuna):
            self._study = self._optuna.create_study(
                directions=[aim for _, aim in aims.goals], sampler=_sampler(self._optuna, aims)
            )
        self._trials: dict[int, Any] = {}

    def ask(self) -> tuple[int, Trial]:
        """Return the number of the next trial, from 0, and its values."""
        with _quiet(self._optuna):
            trial = self._study.ask(self._spaces)
        self._trials[trial.number] = trial
        return trial.number, tuple(
            _value(axis, trial.params[axis.column.name]) for axis in self._axes
        )

    def tell(self, number: int, cells: Mapping[str, Cell], error: str | None) -> None:
        """Report a trial's result: the row's cells by column, and the error where it failed."""
        trial = self._trials.pop(number)
        values = [cells[name] for name, _ in self._aims.goals]
        numbers = [float(one) for one in values if isinstance(one, int | float)]
        with _quiet(self._optuna):
            if error is not None or len(numbers) < len(values):
                # Nothing to compare it by.
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                return
            for (name, _), excess in zip(
                self._aims.bounds, self._aims.excesses(cells), strict=True
            ):
                trial.set_constraint(name, min(excess, math.ldexp(1.0, 1000)))
            self._study.tell(trial, numbers)


def _sampler(optuna: Any, aims: Aims) -> Any:
    if aims.sampler == "tpe":
        return optuna.samplers.TPESampler(
            seed=aims.seed % 2**32, n_startup_trials=max(10, aims.parallel), multivariate=True
        )
    # Ten generations at least, of a size that Optuna itself takes for many trials.
    population = max(2, min(50, aims.trials // 10))
    return optuna.samplers.NSGAIISampler(seed=aims.seed % 2**32, population_size=population)


def _space(optuna: Any, axis: Axis) -> Any:
    """Return what Optuna chooses from: a number, or the index of a value."""
    spaces = optuna.distributions
    if _is_chosen_as_number(axis):
        low, high = sorted((axis.start, axis.stop))
        log = axis.column.scale == "log"
        if axis.column.integer:
            return spaces.IntDistribution(round(low), round(high), log=log)
        return spaces.FloatDistribution(low, high, log=log)
    if isinstance(axis, ListAxis) and axis.column.kind == "text":
        return spaces.CategoricalDistribution(list(range(len(axis))))
    # Steps, and lists of numbers: neighbours are alike.
    return spaces.IntDistribution(0, len(axis) - 1)


def _is_chosen_as_number(axis: Axis) -> TypeGuard[RangeAxis]:
    """Whether any number of a range, or any whole number, is a value of the axis."""
    if not isinstance(axis, RangeAxis) or not len(axis):
        return isinstance(axis, RangeAxis)
    return axis.column.integer and len(axis) == abs(round(axis.stop) - round(axis.start)) + 1


def _value(axis: Axis, chosen: float | int) -> Value:
    return axis.value(chosen) if _is_chosen_as_number(axis) else axis.at(int(chosen))


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Hide Optuna's log of each trial and its warnings about experimental parts."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def search(study: Study, store: Store, pool: WorkerPool, take: Callable[[Row], None]) -> None:
    """Simulate the trials of a study's search that have no row yet.

    Args:
        study: study with aims.
        store: store with the rows of an earlier run.
        pool: workers.
        take: called with every new row.

    Raises:
        InputError: Optuna is not installed.
        EdgesimError: the rows that are there are of another search.
    """
    assert study.aims is not None
    axes = len(study.points.axes)
    names = [one.name for one in study.columns]
    optimizer = Optimizer(study.points.axes, study.aims)
    found: dict[int, Row] = {int(row[0]): row for row in store.rows.ordered()}
    simulated: dict[tuple[Cell, ...], Row] = {}
    for first in range(0, study.aims.trials, study.aims.parallel):
        asked = [
            optimizer.ask() for _ in range(min(study.aims.parallel, study.aims.trials - first))
        ]
        rows = {number: found.pop(number) for number, _ in asked if number in found}
        _compare(asked, rows, axes)
        for row in rows.values():
            simulated[row[1 : axes + 1]] = row
        missing: dict[tuple[Cell, ...], Task] = {}
        for number, values in asked:
            cells = _cells(values)
            if cells not in simulated and cells not in missing:
                missing[cells] = Task(number, values)
        for row in pool.simulate(iter(missing.values())):
            simulated[row[1 : axes + 1]] = rows[int(row[0])] = row
            take(row)
        for number, values in asked:
            if number not in rows:
                rows[number] = (number, *simulated[_cells(values)][1:])
                take(rows[number])
            row = rows[number]
            optimizer.tell(number, dict(zip(names, row[1:-1], strict=True)), row[-1])


def _cells(values: Trial) -> tuple[Cell, ...]:
    return tuple(one.cell for one in values)


def _compare(asked: list[tuple[int, Trial]], rows: dict[int, Row], axes: int) -> None:
    """Check that stored rows are of the trials that are asked for again."""
    for number, values in asked:
        if number in rows and _cells(values) != tuple(rows[number][1 : axes + 1]):
            raise EdgesimError(
                f"trial {number} of this folder is not what this search asks for: another version "
                "of Optuna wrote it; name another folder with --out"
            )
