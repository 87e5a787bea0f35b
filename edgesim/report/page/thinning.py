"""Which rows of a study a page holds where it cannot hold all."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from edgesim.sweep.table import Table

MOST_ROWS = 2000
MOST_CELLS = 60_000
_MOST_FRONT = 60
_MOST_RESULTS = 8


def kept(table: Table) -> NDArray[np.int64]:
    """Return the places of the rows that a page holds, ascending.

    All of them where they are few. Else the least and the greatest of every result, the fronts of
    every two results in each direction (at most 60 points of each), those of the study's aims, and
    of the others every so many-th.
    """
    rows = len(table)
    most = max(50, min(MOST_ROWS, MOST_CELLS // (len(table.columns) + 1)))
    if rows <= most:
        return np.arange(rows)
    chosen = np.zeros(rows, bool)
    numbers = [
        np.asarray(table.values[one.name], float) for one in table.results if one.kind == "number"
    ][:_MOST_RESULTS]
    for values in numbers:
        if np.isfinite(values).any():
            chosen[[np.nanargmin(values), np.nanargmax(values)]] = True
    if any(one.aim for one in table.columns):
        chosen[_evenly(np.flatnonzero(table.pareto()), most // 4)] = True
    for one, other in itertools.combinations(numbers, 2):
        for first, second in itertools.product((1.0, -1.0), repeat=2):
            if chosen.sum() < most // 2:
                chosen[_evenly(front(first * one, second * other), _MOST_FRONT)] = True
    left = np.flatnonzero(~chosen)
    chosen[_evenly(left, most - int(chosen.sum()))] = True
    return np.flatnonzero(chosen)


def _evenly(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(places) <= most:
        return places
    steps = np.linspace(0, len(places) - 1, max(0, most)).round().astype(np.int64)
    return np.take(places, steps)


def front(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of rows that no other is below in one and not above in the other.

    Args:
        first: of shape (rows,), NaN where there is none.
        second: the same.
    """
    known = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    order = known[np.lexsort((second[known], first[known]))]
    if not len(order):
        return order
    least = np.minimum.accumulate(second[order])
    before = np.concatenate([[np.inf], least[:-1]])
    return order[second[order] < before]
