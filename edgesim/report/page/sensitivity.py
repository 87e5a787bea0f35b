"""Which axis of a study moves a result: shares of its variance, and how far its means lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.sweep.table import Column, Table

MOST_LEVELS = 12
"""Values of an axis that stand for themselves; more of them are divided into groups."""
MOST_GROUPS = 32
_LEAST_GROUPS, _ROWS_A_GROUP = 4, 25
FORMULA = "S = Σ n(a) (mean of y at a − mean of y)² / Σ (y − mean of y)²"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one axis does to one result.

    Attributes:
        share: of the result's variance that lies between the axis's levels, from 0 to 1; of a full
            grid, the first-order Sobol index. NaN where the result does not vary.
        span: greatest less least mean over the levels.
        levels: of the axis.
        noise: mean share of an axis without any effect: (levels - 1) / (rows - 1).
    """

    share: float
    span: float
    levels: int
    noise: float


def effect(levels: NDArray[np.int64], result: NDArray[np.float64]) -> Effect:
    """Return the effect of an axis whose levels are numbered from 0 on a result, both (rows,).

        S = sum over levels a of n(a) (mean(y | a) - mean(y))^2 / sum of (y - mean(y))^2

    the correlation ratio squared; where rows are a full grid, the first-order Sobol index
    (Saltelli et al., Global Sensitivity Analysis, 2008). Rows without a result count not.
    """
    known = np.isfinite(result)
    levels, result = levels[known], result[known]
    if not len(result):
        return Effect(math.nan, math.nan, 0, math.nan)
    _, levels = np.unique(levels, return_inverse=True)
    counts = np.bincount(levels)
    # Of differences to the mean: sums of large numbers would lose what differs.
    centred = result - result.mean()
    means = np.bincount(levels, centred) / counts
    whole = float((centred**2).sum())
    between = float((counts * means**2).sum())
    least = 1e-18 * len(result) * float(np.abs(result).max()) ** 2
    share = min(1.0, between / whole) if whole > least else math.nan
    noise = (len(counts) - 1) / (len(result) - 1) if len(result) > 1 else math.nan
    return Effect(share, float(means.max() - means.min()), len(counts), noise)


def levels_of(table: Table, axis: Column) -> NDArray[np.int64]:
    """Return the level of each row on an axis, from 0; groups of equal size where there are many.

    Shape (rows,).
    """
    values = table.values[axis.name]
    if axis.kind == "text":
        texts = np.array(["" if value is None else value for value in values])
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)
    numbers = np.asarray(values, float)
    distinct, found = np.unique(numbers, return_inverse=True)
    if len(distinct) <= MOST_LEVELS:
        return found.astype(np.int64)
    groups = int(np.clip(len(numbers) // _ROWS_A_GROUP, _LEAST_GROUPS, MOST_GROUPS))
    edges = np.quantile(numbers, np.linspace(0, 1, groups + 1)[1:-1])
    return np.searchsorted(edges, numbers, side="right").astype(np.int64)


def effects(table: Table) -> dict[tuple[str, str], Effect]:
    """Return the effect of every axis on every numeric result, by (result, axis)."""
    levels = {axis.name: levels_of(table, axis) for axis in table.axes}
    return {
        (result.name, axis.name): effect(
            levels[axis.name], np.asarray(table.values[result.name], float)
        )
        for result in table.results
        if result.kind == "number"
        for axis in table.axes
    }
