"""Validation that goes on after an error: what is right is still checked against the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from edgesim.common.validation import Problem, problems
from edgesim.scenario.schema import ScenarioSpec

# Stand where a section is wrong, so that the others can be checked; never resolved.
_STAND_INS: dict[str, Any] = {
    "model": {"name": "-"},
    "nodes": {"-": {"device": "-"}},
    "traffic": {"arrivals": "offline", "requests": 1},
}


@dataclass(frozen=True, slots=True)
class Validated:
    """What of a scenario's data is right in itself.

    Attributes:
        spec: the data, with stand-ins for broken sections; None where nothing is left to check.
        data: as they were read.
        problems: what is wrong.
        broken: sections that stand-ins are for.
        broken_nodes: names under ``nodes`` that were left out.
    """

    spec: ScenarioSpec | None
    data: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    broken_nodes: frozenset[str] = frozenset()

    def may_be_node(self, name: str) -> bool:
        """Whether a name may be that of a node which was left out."""
        if "nodes" in self.broken:
            return True
        return not self.broken_nodes.isdisjoint((name, re.sub(r"-[0-9]+$", "", name)))


def validate(data: Mapping[str, Any]) -> Validated:
    """Return what is right and what is wrong in a scenario's data."""
    try:
        return Validated(ScenarioSpec.model_validate(data), data)
    except ValidationError as error:
        found = problems(error, ScenarioSpec, data)
    kept = dict(data)
    broken: set[str] = set()
    broken_nodes: set[str] = set()
    for problem in found:
        section = str(problem.path[0]) if problem.path else ""
        if section == "nodes" and len(problem.path) > 1:
            broken_nodes.add(str(problem.path[1]))
        elif section:
            broken.add(section)
            kept.pop(section, None)
    for name, field_info in ScenarioSpec.model_fields.items():
        if field_info.is_required() and name not in kept:
            broken.add(name)
    if broken_nodes and "nodes" not in broken:
        right = {name: one for name, one in data["nodes"].items() if name not in broken_nodes}
        if right:
            kept["nodes"] = right
        else:
            broken.add("nodes")
    kept |= {name: one for name, one in _STAND_INS.items() if name in broken}
    try:
        spec = ScenarioSpec.model_validate(kept)
    except ValidationError:
        spec = None
    return Validated(spec, data, found, frozenset(broken), frozenset(broken_nodes))
