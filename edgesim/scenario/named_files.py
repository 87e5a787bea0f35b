"""Files that a scenario names: devices, their optics, and faults."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.files import read_text
from edgesim.common.validation import Path as KeyPath
from edgesim.common.validation import Problem, known_keys, read_section
from edgesim.hardware import Device, Fault, catalog
from edgesim.scenario.document import ScenarioError, read_file

LARGEST_DEVICE_BYTES = 1_000_000
LARGEST_FAULTS_BYTES = 10_000_000
MOST_FAULTS = 100_000
_COLUMNS = tuple(known_keys(Fault, ()))


def names_file(text: object) -> bool:
    """Return whether what stands for a device is the name of a file, not one of the catalog."""
    return isinstance(text, str) and (text.endswith((".yaml", ".yml")) or "/" in text)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the device that a file describes, as plain data, checked.

    Raises:
        InputError: it cannot be read, is no YAML, or describes no device; one line for each
            problem, with file, line and column.
    """
    document = read_file(path, LARGEST_DEVICE_BYTES, "a device", regular=True)
    mapping = document.mapping("a device such as {peak: {fp32: 48 GFLOP/s}}")
    _find_preset(mapping, path.parent)
    found = catalog.checked(path.stem, mapping)
    if isinstance(found, list):
        raise ScenarioError(document.located(found))
    return mapping


def find_device(name: str) -> Device:
    """Return a device of the catalog, or the one that a file describes, named after the file.

    Raises:
        InputError: no device has this name; or as of `read_mapping`.
    """
    if not names_file(name):
        return catalog.device(name)
    return catalog.from_mapping(Path(name).stem, read_mapping(Path(name)))


def take_in(data: Mapping[str, Any], folder: Path) -> list[Problem]:
    """Put the devices that a scenario's files describe in the place of the files' names.

    Args:
        data: plain data of the scenario, as they were read; changed.
        folder: folder that the names are relative to.

    Returns:
        What is wrong with the files.
    """
    found: list[Problem] = []
    nodes, baselines = data.get("nodes"), data.get("baselines")
    if isinstance(nodes, dict):
        for name, node in nodes.items():
            if isinstance(node, dict):
                _put(node, ("nodes", name), folder, found)
    if isinstance(baselines, list):
        for index, one in enumerate(baselines):
            if names_file(one):
                one = baselines[index] = {"device": one}
            if isinstance(one, dict):
                if names_file(one.get("device")):
                    one.setdefault("name", Path(one["device"]).stem)
                _put(one, ("baselines", index), folder, found)
    return found


def _put(holder: dict[str, Any], path: KeyPath, folder: Path, found: list[Problem]) -> None:
    named = holder.get("device")
    if isinstance(named, dict):
        _find_preset(named, folder)
    if not names_file(named):
        return
    try:
        holder["device"] = read_mapping(folder / str(named))
    except InputError as error:
        found += [Problem((*path, "device"), line) for line in str(error).splitlines()]
        # What stands in for it is right, so that it causes no other message.
        holder["device"] = {"peak": {"fp32": 1.0}}


def _find_preset(device: dict[str, Any], folder: Path) -> None:
    """Give the file of a device's ``preset`` its whole path: the device is read from elsewhere."""
    preset = device.get("preset")
    if isinstance(preset, str) and preset.endswith((".yaml", ".yml")):
        device["preset"] = os.path.realpath(folder / preset)


def read_faults(path: Path) -> list[dict[str, Any]]:
    """Return the faults of a CSV file as entries of ``faults.schedule``.

    Its first line names the columns, which are keys of such an entry (``at,duration,node,kind``);
    what is left empty is not given. ``#`` begins a comment line.

    Raises:
        InputError: it cannot be read, or a row is no fault; one line for each, with its number.
    """
    text = read_text(path, LARGEST_FAULTS_BYTES, "a table of faults", regular=True)
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
        data: plain data of the scenario, as they were read; changed.
        folder: folder that the name is relative to.

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
