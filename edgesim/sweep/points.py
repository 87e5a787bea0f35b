"""Points of a study by number, each made when it is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgesim.simulate.streams import stream
from edgesim.sweep.axes import Axis, Value


@dataclass(frozen=True, slots=True)
class Grid:
    """Every combination of groups of axes; the axes of a group vary together, step by step.

    The last group changes fastest, as in `itertools.product`. One group alone is a zip.
    """

    groups: tuple[tuple[Axis, ...], ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """In order of the table's columns."""
        return tuple(axis for group in self.groups for axis in group)

    @property
    def size(self) -> int:
        """Number of points."""
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
    """Random points: each axis has a random stream of its own for each point.

    So a point stays the same when the number of points grows or an axis is added.
    """

    axes: tuple[Axis, ...]
    size: int
    seed: int

    def at(self, point: int) -> tuple[Value | None, ...]:
        """Return the values of a point."""
        return tuple(
            axis.draw(stream(self.seed, point, f"axis {axis.column.name}")) for axis in self.axes
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """Points that are listed one by one; an axis that one does not name has the base's value."""

    axes: tuple[Axis, ...]
    rows: tuple[tuple[Value | None, ...], ...]

    @property
    def size(self) -> int:
        """Number of points."""
        return len(self.rows)

    def at(self, point: int) -> tuple[Value | None, ...]:
        """Return the values of a point."""
        return self.rows[point]


Points = Grid | Random | Listed
"""Points by number; a value, or None where the base scenario's stays, for each axis."""
