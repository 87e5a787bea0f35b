"""``--set key.path=value``: settings that replace what the file says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgesim.errors import nearest
from edgesim.scenario.problems import ScenarioError
from edgesim.scenario.yaml12 import YamlError, parse
from edgesim.validation import Path


def apply(data: Any, overrides: Sequence[str]) -> dict[Path, str]:
    """Set values in ``data``, in place; return what was set, by key path.

    A value is read as YAML. Mappings on the way are made where they are missing; an entry of a list
    must exist.

    Raises:
        ScenarioError: an override is no ``key.path=value``, or goes through something that is no
            mapping or list.
    """
    done: dict[Path, str] = {}
    for text in overrides:
        keys, equals, value_text = text.partition("=")
        names = keys.strip().split(".")
        if not equals or not all(names):
            raise ScenarioError(f"--set {text}: expected KEY.PATH=VALUE, as in traffic.rate=2/s")
        try:
            value = parse(value_text).data if value_text.strip() else None
        except YamlError as error:
            raise ScenarioError(f"--set {text}: {error}") from None
        done[_put(data, names, value, text)] = text
    return done


def _put(data: Any, names: list[str], value: Any, text: str) -> Path:
    here = data
    path: list[str | int] = []
    for number, name in enumerate(names):
        last = number == len(names) - 1
        if isinstance(here, list):
            if not name.isdecimal() or int(name) >= len(here):
                raise ScenarioError(
                    f"--set {text}: expected an entry from 0 to {len(here) - 1} of "
                    f"{'.'.join(map(str, path))}, got '{name}'"
                )
            key: str | int = int(name)
        elif isinstance(here, dict):
            key = name
            if not last and name not in here and here and nearest(name, list(here)):
                near = nearest(name, list(here))
                raise ScenarioError(f"--set {text}: no key '{name}' here{near}")
        else:
            raise ScenarioError(
                f"--set {text}: {'.'.join(map(str, path))} is neither mapping nor list"
            )
        path.append(key)
        if last:
            here[key] = value
        elif isinstance(here, dict):
            if here.get(name) is None:
                here[name] = {}
            here = here[name]
        else:
            here = here[int(name)]
    return tuple(path)
