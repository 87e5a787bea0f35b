"""The points of a study by number, none of them made before it is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from edgesim.simulate.streams import stream
from edgesim.sweep.axes import Axis, Value


class Points(Protocol):
    """Points by number; a value, or None where the base scenario's stays, for each axis."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        """In order of the table's columns."""

    @property
    def size(self) -> int:
        """How many there are."""

    def at(self, point: int) -> tuple[Value | None, ...]:
        """Return the values of a point, one for each axis."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination of groups of axes; the axes of a group go together, step by step.

    The last group changes fastest, as in `itertools.product`. One group alone is a zip.
    """

    groups: tuple[tuple[Axis, ...], ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """In order of the table's columns."""
        return tuple(axis for group in self.groups for axis in group)

    @property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(len(group[0]) for group in self.groups)

    def at(self, point: int) -> tuple[Value | None, ...]:
        """Return the values of a point: its number's digits, each group a base of its own."""
        found: list[tuple[Value, ...]] = []
        for group in reversed(self.groups):
            point, index = divmod(point, len(group[0]))
            found.append(tuple(axis.at(index) for axis in group))
        return tuple(value for group in reversed(found) for value in group)


@dataclass(frozen=True, slots=True)
class Random:
    """Points by chance: each axis has a stream of its own for each point.

    So a point stays what it is when the count grows or an axis is added.
    """

    axes: tuple[Axis, ...]
    count: int
    seed: int

    @property
    def size(self) -> int:
        """How many points there are."""
        return self.count

    def at(self, point: int) -> tuple[Value | None, ...]:
        """Return the values of a point."""
        return tuple(
            axis.draw(stream(self.seed, point, f"axis {axis.column.name}")) for axis in self.axes
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """Points that are written out, one by one; where one names no axis, the base's value stays."""

    axes: tuple[Axis, ...]
    rows: tuple[tuple[Value | None, ...], ...]

    @property
    def size(self) -> int:
        """How many points there are."""
        return len(self.rows)

    def at(self, point: int) -> tuple[Value | None, ...]:
        """Return the values of a point."""
        return self.rows[point]
