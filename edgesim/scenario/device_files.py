"""Devices in files of their own, such as `edgesim profile` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.validation import Path as KeyPath
from edgesim.common.validation import Problem, described
from edgesim.hardware import Device, catalog
from edgesim.scenario.document import parse
from edgesim.scenario.files import read_text
from edgesim.scenario.problems import ScenarioError, located
from edgesim.scenario.syntax import YamlError

LARGEST_BYTES = 1_000_000
"""Of a device's file."""


def names_file(text: object) -> bool:
    """Return whether what stands for a device is the name of a file, not one of the catalog."""
    return isinstance(text, str) and (text.endswith((".yaml", ".yml")) or "/" in text)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the device that a file describes, as plain data, checked.

    Raises:
        InputError: it cannot be read, is no YAML, or describes no device; one line for each
            problem, with file, line and column.
    """
    text = read_text(path, LARGEST_BYTES, "a device", regular=True)
    try:
        document = parse(text)
    except YamlError as error:
        told = [f"{path}:{line}:{column}: {what}" for (line, column), what in error.found]
        raise ScenarioError(told) from None
    mapping = document.data
    if not isinstance(mapping, dict):
        message = (
            f"expected a device such as {{peak: {{fp32: 48 GFLOP/s}}}}, got {described(mapping)}"
        )
        raise ScenarioError(located([Problem((), message)], document, str(path), {}))
    found = catalog.checked(path.stem, mapping)
    if isinstance(found, list):
        raise ScenarioError(located(found, document, str(path), {}))
    return mapping


def read_device(path: Path) -> Device:
    """Return the device that a file describes, named after the file.

    Raises:
        InputError: as of `read_mapping`.
    """
    return catalog.from_mapping(path.stem, read_mapping(path))


def take_in(data: Mapping[str, Any], folder: Path) -> list[Problem]:
    """Put the devices that a scenario's files describe in the place of the files' names.

    Args:
        data: of the scenario, as it was read; changed.
        folder: that the names are relative to.

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
            if isinstance(one, dict) and names_file(one.get("device")):
                one.setdefault("name", Path(one["device"]).stem)
                _put(one, ("baselines", index), folder, found)
    return found


def _put(holder: dict[str, Any], path: KeyPath, folder: Path, found: list[Problem]) -> None:
    named = holder.get("device")
    if not names_file(named):
        return
    try:
        holder["device"] = read_mapping(folder / str(named))
    except InputError as error:
        found += [Problem((*path, "device"), line) for line in str(error).splitlines()]
        # What stands in for it is right, so that nothing else is told of it.
        holder["device"] = {"peak": {"fp32": 1.0}}
