"""A scenario's text as plain data that knows where each key and value stood."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.validation import Path, described
from edgesim.scenario.syntax import Place, YamlError
from edgesim.scenario.yaml12 import DEEPEST, MOST_VALUES, Mapping, Node, Scalar, compose


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the line and column of every key and value."""

    data: Any
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def stands(self, path: Path) -> bool:
        """Whether the text says anything at ``path``."""
        return path in self.values

    def position(self, path: Path, at_key: bool = False) -> Place | None:
        """Return where ``path`` stands, or the nearest thing around it; None for no text."""
        while path:
            places = (self.keys, self.values) if at_key else (self.values, self.keys)
            for table in places:
                if path in table:
                    return table[path]
            path, at_key = path[:-1], True
        return self.values.get(())


def parse(text: str) -> Document:
    """Return the one document of a YAML 1.2 text.

    Raises:
        YamlError: the text is no YAML, or has duplicate keys, unknown tags or aliases, too many
            values (aliases that multiply) or too deep ones; each with line and column.
    """
    root = compose(text)
    builder = _Builder()
    return Document(builder.build(root, ()), builder.keys, builder.values)


class _Builder:
    """Turns the tree into data; what an alias names is copied, so that nothing is shared."""

    def __init__(self) -> None:
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}

    def build(self, node: Node, path: Path) -> Any:
        self.values[path] = node.place
        if len(self.values) > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} values; does an alias multiply?"
            raise YamlError([(node.place, message)])
        if len(path) > DEEPEST:
            raise YamlError([(node.place, "nested too deeply")])
        if isinstance(node, Scalar):
            return node.value
        if isinstance(node, Mapping):
            mapping: dict[str, Any] = {}
            for key, (where, value) in node.entries.items():
                self.keys[(*path, key)] = where
                mapping[key] = self.build(value, (*path, key))
            return mapping
        return [self.build(one, (*path, index)) for index, one in enumerate(node.items)]


def plain(value: Any, path: Path = ()) -> Any:
    """Return a copy of Python data as a YAML reader would give it: tuples become lists.

    Raises:
        InputError: something that YAML has no words for, or nested too deeply.
    """
    if len(path) > DEEPEST:
        raise InputError("nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    # Numbers and text of other types, such as numpy's float64, become Python's own.
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, AbstractMapping):
        return {str(key): plain(one, (*path, str(key))) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, (*path, index)) for index, one in enumerate(value)]
    where = ".".join(map(str, path)) or "scenario"
    raise InputError(f"{where}: expected plain YAML data, got {described(value)}")
