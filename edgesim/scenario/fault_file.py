"""Faults in a file of their own: a table with a row for each."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.validation import Problem, known_keys, read_section
from edgesim.hardware import Fault
from edgesim.scenario.files import read_text
from edgesim.scenario.problems import ScenarioError

LARGEST_BYTES = 10_000_000
MOST_FAULTS = 100_000
_COLUMNS = tuple(known_keys(Fault, ()))


def read_faults(path: Path) -> list[dict[str, Any]]:
    """Return the faults of a CSV file as entries of ``faults.schedule``.

    Its first line names the columns, which are keys of such an entry (``at,duration,node,kind``);
    what is left empty is not given. ``#`` begins a comment line.

    Raises:
        InputError: it cannot be read, or a row is no fault; one line for each, with its number.
    """
    text = read_text(path, LARGEST_BYTES, "a table of faults", regular=True)
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) > MOST_FAULTS:
        raise InputError(f"{path}: expected at most {MOST_FAULTS:,} faults, got {len(lines):,}")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(line for _, line in lines)]
    except csv.Error as error:
        raise InputError(f"{path}: {error}") from None
    if not rows or len(rows) != len(lines):
        raise InputError(f"{path}: expected a line of column names and a line for each fault")
    header = rows[0]
    known = [name for name in header if name in _COLUMNS]
    if len(known) != len(header) or len(set(header)) != len(header):
        raise InputError(
            f"{path}:{lines[0][0]}: expected columns among {', '.join(_COLUMNS)}, each once, got "
            f"{','.join(header)[:200]}"
        )
    found: list[dict[str, Any]] = []
    wrong: list[str] = []
    for (number, _), row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            wrong.append(f"{path}:{number}: expected {len(header)} values, got {len(row)}")
            continue
        entry: dict[str, Any] = {
            name: cell for name, cell in zip(header, row, strict=True) if cell != ""
        }
        mistakes: list[Problem] = []
        read_section(Fault, entry, mistakes)
        wrong += [
            f"{path}:{number}: {'.'.join(map(str, one.path)) or 'row'}: {one.message}"
            for one in mistakes
        ]
        found.append(entry)
    if wrong:
        raise ScenarioError(wrong)
    if not found:
        raise InputError(f"{path}: expected faults, got only column names")
    return found


def take_in_faults(data: dict[str, Any], folder: Path) -> list[Problem]:
    """Put the faults of a scenario's file in the place of the file's name.

    Args:
        data: of the scenario, as it was read; changed.
        folder: that the name is relative to.

    Returns:
        What is wrong with the file.
    """
    section = data.get("faults")
    if not isinstance(section, dict) or not isinstance(section.get("file"), str):
        return []
    schedule = section.get("schedule")
    name = section.pop("file")
    try:
        found = read_faults(folder / name)
    except InputError as error:
        return [Problem(("faults", "file"), line) for line in str(error).splitlines()]
    section["schedule"] = [*(schedule if isinstance(schedule, list) else ()), *found]
    return []
