"""Writing a resolved scenario as YAML that means the same in versions 1.1 and 1.2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from edgesim.scenario.scenario import Scenario
from edgesim.scenario.yaml12 import FLOAT, resolve


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    quoted = not isinstance(resolve(value), str) or value == "<<"
    style = "'" if quoted and value.isprintable() else None
    if any(letter in value for letter in "\x85\u2028\u2029"):
        # Line ends to version 1.1, letters to 1.2: written as escapes.
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    if not math.isfinite(value):
        return yaml.SafeDumper.represent_float(dumper, value)
    text = repr(value)
    if "e" in text and "." not in text:
        # YAML 1.1 reads 1e-05 as text.
        text = text.replace("e", ".0e")
    assert FLOAT.fullmatch(text)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)


def document_of(scenario: Scenario, graph: str) -> Mapping[str, object]:
    """Return a scenario as plain data that needs nothing but files beside it.

    Args:
        scenario: read and resolved.
        graph: name of the file that holds the operators of a model from elsewhere.
    """
    model = scenario.placement.model
    if model.is_catalog:
        return scenario.document
    return {**scenario.document, "model": {"graph": graph, "precision": model.precision}}


def dump(document: Mapping[str, object]) -> str:
    """Return a scenario's `document` as YAML that loads again to the same run."""
    return str(
        yaml.dump(
            dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
            default_flow_style=None,
        )
    )  # fmt: skip
