"""Heat maps of a study: the mean of a result over the levels of two axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.report.sweep_table import writer
from edgesim.sweep.table import Column, Table

MOST_LEVELS = 16
"""Numbers of an axis that are levels of their own; more are put in `GROUPS` equal parts."""
GROUPS = 10


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of an axis.

    Attributes:
        names: of the levels, in order.
        of: level of each row, from 0; -1 where the row has no value. Shape (rows,).
    """

    names: tuple[str, ...]
    of: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Means:
    """Means of a result in the cells of two axes.

    Attributes:
        mean: NaN where a cell has no point. Shape (levels of y, levels of x).
        count: points in each cell. The same shape.
    """

    mean: NDArray[np.float64]
    count: NDArray[np.int64]


def levels(table: Table, axis: Column, most: int = MOST_LEVELS) -> Levels:
    """Return the levels of an axis: its values, or parts of its range where they are many.

    The parts are equally wide on the axis's own scale, linear or logarithmic.

    Args:
        table: of the study.
        axis: one of its columns.
        most: numbers that are levels of their own.
    """
    values, text = table.values[axis.name], writer(table, axis)
    if isinstance(values, tuple):
        places = {one: place for place, one in enumerate(dict.fromkeys(values)) if one is not None}
        places = {one: place for place, one in enumerate(places)}
        of = np.array([-1 if one is None else places[one] for one in values], np.int64)
        return Levels(tuple(map(text, places)), of)
    known = np.isfinite(values)
    of = np.full(len(values), -1, np.int64)
    distinct, found = np.unique(values[known], return_inverse=True)
    if len(distinct) <= most:
        of[known] = found
        return Levels(tuple(map(text, distinct.tolist())), of)
    log = axis.scale == "log" and distinct[0] > 0.0
    space = np.geomspace if log else np.linspace
    edges = space(distinct[0], distinct[-1], GROUPS + 1)
    of[known] = np.searchsorted(edges[1:-1], values[known], side="right")
    names = tuple(f"{text(float(f'{edge:.3g}'))}…" for edge in edges[:-1].tolist())
    return Levels(names, of)


def means(table: Table, x: Levels, y: Levels, result: str) -> Means:
    """Return the means of a result over all rows of a study.

    Rows without the result, and those whose queue did not settle, are in no mean.
    """
    values = table.values[result]
    assert not isinstance(values, tuple), result
    shape = (len(y.names), len(x.names))
    good = np.isfinite(values) & ~table.unsettled & (x.of >= 0) & (y.of >= 0)
    count, total = np.zeros(shape, np.int64), np.zeros(shape)
    np.add.at(count, (y.of[good], x.of[good]), 1)
    np.add.at(total, (y.of[good], x.of[good]), values[good])
    with np.errstate(invalid="ignore"):
        return Means(total / count, count)
