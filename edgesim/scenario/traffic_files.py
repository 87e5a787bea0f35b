"""Files of traffic that a scenario names: arrival times, and rates that change."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from edgesim.common import units
from edgesim.common.errors import InputError, nearest
from edgesim.common.files import read_text
from edgesim.common.validation import Problem, read_section
from edgesim.scenario.document import ScenarioError
from edgesim.simulate.arrivals import TraceFile
from edgesim.simulate.rates import Step

LARGEST_TRACE_BYTES = 512_000_000
LARGEST_RATES_BYTES = 10_000_000
_LEAST_STAMP_S = 1e8
"""Seconds from which on a first time is taken for one since 1970: no run begins after 3 years."""
_LEAST_PER_S = 1.0 / 60.0
"""Mean rate below which whole numbers without a unit may well be milliseconds."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_NAMED = 12


class Times(NamedTuple):
    """Arrival times of a trace, in seconds from the start of the run, and what is to be said."""

    times_s: tuple[float, ...]
    notes: tuple[str, ...] = ()


class _Entry(NamedTuple):
    """One time of a file, exact: a double resolves no microseconds since 1970.

    Attributes:
        number: in units of ``scale_s``.
        scale_s: seconds of one.
        bare: whether it is a whole number without a unit.
        date: whether it is a date.
    """

    number: Decimal
    scale_s: float = 1.0
    bare: bool = False
    date: bool = False


_ZERO = _Entry(Decimal(0))


def read_times(file: TraceFile, folder: Path) -> Times:
    """Return the arrival times of a trace file.

    Args:
        file: what the scenario says of the file.
        folder: folder that its path is relative to.

    Raises:
        InputError: the file cannot be read, has no times or no such column, or a line holds no
            time or one before the one above; the message names the line.
    """
    path = folder / file.path
    text = read_text(path, LARGEST_TRACE_BYTES, "a trace", regular=True)
    times_s: list[float] = []
    first = before = None
    bare = True
    for number, cell in _cells(path, text, file.column):
        try:
            entry = _entry(cell, file.unit)
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        if first is None or before is None:
            first = before = entry
            shifted = file.origin == "first" or (file.origin is None and _is_stamp(entry))
        if entry.number < 0 and not shifted:
            raise InputError(f"{path}:{number}: expected a time of at least 0, got {cell[:60]}")
        after_s = _seconds(entry, before)
        if after_s < 0.0:
            raise InputError(
                f"{path}:{number}: expected ascending times, got {_told(entry)} after "
                f"{_told(before)}"
            )
        origin = first if shifted else _ZERO
        times_s.append(_seconds(entry, origin))
        bare = bare and entry.bare
        before = entry
    if first is None:
        raise InputError(f"{path}: expected arrival times, one a line, got only comments")
    return Times(tuple(times_s), tuple(_notes(path.name, file, first, times_s, bare)))


def _notes(
    name: str, file: TraceFile, first: _Entry, times_s: list[float], bare: bool
) -> Iterator[str]:
    """Yield what is to be said of how times were read; ``bare``: whole numbers without a unit."""
    if file.origin is None and _is_stamp(first):
        yield f"{name}: times count from the first, {_when(first)}; 'origin: zero' counts from 0"
    gaps, span_s = len(times_s) - 1, times_s[-1] - times_s[0]
    if bare and gaps < span_s * _LEAST_PER_S:
        yield (
            f"{name}: are its whole numbers milliseconds? As seconds they are "
            f"{60.0 * gaps / span_s:.2g} requests a minute; write {{path: {file.path}, unit: ms}}, "
            "or 'unit: s' to keep them"
        )


def _is_stamp(first: _Entry) -> bool:
    """Whether times that begin so are dates, or seconds since 1970."""
    return first.date or float(first.number) * first.scale_s > _LEAST_STAMP_S


def _seconds(one: _Entry, origin: _Entry) -> float:
    """Return the seconds from one time to another."""
    if one.scale_s == origin.scale_s or not origin.number:
        return float(one.number - origin.number) * one.scale_s
    return float(one.number) * one.scale_s - float(origin.number) * origin.scale_s


def _told(entry: _Entry) -> str:
    """Return a time as messages tell it."""
    return _when(entry) if entry.date else f"{_seconds(entry, _ZERO):g} s"


def _when(entry: _Entry) -> str:
    """Return the date of a Unix stamp; its seconds where there is none."""
    seconds = float(entry.number) * entry.scale_s
    try:
        return f"{(_EPOCH + timedelta(seconds=seconds)).strftime('%Y-%m-%d %H:%M:%S')} UTC"
    except OverflowError:
        return f"{seconds:g} s"


def _entry(cell: str, unit: str | None) -> _Entry:
    """Return the time that a cell holds.

    Raises:
        ValueError: it holds none.
    """
    if _DATE.match(cell):
        if unit is not None:
            raise ValueError(f"'{cell[:40]}' is a date, which has no unit; leave out 'unit'")
        return _Entry(Decimal(_microseconds(cell)), 1e-6, date=True)
    if _NUMBER.fullmatch(cell) is None or not isfinite(float(cell)):
        if unit is not None:
            raise ValueError(f"expected a number of {unit}, as 'unit' says, got '{cell[:60]}'")
        return _Entry(Decimal(units.parse(cell, "time")))
    if unit is None:
        return _Entry(Decimal(cell), bare=cell.isdigit())
    return _Entry(Decimal(cell), units.DIMENSIONS["time"][unit])


