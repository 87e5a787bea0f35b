"""Asks Optuna which points to play next, and tells it what came of them.

By a tree-structured Parzen estimator (TPE), which needs few trials, or by the genetic algorithm
NSGA-II, whose trials cost nothing to choose when there are many thousands. Both prefer points
within the bounds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from edgesim.common.extras import load
from edgesim.sweep.aims import Aims
from edgesim.sweep.axes import Axis, ListAxis, RangeAxis, Value
from edgesim.sweep.table import Cell

Asked = dict[str, Value]
"""A value for each axis, by key path."""


class Optimizer:
    """A search that is asked and told; the same answers to the same seed in the same order.

    Args:
        axes: to choose values of.
        aims: what is looked for.

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

    def ask(self) -> tuple[int, Asked]:
        """Return the number of the next trial, from 0, and its values."""
        with _quiet(self._optuna):
            trial = self._study.ask(self._spaces)
        self._trials[trial.number] = trial
        return trial.number, {
            axis.column.name: _value(axis, trial.params[axis.column.name]) for axis in self._axes
        }

    def tell(self, number: int, cells: Mapping[str, Cell], error: str | None) -> None:
        """Tell what came of a trial: the row's cells by column, and why results are missing."""
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
    if isinstance(axis, RangeAxis) and not axis.column.integer and not len(axis):
        low, high = sorted((axis.start, axis.stop))
        return spaces.FloatDistribution(low, high, log=axis.column.scale == "log")
    if isinstance(axis, RangeAxis) and axis.column.integer and _every_number(axis):
        low, high = sorted((round(axis.start), round(axis.stop)))
        return spaces.IntDistribution(low, high, log=axis.column.scale == "log")
    if isinstance(axis, ListAxis) and axis.column.kind == "text":
        return spaces.CategoricalDistribution(list(range(len(axis))))
    # Steps, and lists of numbers: neighbours are alike.
    return spaces.IntDistribution(0, len(axis) - 1)


def _every_number(axis: RangeAxis) -> bool:
    return not len(axis) or len(axis) == abs(round(axis.stop) - round(axis.start)) + 1


def _value(axis: Axis, chosen: float | int) -> Value:
    if isinstance(axis, RangeAxis) and (not len(axis) or (axis.column.integer and
                                                          _every_number(axis))):  # fmt: skip
        return axis.value(chosen)
    return axis.at(int(chosen))


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Keep what Optuna logs of each trial, and says of its newest parts, from the console."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
