"""The table of a study: one row for each point, one column for each axis and each result."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgesim.common.extras import load

Cell = float | int | str | None
Values = NDArray[np.float64] | tuple[str | None, ...]
"""Values of one column: numbers with NaN where there is none, or texts with None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: key path of an axis (``traffic.rate``), or path of a result (``latency_s.p99``).
        role: axis or result.
        kind: type of its values.
        unit: of the numbers: as the study writes an axis (``W``, ``/s``), the SI unit of a result.
        scale: of an axis's numbers, for plots.
        integer: whether the numbers are whole.
        aim: of a search, which result is to be small or large.
        bound: of a search, bound of the result: ``< 2 s``.
    """

    name: str
    role: Literal["axis", "result"]
    kind: Literal["number", "text"] = "number"
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    integer: bool = False
    aim: Literal["", "minimize", "maximize"] = ""
    bound: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of a study so far, in order of its points.

    Attributes:
        name: name of the study.
        size: number of points of the study; there are fewer rows while it is not finished.
        columns: axes first, then results.
        point: number of each row's point, ascending, from 0. Shape (rows,).
        values: of each column by its name, each of shape (rows,).
        errors: of each row: None, or why its results are missing.
        feasible: of a search, whether a row meets all constraints, shape (rows,); else None.
    """

    name: str
    size: int
    columns: tuple[Column, ...]
    point: NDArray[np.int64]
    values: Mapping[str, Values]
    errors: tuple[str | None, ...]
    feasible: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.point)

    @property
    def axes(self) -> tuple[Column, ...]:
        """The columns of the axes."""
        return tuple(one for one in self.columns if one.role == "axis")

    @property
    def results(self) -> tuple[Column, ...]:
        """The columns of the results."""
        return tuple(one for one in self.columns if one.role == "result")

    @property
    def complete(self) -> bool:
        """Whether every point has its row."""
        return len(self) == self.size

    @property
    def unsettled(self) -> NDArray[np.bool_]:
        """Which rows are of a run whose queue did not settle. Shape (rows,).

        Their latencies grow with the length of the run, so they are in no mean of several points.
        """
        settled = np.asarray(self.values.get("settled", np.ones(len(self))), float)
        found: NDArray[np.bool_] = settled == 0.0
        return found

    @property
    def failed(self) -> int:
        """Number of rows with an error in place of results."""
        return sum(error is not None for error in self.errors)

    def column(self, name: str) -> Column:
        """Return the column of this name; KeyError where there is none."""
        for one in self.columns:
            if one.name == name:
                return one
        raise KeyError(name)

    def __iter__(self) -> Iterator[dict[str, Cell]]:
        """Yield the rows as plain data: ``point``, every column by name, ``error``."""
        for index in range(len(self)):
            yield self.row(index)

    def row(self, index: int) -> dict[str, Cell]:
        """Return one row as plain data, by its place in the table."""
        row: dict[str, Cell] = {"point": int(self.point[index])}
        for one in self.columns:
            row[one.name] = _cell(one, self.values[one.name][index])
        row["error"] = self.errors[index]
        return row

    def rows(self) -> list[dict[str, Cell]]:
        """Return the rows as plain data: ``point``, every column by name, ``error``."""
        return list(self)

    def pareto(self) -> NDArray[np.bool_]:
        """Return which rows no other dominates in the aims of a search. Shape (rows,).

        Rows that failed or break a constraint are never among them.

        Raises:
            ValueError: the study has no aims.
        """
        aims = [one for one in self.columns if one.aim]
        if not aims:
            raise ValueError("the study says nothing to minimize or maximize")
        costs = np.column_stack(
            [
                np.asarray(self.values[one.name], float) * (-1.0 if one.aim == "maximize" else 1.0)
                for one in aims
            ]
        )
        allowed = np.isfinite(costs).all(axis=1)
        if self.feasible is not None:
            allowed &= self.feasible
        found = np.zeros(len(self), bool)
        found[allowed] = non_dominated(costs[allowed])
        return found

    def best(self) -> list[int]:
        """Return the places of the rows of `pareto`, the best in the first aim before the others.

        A search may come back to a point: of rows with the same axes only one is there.
        """
        first = next(one for one in self.columns if one.aim)
        order = np.asarray(self.values[first.name], float)
        if first.aim == "maximize":
            order = -order
        found = sorted(np.flatnonzero(self.pareto()).tolist(), key=lambda row: order[row])
        seen: dict[tuple[Any, ...], int] = {}
        for row in found:
            seen.setdefault(tuple(self.values[one.name][row] for one in self.axes), row)
        return list(seen.values())

    def frame(self) -> Any:
        """Return the rows as a pandas frame, indexed by ``point``, with ``attrs["units"]``.

        Raises:
            InputError: pandas is not installed.
        """
        pd = load("a frame", "pandas", "notebook")
        columns = {one.name: self.values[one.name] for one in self.columns}
        index = pd.Index(self.point, name="point")
        frame = pd.DataFrame({**columns, "error": self.errors}, index=index)
        frame.attrs["units"] = {one.name: one.unit for one in self.columns}
        return frame


def _cell(column: Column, value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value
    number = float(value)
    if np.isnan(number):
        return None
    return int(number) if column.integer and number.is_integer() else number


def table_of(
    name: str, size: int, columns: Sequence[Column], rows: Iterable[Sequence[Any]]
) -> Table:
    """Return the table of rows that hold a point's number, a cell a column, and the error.

    Rows are taken one at a time; of many, only their numbers are in memory.
    """
    points = array("q")
    numbers = {one.name: array("d") for one in columns if one.kind == "number"}
    texts: dict[str, list[str | None]] = {one.name: [] for one in columns if one.kind == "text"}
    errors: list[str | None] = []
    for row in rows:
        points.append(row[0])
        for one, cell in zip(columns, row[1:-1], strict=True):
            if one.kind == "number":
                numbers[one.name].append(math.nan if cell is None else cell)
            else:
                texts[one.name].append(None if cell is None else str(cell))
        errors.append(row[-1])
    values: dict[str, Values] = {key: np.array(cells, float) for key, cells in numbers.items()}
    values |= {key: tuple(cells) for key, cells in texts.items()}
    return Table(
        name=name,
        size=size,
        columns=tuple(columns),
        point=np.array(points, np.int64),
        values=values,
        errors=tuple(errors),
    )


def non_dominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of ``costs`` no other row dominates.

    A row dominates another that it exceeds in no column and is below in at least one. Equal rows
    dominate each other not, so all of them stay.

    Args:
        costs: of shape (rows, objectives), finite; less is better.

    Returns:
        Shape (rows,).
    """
    order = np.lexsort(costs.T[::-1])
    found = np.zeros(len(costs), bool)
    front = np.empty((0, costs.shape[1]))
    # In lexicographic order only an earlier row can dominate a later one.
    for index in order:
        row = costs[index]
        beaten = (front <= row).all(axis=1) & (front < row).any(axis=1)
        if not beaten.any():
            found[index] = True
            front = np.vstack([front, row])
    return found
