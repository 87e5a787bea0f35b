"""Reading scenarios: files, text, and plain data."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.validation import Path as KeyPath
from edgesim.common.validation import Problem, described
from edgesim.scenario.device_files import take_in
from edgesim.scenario.document import Document, parse, plain
from edgesim.scenario.fault_file import take_in_faults
from edgesim.scenario.files import read_text
from edgesim.scenario.findings import Findings
from edgesim.scenario.overrides import override
from edgesim.scenario.problems import ScenarioError, located
from edgesim.scenario.resolve import resolve
from edgesim.scenario.scenario import Scenario
from edgesim.scenario.schema import ScenarioSpec
from edgesim.scenario.syntax import YamlError
from edgesim.scenario.trace import read_times

MOST_INLINE_TIMES = 100_000
"""Arrival times of a trace file that a resolved scenario holds itself; longer traces stay files."""


def load(path: str | Path, overrides: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """Read a scenario file.

    Args:
        path: of the file; the scenario is named after it unless it has a ``name``.
        overrides: ``key.path=value`` settings that replace what the file says.
        seed: replaces the file's.

    Raises:
        ScenarioError: something is wrong; one line for each problem, with file, line and column.
        InputError: the file cannot be read.
    """
    file = Path(path)
    text = read_text(file)
    return load_text(text, str(file), overrides, seed, title=file.stem, folder=file.parent)


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
        text: of the scenario.
        name: what messages call the text.
        overrides: ``key.path=value`` settings.
        seed: replaces the text's.
        title: names the scenario unless it has a ``name``.
        folder: that the paths of a trace file and an artifact are relative to.

    Raises:
        ScenarioError: something is wrong.
    """
    try:
        document = parse(text)
    except YamlError as error:
        raise ScenarioError(
            [f"{name}:{line}:{column}: {told}" for (line, column), told in error.found]
        ) from None
    return _read(document, name, overrides, seed, title, Path(folder))


def from_mapping(
    mapping: Mapping[str, Any],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    name: str = "<mapping>",
    title: str = "scenario",
    folder: str | Path = ".",
) -> Scenario:
    """Read a scenario from plain data, such as `Scenario.document`; arguments as of `load_text`.

    Raises:
        ScenarioError: something is wrong.
    """
    try:
        document = Document(plain(mapping))
    except InputError as error:
        raise ScenarioError([f"{name}: {error}"]) from None
    return _read(document, name, overrides, seed, title, Path(folder))


def _read(
    document: Document,
    name: str,
    overrides: Sequence[str],
    seed: int | None,
    title: str,
    folder: Path,
) -> Scenario:
    if not isinstance(document.data, dict):
        return read_document(document, name, {}, title=title, folder=folder)
    overridden, wrong = override(document.data, overrides)
    if seed is not None:
        document.data["seed"] = seed
        overridden["seed",] = f"--seed {seed}"
    return read_document(document, name, overridden, wrong, title=title, folder=folder)


def read_document(
    document: Document,
    name: str,
    overridden: Mapping[KeyPath, str],
    wrong: Sequence[str] = (),
    *,
    title: str,
    folder: Path,
) -> Scenario:
    """Return the scenario of a document whose data were set in places.

    Args:
        document: of the scenario.
        name: what messages call it.
        overridden: what messages call each place that was set.
        wrong: messages that go before all others.
        title: names the scenario unless it has a ``name``.
        folder: that paths in it are relative to.

    Raises:
        ScenarioError: something is wrong.
    """
    data = document.data
    if not isinstance(data, dict):
        message = f"expected a mapping with 'model', 'nodes' and more, got {described(data)}"
        raise ScenarioError(located([Problem((), message)], document, name, {}))
    in_files = [*take_in(data, folder), *take_in_faults(data, folder)]
    findings = Findings(data)
    resolved = copy.deepcopy(data)
    if "model" not in findings.broken and data["model"].get("artifact") is not None:
        # The resolved scenario is read from elsewhere.
        resolved["model"]["artifact"] = str((folder / data["model"]["artifact"]).resolve())
    times_s: tuple[float, ...] = ()
    findings.problems += in_files
    if findings.spec is not None and "traffic" not in findings.broken:
        times_s = _times(findings, findings.spec, resolved, folder)
        resolved["name"] = findings.spec.name or _safe(title)
        resolved["seed"] = findings.spec.seed
    scenario = resolve(findings, resolved.get("name") or _safe(title), times_s, resolved, folder)
    if scenario is None or wrong:
        raise ScenarioError([*wrong, *located(findings.problems, document, name, overridden)])
    return scenario


def _times(
    findings: Findings, spec: ScenarioSpec, resolved: dict[str, Any], folder: Path
) -> tuple[float, ...]:
    """Return a trace's arrival times, and put them or the whole path of their file in the data."""
    traffic = spec.traffic
    if traffic.file is None or traffic.arrivals != "trace":
        return traffic.times_s
    path = folder / traffic.file
    times_s = findings.told(("traffic", "file"), lambda: read_times(path))
    if times_s is None:
        return ()
    if len(times_s) > MOST_INLINE_TIMES:
        resolved["traffic"]["file"] = str(path.resolve())
    else:
        del resolved["traffic"]["file"]
        resolved["traffic"]["times"] = list(times_s)
    return times_s


def _safe(title: str) -> str:
    """Return a file's stem as a name that can be a file's again."""
    kept = "".join(letter if letter.isalnum() or letter in "_-+. " else "-" for letter in title)
    kept = kept.lstrip("-+. ")[:100]
    return kept or "scenario"
