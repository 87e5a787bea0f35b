"""Collects what is wrong with a scenario while it is resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from edgesim.common.errors import InputError, nearest
from edgesim.common.validation import Path, Problem
from edgesim.hardware import Node
from edgesim.scenario.sections import Validated

T = TypeVar("T")


class Findings:
    """Problems so far; resolving goes on after each, so that a user sees all of them at once.

    Attributes:
        problems: what is wrong.
        validated: the data, and which of its sections cannot be relied on.
        declared: names of all nodes, also of those whose device is wrong.
    """

    def __init__(self, validated: Validated) -> None:
        self.validated = validated
        self.problems: list[Problem] = []
        self.declared: dict[str, None] = {}

    def told(self, path: Path, make: Callable[[], T]) -> T | None:
        """Return what ``make`` makes, or None after noting what it raised."""
        try:
            return make()
        except InputError as error:
            self.wrong(path, str(error))
            return None

    def given(self, path: Path) -> bool:
        """Return whether the scenario says anything under a key path, null aside."""
        here: Any = self.validated.data
        for key in path:
            here = here[key] if isinstance(key, int) else here.get(key)
        return here is not None

    def wrong(self, path: Path, message: str, at_key: bool = False) -> None:
        """Note a problem."""
        self.problems.append(Problem(path, message, at_key))

    def known_node(self, path: Path, name: str, nodes: Mapping[str, Node]) -> bool:
        """Return whether a node has this name; note a problem if none is even declared."""
        if name in nodes:
            return True
        if name in self.declared or self.validated.may_be_node(name):
            return False
        if not self.stands_for_many(path, name):
            self.wrong(path, f"no node is named '{name}'{nearest(name, list(self.declared))}")
        return False

    def stands_for_many(self, path: Path, name: str) -> bool:
        """Note a problem if a name is that of counted nodes, where one is needed."""
        spec = self.validated.spec
        counted = spec.nodes.get(name) if spec is not None else None
        if counted is None or counted.count is None:
            return False
        last = counted.count - 1
        told = f"'{name}-0' to '{name}-{last}'" if last else f"'{name}-0'"
        self.wrong(path, f"'{name}' stands for {told}; expected the name of one node")
        return True
