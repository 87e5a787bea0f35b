"""Validation of a scenario, section by section.

Checking goes on after an error: the valid sections are still checked together, so that a user sees
all problems at once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from edgesim.common.errors import InputError, nearest
from edgesim.common.validation import Path, Problem, keys_of, read_section
from edgesim.hardware import Node
from edgesim.placement import ModelKeys, keys_by_strategy, keys_of_strategy
from edgesim.scenario.schema import ScenarioSpec
from edgesim.simulate.traffic import ARRIVALS, Traffic, process

T = TypeVar("T")

# Stand where a section is wrong, so that the others can be checked; never resolved.
_STAND_INS: dict[str, Any] = {
    "model": {"name": "-"},
    "nodes": {"-": {"device": "-"}},
    "traffic": {"arrivals": "offline", "requests": 1},
}


class Findings:
    """A scenario's data, validated against the schema, and all problems so far.

    Args:
        data: plain data of the scenario, as they were read.

    Attributes:
        data: as given.
        spec: the data, with stand-ins for broken sections; None where nothing is left to check.
        problems: mistakes found so far.
        broken: sections that stand-ins are for.
        broken_nodes: names under ``nodes`` that were left out.
        placement: keys of ``placement`` that are given, ``strategy`` aside.
        traffic: requests to the cluster; None where the section is wrong.
        declared: names of all nodes, also of those whose device is wrong.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self.broken_nodes: set[str] = set()
        self.declared: dict[str, None] = {}
        model = data.get("model")
        if isinstance(model, Mapping) and isinstance(model.get("training"), Mapping):
            # Imported where there is a recipe alone.
            from partition.recipe import Recipe

            read_section(Recipe, model["training"], self.problems, ("model", "training"))
        self.spec = read_section(ScenarioSpec, data, self.problems)
        placement = data.get("placement")
        self.placement = self._keys_given(placement) if isinstance(placement, dict) else {}
        traffic = data.get("traffic")
        self.traffic = self._read_traffic(traffic) if isinstance(traffic, dict) else None
        if self.problems:
            self.spec = read_section(ScenarioSpec, self._mended(), [])

    def _keys_given(self, placement: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of ``placement`` that are given, as its strategy reads them.

        Keys of other strategies are read too, by those: more may be wrong than that.
        """
        strategy = placement.get("strategy")
        own = keys_of_strategy(strategy) if isinstance(strategy, str) else None
        left = {key: value for key, value in placement.items() if key != "strategy"}
        found: dict[str, Any] = {}
        sections = [own or ModelKeys]
        if not left.keys() <= keys_of(sections[0]).keys():
            sections += keys_by_strategy().values()
        for section in sections:
            mine = {key: left.pop(key) for key in keys_of(section) if key in left}
            read = read_section(section, mine, self.problems, ("placement",))
            found |= {key: getattr(read, key, None) for key in mine}
        given = {key: value for key, value in (found | left).items() if value not in (None, ())}
        # Null unsets a key that a strategy has; any other is unknown, with a value or without.
        return given | (left if own is not None else {})

    def _read_traffic(self, given: Mapping[str, Any]) -> Traffic | None:
        """Return the traffic as its arrival process reads it; None after noting what is wrong."""
        name = given.get("arrivals")
        if not isinstance(name, str):
            return None
        own = self.attempt(("traffic", "arrivals"), lambda: process(name))
        if own is None:
            return None
        # Null unsets a key that there is, as in ``--set traffic.samples=``.
        known = {key for one in ARRIVALS.names() for key in keys_of(process(one))}
        mine = {key: value for key, value in given.items() if value is not None or key not in known}
        for key in mine.keys() - keys_of(own).keys():
            others = [one for one in ARRIVALS.names() if key in keys_of(process(one))]
            if others:
                self.foreign(("traffic", key), others, name)
                del mine[key]
        return read_section(own, mine, self.problems, ("traffic",))

    def _mended(self) -> dict[str, Any]:
        """Return the data without what is wrong in itself."""
        mended = dict(self.data)
        for problem in self.problems:
            section = str(problem.path[0]) if problem.path else ""
            if section == "nodes" and len(problem.path) > 1:
                self.broken_nodes.add(str(problem.path[1]))
            elif section:
                self.broken.add(section)
                mended.pop(section, None)
        for field in dataclasses.fields(ScenarioSpec):
            needed = field.default is field.default_factory is dataclasses.MISSING
            if needed and field.name not in mended:
                self.broken.add(field.name)
        if self.broken_nodes and "nodes" not in self.broken:
            right = {
                name: one
                for name, one in self.data["nodes"].items()
                if name not in self.broken_nodes
            }
            if right:
                mended["nodes"] = right
            else:
                self.broken.add("nodes")
        return mended | {name: one for name, one in _STAND_INS.items() if name in self.broken}

    def may_be_node(self, name: str) -> bool:
        """Whether a name may be that of a node which was left out."""
        if "nodes" in self.broken:
            return True
        return not self.broken_nodes.isdisjoint((name, re.sub(r"-[0-9]+$", "", name)))

    def attempt(self, path: Path, make: Callable[[], T]) -> T | None:
        """Return what ``make`` makes, or None after noting what it raised."""
        try:
            return make()
        except InputError as error:
            self.wrong(path, str(error))
            return None

    def given(self, path: Path) -> bool:
        """Return whether the scenario says anything under a key path, null aside."""
        here: Any = self.data
        for key in path:
            here = here[key] if isinstance(key, int) else here.get(key)
        return here is not None

    def wrong(self, path: Path, message: str, at_key: bool = False) -> None:
        """Note a problem."""
        self.problems.append(Problem(path, message, at_key))

    def foreign(self, path: Path, kinds: Sequence[str], kind: str) -> None:
        """Note that the key at a path belongs to other kinds than the one that has it."""
        listed = " or ".join((", ".join(kinds[:-1]), kinds[-1]) if kinds[1:] else kinds)
        message = f"'{path[-1]}' belongs to {listed}, not to {kind}"
        self.wrong(path, message, True)

    def known_node(self, path: Path, name: str, nodes: Mapping[str, Node]) -> bool:
        """Return whether a node has this name; note a problem if none is even declared."""
        if name in nodes:
            return True
        if name in self.declared or self.may_be_node(name):
            return False
        if not self.stands_for_many(path, name):
            self.wrong(path, f"no node is named '{name}'{nearest(name, list(self.declared))}")
        return False

    def stands_for_many(self, path: Path, name: str) -> bool:
        """Note a problem if a name is that of counted nodes, where one is needed."""
        counted = self.spec.nodes.get(name) if self.spec is not None else None
        if counted is None or counted.count is None:
            return False
        last = counted.count - 1
        members = f"'{name}-0' to '{name}-{last}'" if last else f"'{name}-0'"
        self.wrong(path, f"'{name}' stands for {members}; expected the name of one node")
        return True
