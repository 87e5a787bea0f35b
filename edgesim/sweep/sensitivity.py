"""Variance-based sensitivity: which axis of a study moves a result, alone and with others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.sweep.table import Column, Table

FORMULA = "S = Σ n(a) (mean of y at a − mean of y)² / Σ (y − mean of y)²"
MOST_GROUPS = 32
"""Groups of an axis whose values hardly repeat."""
_LEAST_GROUPS, _ROWS_A_GROUP = 4, 25
_ROWS_A_LEVEL = 1.5
"""Mean number of rows with the same value from which on each value is a level."""

Levels = NDArray[np.int64]
"""Number of the level of each row, from 0. Shape (rows,)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect of one axis on one result.

    Attributes:
        share: of the result's variance that lies between the levels of the axis, from 0 to 1; over
            a full grid, the first-order Sobol index. NaN where it is not known.
        total: total-effect Sobol index, 1 less the share of all other axes together, from 0 to 1;
            NaN unless the rows are a full grid and all have the result.
        span: greatest less least mean over the levels, in the unit of the result.
        levels: of the axis.
    """

    share: float
    total: float
    span: float
    levels: int


@dataclass(frozen=True, slots=True)
class Design:
    """How the axes of a study's rows vary.

    Attributes:
        levels: of each axis by its name.
        others: number of the combination of all other axes' values in each row, by the name of the
            axis, where the rows are a full grid; empty where they are not.
    """

    levels: Mapping[str, Levels]
    others: Mapping[str, Levels]


def effect(levels: Levels, result: NDArray[np.float64], others: Levels | None = None) -> Effect:
    """Return the effect of an axis on a result.

        S = sum over levels a of n(a) (mean(y | a) - mean(y))^2 / sum of (y - mean(y))^2

    is the correlation ratio squared; over a full grid, the first-order Sobol index, and 1 - S of
    all other axes together is the total-effect index (Saltelli et al., Global Sensitivity Analysis,
    2008, chapter 4). Elsewhere the share that levels have by chance is taken off: n rows in k
    levels give 1 - (1 - S) (n - 1) / (n - k) (Kelley, PNAS 21, 1935).

    Args:
        levels: of the axis, shape (rows,).
        result: shape (rows,); rows where it is NaN are left out.
        others: combinations of all other axes, shape (rows,), of a full grid; None elsewhere.
    """
    known = np.isfinite(result)
    rows = int(known.sum())
    if not rows:
        return Effect(math.nan, math.nan, math.nan, 0)
    share, means = _between(levels[known], result[known])
    total = math.nan
    if others is not None and known.all():
        total = float(np.maximum(0.0, 1.0 - _between(others, result)[0]))
    elif rows > len(means):
        chance = (rows - 1) / (rows - len(means))
        share = float(np.maximum(0.0, 1.0 - (1.0 - share) * chance))
    else:
        share = math.nan
    return Effect(share, total, float(means.max() - means.min()), len(means))


def _between(levels: Levels, result: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the share of the variance between levels, and the mean of each, less that of all."""
    _, levels = np.unique(levels, return_inverse=True)
    counts = np.bincount(levels)
    # Of differences to the mean: sums of large numbers would lose what differs.
    centred = result - result.mean()
    means = np.bincount(levels, centred) / counts
    whole = float((centred**2).sum())
    least = 1e-18 * len(result) * float(np.abs(result).max()) ** 2
    share = min(1.0, float((counts * means**2).sum()) / whole) if whole > least else math.nan
    return share, means


def design(table: Table) -> Design:
    """Return how the axes of a study's rows vary.

    The rows are a full grid where every combination of the axes' values is there once. Axes that
    go together are one factor of it; where all do, there is nothing to tell them apart by.
    Elsewhere, values of an axis that hardly repeat, as those drawn from a range, are put in groups
    of neighbours, about equally many in each.
    """
    exact = {axis.name: _values(table, axis) for axis in table.axes}
    factors = {levels.tobytes(): levels for levels in exact.values()}
    sizes = [int(levels.max(initial=0)) + 1 for levels in factors.values()]
    distinct = sum(size > 1 for size in sizes) > 1 or len(exact) == 1
    if distinct and table.complete and math.prod(sizes) == len(table):
        strides = dict(zip(factors, np.cumprod([1, *sizes[:-1]]), strict=True))
        parts = {key: levels * strides[key] for key, levels in factors.items()}
        combination = np.sum(list(parts.values()), axis=0)
        if len(np.unique(combination)) == len(table):
            return Design(
                exact, {key: combination - parts[one.tobytes()] for key, one in exact.items()}
            )
    return Design({axis.name: _grouped(table, axis, exact[axis.name]) for axis in table.axes}, {})


def _values(table: Table, axis: Column) -> Levels:
    """Return the value of each row on an axis, numbered in order of the rows.

    A blank cell, where the base scenario's value stays, is a value too.
    """
    values = table.values[axis.name]
    if axis.kind == "text":
        numbers: dict[str | None, int] = {}
        return np.array([numbers.setdefault(one, len(numbers)) for one in values], np.int64)
    _, first, found = np.unique(np.asarray(values, float), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[found].astype(np.int64)


def _grouped(table: Table, axis: Column, exact: Levels) -> Levels:
    distinct = int(exact.max(initial=0)) + 1
    if axis.kind == "text" or len(exact) >= _ROWS_A_LEVEL * distinct:
        return exact
    numbers = np.asarray(table.values[axis.name], float)
    known = np.isfinite(numbers)
    groups = int(np.clip(known.sum() // _ROWS_A_GROUP, _LEAST_GROUPS, MOST_GROUPS))
    edges = np.quantile(numbers[known], np.linspace(0, 1, groups + 1)[1:-1])
    return np.where(known, np.searchsorted(edges, numbers, side="right"), groups)


def effects(table: Table) -> dict[tuple[str, str], Effect]:
    """Return the effect of every axis on every numeric result, by (result, axis)."""
    found = design(table)
    return {
        (result.name, axis.name): effect(
            found.levels[axis.name],
            np.asarray(table.values[result.name], float),
            found.others.get(axis.name),
        )
        for result in table.results
        if result.kind == "number"
        for axis in table.axes
    }


def meaning(table: Table) -> str:
    """Return sentences that say whether the shares of a study's rows are Sobol indices."""
    unsettled = int(table.unsettled.sum())
    if not unsettled:
        return _meaning(table)
    return (
        f"{_meaning(table)} {unsettled:,} points did not settle: their latencies, and the shares "
        "of them, depend on the length of the run."
    )


def _meaning(table: Table) -> str:
    if any(one.aim for one in table.columns):
        return (
            "A search chose the points, most of them where results are good, so S is no Sobol "
            "index: it holds for these points only."
        )
    grid = bool(design(table).others)
    if grid and not table.failed:
        return (
            "The points are a full grid: S is the first-order Sobol index of an axis, its effect "
            "alone, and T its total-effect index, which adds its joint effects with others."
        )
    if table.failed or not table.complete:
        missing = table.size - len(table) + table.failed
        return (
            f"{missing:,} of {table.size:,} points have no result, so S is no Sobol index: it "
            "holds for the other points only."
        )
    return (
        "The points are no full grid. S estimates the first-order Sobol index of axes that were "
        "drawn independently of each other (combine: random), and is none for other points. An "
        f"axis whose values hardly repeat is taken in at most {MOST_GROUPS} groups of neighbours."
    )
