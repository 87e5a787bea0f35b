"""Reading scenario files."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgesim import units
from edgesim.errors import InputError
from edgesim.scenario import overrides as settings
from edgesim.scenario.problems import ScenarioError, scenario_error
from edgesim.scenario.resolve import Resolver
from edgesim.scenario.scenario import Scenario
from edgesim.scenario.schema import ScenarioSpec
from edgesim.scenario.yaml12 import Document, YamlError, parse, read_text
from edgesim.validation import Problem, described, problems

_LARGEST_TRACE_BYTES = 256 << 20


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
    return load_text(
        read_text(file), str(file), overrides, seed, name=file.stem, folder=file.parent
    )


def load_text(
    text: str,
    file: str = "<text>",
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    name: str = "scenario",
    folder: Path | None = None,
) -> Scenario:
    """Read a scenario from YAML; ``file`` is what messages call it."""
    try:
        document = parse(text)
    except YamlError as error:
        raise ScenarioError(f"{file}:{error}") from None
    return _read(document, file, overrides, seed, name, folder or Path())


def from_mapping(
    mapping: Mapping[str, Any],
    overrides: Sequence[str] = (),
    seed: int | None = None,
    *,
    name: str = "scenario",
) -> Scenario:
    """Read a scenario from plain data, such as `Scenario.document`."""
    document = Document(copy.deepcopy(dict(mapping)))
    return _read(document, "<mapping>", overrides, seed, name, Path())


def _read(
    document: Document,
    file: str,
    overrides: Sequence[str],
    seed: int | None,
    name: str,
    folder: Path,
) -> Scenario:
    data = document.data
    if not isinstance(data, dict):
        message = f"expected a mapping with 'model', 'nodes' and more, got {described(data)}"
        raise scenario_error([Problem((), message)], document, file, {})
    overridden = settings.apply(data, overrides)
    if seed is not None:
        data["seed"] = seed
    try:
        spec = ScenarioSpec.model_validate(data)
    except ValidationError as error:
        found = problems(error, ScenarioSpec)
        raise scenario_error(found, document, file, overridden) from None
    resolved = copy.deepcopy(data)
    resolved["name"] = spec.name or _safe(name)
    resolved["seed"] = spec.seed
    times_s: tuple[float, ...] = tuple(spec.traffic.times or ())
    if spec.traffic.file is not None:
        try:
            times_s = _times(folder / spec.traffic.file)
        except InputError as error:
            found = [Problem(("traffic", "file"), str(error))]
            raise scenario_error(found, document, file, overridden) from None
        del resolved["traffic"]["file"]
        resolved["traffic"]["times"] = list(times_s)
    resolver = Resolver(spec, times_s)
    scenario = resolver.scenario(resolved["name"], resolved)
    if scenario is None:
        raise scenario_error(resolver.problems, document, file, overridden)
    return scenario


def _safe(name: str) -> str:
    """Return a file's stem as a name that can be a file's again."""
    kept = "".join(letter if letter.isalnum() or letter in "_-+. " else "-" for letter in name)
    kept = kept.lstrip("-+. ")[:100]
    return kept or "scenario"


def _times(path: Path) -> tuple[float, ...]:
    """Return the arrival times of a trace file: one a line, seconds or with a unit; # comments."""
    try:
        if path.stat().st_size > _LARGEST_TRACE_BYTES:
            raise InputError(f"{path} is larger than {_LARGEST_TRACE_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text") from None
    times = []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            time_s = units.parse(entry, "time")
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        if time_s < 0.0:
            raise InputError(f"{path}:{number}: expected a time of at least 0, got {entry}")
        times.append(time_s)
    return tuple(times)
