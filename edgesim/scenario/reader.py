"""Reading scenarios: files, text, and plain data."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.text import described
from edgesim.common.validation import Problem
from edgesim.scenario.document import (
    Document,
    ScenarioError,
    UntrainedError,
    of_data,
    read,
    read_file,
)
from edgesim.scenario.findings import Findings
from edgesim.scenario.named_files import take_in, take_in_faults
from edgesim.scenario.overrides import override
from edgesim.scenario.resolve import resolve
from edgesim.scenario.resolve_model import UNTRAINED
from edgesim.scenario.scenario import Scenario
from edgesim.scenario.traffic_files import Times, read_times, take_in_rates
from edgesim.simulate.arrivals import Trace

IS_STUDY = "this is a study, which has a 'base'; run it with `edgesim sweep`"
MOST_INLINE_TIMES = 100_000
"""Arrival times of a trace file that a resolved scenario contains; longer traces stay files."""


def load(
    source: str | Path | Mapping[str, Any], overrides: Sequence[str] = (), seed: int | None = None
) -> Scenario:
    """Read a scenario, of a file or of plain data.

    Args:
        source: path of the file, after which the scenario is named unless it has a ``name``; or
            the content of such a file, as plain data.
        overrides: ``key.path=value`` settings that replace what the source says.
        seed: seed that replaces the source's.

    Raises:
        ScenarioError: something is wrong; one line for each problem, with file, line and column.
        InputError: the file cannot be read, or ``source`` is no path.
    """
    if isinstance(source, Mapping):
        return from_mapping(source, overrides, seed)
    if not isinstance(source, str | Path):
        raise InputError(f"expected a path or a mapping, got {described(source)}")
    file = Path(source)
    return _read(read_file(file), overrides, seed, file.stem, file.parent)


def load_text(
    text: str,
    name: str = "<text>",
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    title: str = "scenario",
    folder: str | Path = ".",
) -> Scenario:
    """Read a scenario from YAML text.

    Args:
        text: YAML text of the scenario.
        name: name of the text in messages.
        overrides: ``key.path=value`` settings.
        seed: replaces the text's.
        title: names the scenario unless it has a ``name``.
        folder: folder that the paths of a trace file and an artifact are relative to.

    Raises:
        ScenarioError: something is wrong.
    """
    return _read(read(text, name), overrides, seed, title, Path(folder))


def from_mapping(
    mapping: Mapping[str, Any],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    name: str = "the mapping",
    title: str = "scenario",
    folder: str | Path = ".",
) -> Scenario:
    """Read a scenario from plain data, such as `Scenario.document`; arguments as of `load_text`.

    Raises:
        ScenarioError: something is wrong.
    """
    return _read(of_data(mapping, name), overrides, seed, title, Path(folder))


def _read(
    document: Document, overrides: Sequence[str], seed: int | None, title: str, folder: Path
) -> Scenario:
    wrong: list[str] = []
    if isinstance(document.data, dict):
        wrong = override(document, overrides)
        if seed is not None:
            document.data["seed"] = seed
            document.overridden["seed",] = f"--seed {seed}"
    return read_document(document, wrong, title=title, folder=folder)


def read_document(
    document: Document, wrong: Sequence[str] = (), *, title: str, folder: Path
) -> Scenario:
    """Return the scenario of a document.

    Args:
        document: document of the scenario.
        wrong: messages that go before all others.
        title: names the scenario unless it has a ``name``.
        folder: folder that paths in it are relative to.

    Raises:
        ScenarioError: something is wrong.
        UntrainedError: nothing is, but the model is yet to be trained.
    """
    data = document.mapping("a mapping with 'model', 'nodes' and more")
    if "base" in data and not {"model", "traffic"} <= set(data):
        raise ScenarioError(document.located([Problem((), IS_STUDY)]))
    in_files = [
        *take_in(data, folder),
        *take_in_faults(data, folder),
        *take_in_rates(data, folder),
    ]
    findings = Findings(data)
    resolved = copy.deepcopy(data)
    if "model" not in findings.broken:
        # The resolved scenario is read from elsewhere.
        for key in ("artifact", "exported", "graph", "onnx", "torch"):
            if isinstance(path := data["model"].get(key), str) and _is_path(key, path):
                resolved["model"][key] = os.path.realpath(folder / path)
    findings.problems += in_files
    if findings.spec is not None and "traffic" not in findings.broken:
        document.notes.extend(_take_in_times(findings, resolved, folder))
        resolved["name"] = findings.spec.name or _safe(title)
        resolved["seed"] = findings.spec.seed
    scenario = resolve(findings, resolved.get("name") or _safe(title), resolved, folder)
    if scenario is None or wrong:
        untrained = findings.problems == [UNTRAINED] and not wrong
        kind = UntrainedError if untrained else ScenarioError
        raise kind([*wrong, *document.located(findings.problems)])
    return replace(scenario, notes=tuple(document.notes))


def _is_path(key: str, text: str) -> bool:
    """Return whether a model's source is a file, not an installed package."""
    place = text.rpartition(":")[0]
    return key != "torch" or place.endswith(".py") or "/" in place


def _take_in_times(findings: Findings, resolved: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Read the arrival times of a trace's file; put them, or the file's whole path, in the data.

    Returns:
        Sentences on how the file was read.
    """
    traffic = findings.traffic
    if not isinstance(traffic, Trace) or traffic.file is None:
        return ()
    file = traffic.file
    found = findings.attempt(("traffic", "file"), lambda: read_times(file, folder)) or Times(())
    findings.traffic = replace(traffic, times_s=found.times_s)
    if len(found.times_s) > MOST_INLINE_TIMES:
        written = {name: value for name, value in asdict(file).items() if value is not None}
        whole = str((folder / file.path).resolve())
        resolved["traffic"]["file"] = whole if len(written) == 1 else {**written, "path": whole}
    else:
        del resolved["traffic"]["file"]
        resolved["traffic"]["times"] = list(found.times_s)
    return found.notes


def _safe(title: str) -> str:
    """Return a file's stem as a name that can be a file's again."""
    safe = "".join(letter if letter.isalnum() or letter in "_-+. " else "-" for letter in title)
    safe = safe.lstrip("-+. ")[:100]
    return safe or "scenario"
