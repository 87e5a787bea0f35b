"""Fits how much longer executions take after an idle period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgesim.calibrate.rows import Array
from edgesim.hardware import Cooling

LEAST_S, MOST_S = 1e-4, 1.0
"""Bounds of `Cooling.time_s`."""
MOST_SHARE = 10.0
"""Upper bound of `Cooling.share`."""


@dataclass(frozen=True, slots=True)
class Rested:
    """Execution times of one task, each with the idle period before it.

    Attributes:
        rests_s: time since the task last ran, in seconds, for each execution.
        times_s: time of each execution, in seconds.
    """

    rests_s: Array
    times_s: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooled:
    """Effect of idle periods on some tasks.

    Attributes:
        cooling: fitted cooling, common to all tasks.
        hot_s: mean time of each task without an idle period, in seconds.
        ratios: measured over predicted time of every execution; their mean is 1 for each task.
    """

    cooling: Cooling
    hot_s: tuple[float, ...]
    ratios: tuple[Array, ...]


def fit(tasks: Sequence[Rested]) -> Cooled:
    """Return one cooling for some tasks, and the time of each without an idle period.

    Least squares of the logarithms of the times, with a loss that is linear for large residuals, so
    that one disturbed execution has little effect. Each task's time without an idle period is then
    set so that predicted and measured times have the same mean.
    """
    from scipy.optimize import least_squares

    def residuals(found: Array) -> Array:
        cooling = _cooling(found)
        residuals = []
        for task in tasks:
            logs = np.log(task.times_s) - np.log(_factors(cooling, task.rests_s))
            residuals.append(logs - np.median(logs))
        return np.concatenate(residuals)

    # A cooling that ends before the shortest idle period looks like a longer execution.
    shortest_s = min(float(np.quantile(task.rests_s, 0.05)) for task in tasks)
    least_s = float(np.clip(shortest_s, LEAST_S, MOST_S / 2))
    starts = [
        np.array([share, np.log(time_s)])
        for share in (0.1, 1.0)
        for time_s in (1.1 * least_s, max(1.2 * least_s, 3e-2))
    ]
    bounds = ([0.0, np.log(least_s)], [MOST_SHARE, np.log(MOST_S)])
    solutions = [
        least_squares(residuals, start, bounds=bounds, loss="soft_l1", f_scale=0.1)
        for start in starts
    ]
    cooling = _cooling(min(solutions, key=lambda one: float(one.cost)).x)
    hot_s, ratios = [], []
    for task in tasks:
        hot = task.times_s / _factors(cooling, task.rests_s)
        hot_s.append(float(hot.mean()))
        ratios.append(hot / hot.mean())
    return Cooled(cooling=cooling, hot_s=tuple(hot_s), ratios=tuple(ratios))


def _cooling(found: Array) -> Cooling:
    return Cooling(share=float(found[0]), time_s=float(np.exp(found[1])))


def _factors(cooling: Cooling, rests_s: Array) -> Array:
    return 1.0 - cooling.share * np.expm1(-rests_s / cooling.time_s)