def _microseconds(cell: str) -> int:
    """Return the microseconds from 1970 to a date; without a zone it is UTC."""
    try:
        date = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(
            f"expected an ISO 8601 time such as 2023-11-16T18:15:46.68Z, got '{cell[:60]}'"
        ) from None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return (date - _EPOCH) // timedelta(microseconds=1)


def _cells(path: Path, text: str, column: str | None) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each time of a file."""
    lines = enumerate(text.split("\n"), start=1)
    for number, line in lines:
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        names = [name.strip() for name in next(csv.reader([entry]))]
        if len(names) == 1 and _is_time(names[0]):
            if column is not None:
                raise InputError(
                    f"{path}:{number}: no column is named '{column}': the file has times alone; "
                    "leave out 'column'"
                )
            yield number, names[0]
            for following, line in lines:
                if entry := line.partition("#")[0].strip():
                    yield following, entry
            return
        index = _index(f"{path}:{number}", names, column)
        for following, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            cells = next(csv.reader([line]))
            if len(cells) <= index:
                raise InputError(
                    f"{path}:{following}: expected {len(names)} values, got {len(cells)}"
                )
            yield following, cells[index].strip()
        return


def _is_time(cell: str) -> bool:
    """Whether a cell holds a time, or one that is written wrongly: no name begins with a digit."""
    return cell[:1].isdigit() or cell[:1] in "+-."


def _index(title: str, names: list[str], column: str | None) -> int:
    """Return which column holds the times."""
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    if all(map(_is_time, names)):
        raise InputError(
            f"{title}: expected one time a line, or a first line with the names of columns, got "
            f"{len(names)} values without names"
        )
    if column is None:
        if len(names) == 1:
            raise InputError(
                f"{title}: expected a quantity such as '0.25 ms', got '{names[0][:60]}'; if that "
                f"is the name of a column, say so: {{path: …, column: {names[0][:60]}}}"
            )
        file = title.rpartition("/")[2].partition(":")[0]
        raise InputError(
            f"{title}: the file has the columns {listed}; say which one holds the arrival times, "
            f"as in {{path: {file}, column: {names[0]}}}"
        )
    if column not in names:
        raise InputError(
            f"{title}: no column is named '{column}'{nearest(column, names)}; it has {listed}"
        )
    return names.index(column)


def read_rates(path: Path) -> list[dict[str, Any]]:
    """Return the steps of a CSV file as entries of ``traffic.rate.steps``.

    Its first line names the columns, ``rate`` and ``until``; ``#`` begins a comment line. The last
    row may leave ``until`` empty.

    Raises:
        InputError: it cannot be read, or a row is no step; one line for each, with its number.
    """
    text = read_text(path, LARGEST_RATES_BYTES, "a table of rates", regular=True)
    rows = [
        (number, [cell.strip() for cell in next(csv.reader([line]))])
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows or sorted(rows[0][1]) != ["rate", "until"]:
        came = f"{rows[0][0]}: " if rows else " "
        raise InputError(
            f"{path}:{came}expected a first line 'rate,until', and a line for each step"
        )
    header, found, wrong = rows[0][1], list[dict[str, Any]](), list[str]()
    before: Step | None = None
    for number, row in rows[1:]:
        if len(row) != len(header):
            wrong.append(f"{path}:{number}: expected {len(header)} values, got {len(row)}")
            continue
        entry = {name: cell for name, cell in zip(header, row, strict=True) if cell != ""}
        mistakes: list[Problem] = []
        step = read_section(Step, entry, mistakes)
        wrong += [
            f"{path}:{number}: {'.'.join(map(str, one.path)) or 'row'}: {one.message}"
            for one in mistakes
        ]
        if before is not None and step is not None:
            wrong += _out_of_order(f"{path}:{number}", before, step)
        before = step
        found.append(entry)
    if wrong:
        raise ScenarioError(wrong)
    if not found:
        raise InputError(f"{path}: expected rates, got only column names")
    return found


def _out_of_order(title: str, before: Step, step: Step) -> list[str]:
    """Return what is wrong with a step after another one."""
    if before.until_s is None:
        return [f"{title}: the row above needs 'until': only the last may go on for ever"]
    if step.until_s is not None and step.until_s <= before.until_s:
        return [
            f"{title}: expected ascending 'until', got {step.until_s:g} s after "
            f"{before.until_s:g} s"
        ]
    return []


def take_in_rates(data: dict[str, Any], folder: Path) -> list[Problem]:
    """Put the rates of a scenario's file in the place of the file's name.

    Args:
        data: plain data of the scenario, as they were read; changed.
        folder: folder that the name is relative to.

    Returns:
        What is wrong with the file.
    """
    traffic = data.get("traffic")
    rate = traffic.get("rate") if isinstance(traffic, dict) else None
    if not isinstance(rate, dict) or not isinstance(rate.get("file"), str):
        return []
    path = ("traffic", "rate", "file")
    if rate.get("steps") is not None:
        return [Problem(path, "give either 'steps' or a 'file' of them")]
    name = rate.pop("file")
    try:
        rate["steps"] = read_rates(folder / name)
    except InputError as error:
        # What stands in for it is right, so that it causes no other message.
        rate.update(steps=[{"rate": 1.0, "until": 1.0}], repeat=True)
        return [Problem(path, line) for line in str(error).splitlines()]
    return []
