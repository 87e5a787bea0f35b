"""One axis of a study: a key path of the scenario, and the values that it takes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesim.common.units import DIMENSIONS
from edgesim.sweep.schema import Range
from edgesim.sweep.table import Cell, Column

_DIGITS = 12
"""Significant digits of a range's inner values: 0.3, and not 0.30000000000000004."""
_LARGEST = 2**53
MOST_LISTED = 1_000_000
"""Values of a list, and whole numbers of a rounded range."""
_QUANTITY = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(\s*)(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an axis.

    Attributes:
        setting: value that the scenario gets.
        cell: value in the table.
    """

    setting: Any
    cell: Cell


@dataclass(frozen=True, slots=True)
class ListAxis:
    """Values that are listed one by one."""

    column: Column
    values: tuple[Value, ...]

    def __len__(self) -> int:
        return len(self.values)

    def at(self, index: int) -> Value:
        """Return the value of a number, from 0."""
        return self.values[index]

    def draw(self, generator: np.random.Generator) -> Value:
        """Return one of the values, each as likely."""
        return self.values[int(generator.integers(len(self.values)))]


def list_axis(key: str, settings: Sequence[Any]) -> ListAxis:
    """Return the axis of listed values.

    Quantities of one dimension become numbers of the first one's unit in the table; numbers stay
    what they are; any other list is text.
    """
    numbers = _numbers(settings)
    if numbers is None:
        values = tuple(Value(one, _text(one)) for one in settings)
        return ListAxis(Column(name=key, role="axis", kind="text"), values)
    cells, unit = numbers
    whole = all(isinstance(cell, int) for cell in cells)
    column = Column(name=key, role="axis", unit=unit, integer=whole)
    paired = zip(settings, cells, strict=True)
    return ListAxis(
        column, tuple(Value(one, cell if whole else float(cell)) for one, cell in paired)
    )


def _text(setting: Any) -> str:
    return setting if isinstance(setting, str) else json.dumps(setting, ensure_ascii=False)


def _numbers(settings: Sequence[Any]) -> tuple[list[int | float], str] | None:
    """Return the settings as numbers and their unit; None where they are none, or of many kinds."""
    found: list[int | float] = []
    unit: str | None = None
    for one in settings:
        if isinstance(one, bool) or not isinstance(one, int | float | str):
            return None
        number, own = (one, "") if not isinstance(one, str) else _split(one)
        if number is None or (isinstance(one, str) and conversion(own, own) is None):
            return None
        unit = own if unit is None else unit
        factor = 1.0 if own == unit else conversion(own, unit)
        if factor is None or not _finite(number):
            return None
        if isinstance(number, int) and abs(number) > _LARGEST:
            # Such as a seed: the table's numbers are doubles, which would be another one.
            return None
        found.append(number if own == unit else number * factor)
    return found, unit or ""


def _finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _split(text: str) -> tuple[float | None, str]:
    match = _QUANTITY.fullmatch(text)
    return (None, "") if match is None else (float(match[1]), match[3])


def conversion(unit: str, other: str) -> float | None:
    """Return how many ``other`` one ``unit`` is; None where they are of different dimensions."""
    for known in DIMENSIONS.values():
        if unit in known and other in known:
            return known[unit] / known[other]
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeAxis:
    """Numbers from one to another, both of them included.

    The number of index i of n is ``start + (stop - start) i / (n - 1)`` on a linear scale,
    ``start (stop / start)^(i / (n - 1))`` on a logarithmic one, to twelve significant digits.

    Attributes:
        column: of the table.
        start: of the numbers, in the column's unit.
        stop: of the numbers.
        steps: how many numbers; 0 where they are only drawn by chance.
        gap: text between number and unit.
    """

    column: Column
    start: float
    stop: float
    steps: int
    gap: str = ""

    def __len__(self) -> int:
        return self.steps

    def at(self, index: int) -> Value:
        """Return the value of a number, from 0."""
        if not 0 <= index < self.steps:
            raise IndexError(index)
        if index == 0 or self.steps == 1:
            return self.value(self.start)
        if index == self.steps - 1:
            return self.value(self.stop)
        return self.value(float(f"{self._between(index / (self.steps - 1)):.{_DIGITS}g}"))

    def _between(self, share: float) -> float:
        if self.column.scale == "log":
            return float(self.start * (self.stop / self.start) ** share)
        return self.start + (self.stop - self.start) * share

    def draw(self, generator: np.random.Generator) -> Value:
        """Return one of the steps, or any number between where there are none.

        Numbers between are drawn uniformly on the scale; whole ones each as likely on a linear one.
        """
        if self.steps:
            return self.at(int(generator.integers(self.steps)))
        share = float(generator.random())
        if not self.column.integer:
            return self.value(float(f"{self._between(share):.{_DIGITS}g}"))
        if self.column.scale == "linear":
            return self.value(float(generator.integers(round(self.start), round(self.stop) + 1)))
        return self.value(self._between(share))

    def value(self, number: float) -> Value:
        """Return the value of a number of the column's unit."""
        cell = round(number) if self.column.integer else float(number)
        setting = f"{cell!r}{self.gap}{self.column.unit}" if self.column.unit else cell
        return Value(setting, cell)


Axis = ListAxis | RangeAxis
"""A key path and its values."""


def ends(axis: Axis) -> tuple[Value, Value]:
    """Return the first and the last value of an axis; the ends of a range without steps."""
    if isinstance(axis, RangeAxis) and not len(axis):
        return axis.value(axis.start), axis.value(axis.stop)
    return axis.at(0), axis.at(len(axis) - 1)


class RangeError(Exception):
    """A range is wrong: one of its keys, and the message."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


def range_axis(key: str, given: Range) -> Axis:
    """Return the axis of a range; without steps it is all whole numbers, or any number.

    Raises:
        RangeError: the ends do not go together.
    """
    start, stop, steps = given.start, given.stop, given.steps
    scale, integer = given.scale, given.integer
    first, unit, gap = _end("from", start)
    last, other, _ = _end("to", stop)
    if unit != other:
        factor = conversion(other, unit)
        if factor is None:
            message = (
                f"expected a unit like that of 'from', '{unit}'" if unit else "expected no unit"
            )
            raise RangeError("to", f"{message}, got '{stop}'")
        last *= factor
    if scale == "log" and (first <= 0.0 or last <= 0.0):
        raise RangeError("from" if first <= 0.0 else "to", "a log scale begins above 0")
    written_whole = isinstance(start, int) and isinstance(stop, int)
    if integer and not (first.is_integer() and last.is_integer()):
        raise RangeError("integer", "expected whole numbers for 'from' and 'to'")
    if steps == 1 and first != last:
        raise RangeError("steps", "one step has one end; expected at least 2 steps")
    if steps is None:
        integer = integer or written_whole
        every = integer and scale == "linear"
        for end, number in (("from", first), ("to", last)):
            if every and abs(number) > _LARGEST:
                message = f"expected whole numbers of at most {_LARGEST:,}, got {number:g}"
                raise RangeError(end, message)
        steps = abs(round(last) - round(first)) + 1 if every else 0
        rounded = False
    else:
        even = scale == "linear" and steps > 1 and (last - first) % (steps - 1) == 0
        rounded = integer and not even
        integer = integer or (written_whole and (even or steps == 1))
    if rounded and steps > MOST_LISTED:
        raise RangeError("steps", f"expected at most {MOST_LISTED:,} steps to round, got {steps:,}")
    column = Column(name=key, role="axis", unit=unit, scale=scale, integer=integer)
    made = RangeAxis(column=column, start=first, stop=last, steps=steps, gap=gap)
    if not rounded:
        return made
    # Small numbers round to the same whole one, which is simulated once.
    different = {value.cell: value for value in map(made.at, range(steps))}
    return ListAxis(column, tuple(different.values()))


def _end(key: str, given: Any) -> tuple[float, str, str]:
    """Return the number, the unit, and the text between them."""
    if isinstance(given, int | float) and not isinstance(given, bool) and _finite(given):
        return float(given), "", ""
    match = _QUANTITY.fullmatch(given) if isinstance(given, str) else None
    if match is None or not math.isfinite(float(match[1])):
        raise RangeError(key, f"expected a number or a quantity such as '1 W', got {given!r:.60}")
    return float(match[1]), match[3], match[2]
