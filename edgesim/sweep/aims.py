"""Aims of a search: results to minimize or maximize, and bounds of results."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgesim.common import units
from edgesim.common.errors import InputError
from edgesim.sweep.results import SETTLED
from edgesim.sweep.schema import Search
from edgesim.sweep.table import Cell, Column

_SIGNS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_CONSTRAINT = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*(.+?)\s*")
_DIMENSIONS = {"s": "time", "J": "energy", "B": "bytes", "/s": "rate", "": "ratio"}
"""Dimensions of the units that results have."""

Aim = Literal["minimize", "maximize"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A sign and a number in the unit of the result."""

    sign: str
    limit: float

    @staticmethod
    def parse(text: str) -> Bound:
        """Return the bound that `__str__` wrote; ValueError for anything else."""
        sign, limit = text.split()
        return Bound(sign, float(limit))

    def __str__(self) -> str:
        return f"{self.sign} {self.limit!r}"

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return where ``values`` are within the bound; NaN is not. Same shape."""
        return _SIGNS[self.sign](values, self.limit)

    def excess(self, value: float) -> float:
        """Return by how much a value violates the bound, at most 0 where it does not.

        A value at a strict bound violates it by the smallest positive number.
        """
        over = value - self.limit if self.sign.startswith("<") else self.limit - value
        return over or (float(np.nextafter(0.0, 1.0)) if len(self.sign) == 1 else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims(Search):
    """Aims of a search.

    Attributes:
        goals: columns to minimize or maximize; at least one.
        bounds: bounds by column.
    """

    goals: tuple[tuple[str, Aim], ...]
    bounds: tuple[tuple[str, Bound], ...]

    def marked(self, axes: Sequence[Column], results: Sequence[Column]) -> list[Column]:
        """Return the columns with their aim and bound."""
        goals, bounds = dict(self.goals), dict(self.bounds)
        return [
            replace(
                one,
                aim=goals.get(one.name, ""),
                bound=str(bounds[one.name]) if one.name in bounds else "",
            )
            for one in (*axes, *results)
        ]

    def excesses(self, row: Mapping[str, Cell]) -> tuple[float, ...]:
        """Return by how much a row violates each bound; above 0 where it does."""
        found = []
        for name, bound in self.bounds:
            value = row[name]
            found.append(bound.excess(value) if isinstance(value, int | float) else float("inf"))
        return tuple(found)


def split(text: str) -> tuple[str, str, str]:
    """Return name, sign and limit of a constraint such as ``latency_s.p99 < 2 s``.

    ``settled`` alone stands for ``settled >= 1``.

    Raises:
        InputError: it is none.
    """
    match = _CONSTRAINT.fullmatch(f"{text} >= 1" if text.strip() == SETTLED else text)
    if match is None:
        raise InputError(f"expected a bound such as 'latency_s.p99 < 2 s', got '{text[:60]}'")
    return match[1], match[2], match[3]


def bound(column: Column, sign: str, limit: str) -> Bound:
    """Return a bound of a column; its limit may have a unit.

    Raises:
        InputError: the column has no numbers, or the limit is none of their kind.
    """
    if column.kind != "number":
        raise InputError(f"'{column.name}' is text, which has no bounds")
    known = (name for name, all_units in units.DIMENSIONS.items() if column.unit in all_units)
    dimension = _DIMENSIONS.get(column.unit) or next(known, "ratio")
    factor = units.DIMENSIONS[dimension].get(column.unit, 1.0)
    try:
        return Bound(sign, units.parse(limit, dimension) / factor)
    except ValueError as error:
        raise InputError(f"{column.name}: {error}") from None
