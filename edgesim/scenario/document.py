"""A text as plain data with the place of each key and value, for messages."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path as FilePath
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.files import read_text
from edgesim.common.text import described
from edgesim.common.validation import Path, Problem, path_text
from edgesim.scenario.syntax import Place, YamlError
from edgesim.scenario.yaml12 import DEEPEST, MOST_VALUES, Mapping, Node, Scalar, compose

MOST_SHOWN = 20
LARGEST_BYTES = 10_000_000
"""Of a scenario file."""


class ScenarioError(InputError):
    """A scenario is wrong; the message has one line for each problem, the first twenty.

    Attributes:
        problems: all that is wrong, each ``file:line:column: key.path: what was expected``, or
            ``--set key.path=value: …`` where a setting is wrong.
    """

    def __init__(self, found: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(found))
        shown = list(self.problems[:MOST_SHOWN])
        if len(self.problems) > MOST_SHOWN:
            shown.append(f"… and {len(self.problems) - MOST_SHOWN} more")
        super().__init__("\n".join(shown))


class UntrainedError(ScenarioError):
    """A scenario is right, but its model is yet to be trained by ``edgesim partition``."""


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the line and column of every key and value.

    Attributes:
        data: as YAML gives them.
        name: name of the text in messages.
        keys: line and column of each key.
        values: line and column of each value.
        overridden: name in messages of each place whose value was replaced.
        notes: sentences for the user about what was read.
    """

    data: Any
    name: str = "<text>"
    keys: AbstractMapping[Path, Place] = field(default_factory=dict)
    values: AbstractMapping[Path, Place] = field(default_factory=dict)
    overridden: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def position(self, path: Path, at_key: bool = False) -> Place | None:
        """Return where ``path`` stands, or the nearest thing around it; None for no text."""
        while path:
            places = (self.keys, self.values) if at_key else (self.values, self.keys)
            for table in places:
                if path in table:
                    return table[path]
            path, at_key = path[:-1], True
        return self.values.get(())

    def title(self, path: Path, at_key: bool = False) -> str:
        """Return what messages call a place: file, line and column where the text has it."""
        place = self.position(path, at_key)
        return self.name if place is None else f"{self.name}:{place[0]}:{place[1]}"

    def located(self, problems: Sequence[Problem]) -> list[str]:
        """Return every problem with the place where it stands, in order of the text."""
        entries = []
        for one in problems:
            order = self.position(one.path, one.at_key) or (0, 0)
            title = self.title(one.path, one.at_key)
            for path, text in self.overridden.items():
                around = path[: len(one.path)] == one.path and one.path not in self.values
                if one.path[: len(path)] == path or around:
                    title, order = text, (1 << 60, 0)
            message = f"{path_text(one.path)}: {one.message}" if one.path else one.message
            entries.append((order, f"{title}: {message}"))
        entries.sort(key=lambda entry: entry[0])
        return [text for _, text in entries]

    def mapping(self, what: str) -> dict[str, Any]:
        """Return the data, which messages expect to be ``what``.

        Raises:
            ScenarioError: they are no mapping.
        """
        if isinstance(self.data, dict):
            return self.data
        message = f"expected {what}, got {described(self.data)}"
        raise ScenarioError(self.located([Problem((), message)]))

    def under(self, key: str) -> Document:
        """Return what stands under a key, with its places."""
        return Document(
            self.data[key],
            self.name,
            {path[1:]: place for path, place in self.keys.items() if path[:1] == (key,)},
            {path[1:]: place for path, place in self.values.items() if path[:1] == (key,)},
        )


def read_file(
    path: FilePath,
    largest_bytes: int = LARGEST_BYTES,
    what: str = "a scenario",
    *,
    regular: bool = False,
) -> Document:
    """Return the document of a YAML file; arguments as of `read_text`.

    Raises:
        InputError: it cannot be read, or is no YAML; one line for each problem.
    """
    return read(read_text(path, largest_bytes, what, regular=regular), str(path))


def read(text: str, name: str) -> Document:
    """Return the one document of a YAML 1.2 text, which messages call ``name``.

    Raises:
        ScenarioError: the text is no YAML; one line for each problem.
    """
    try:
        return parse(text, name)
    except YamlError as error:
        raise ScenarioError(
            [f"{name}:{line}:{column}: {message}" for (line, column), message in error.found]
        ) from None


def parse(text: str, name: str = "<text>") -> Document:
    """Return the one document of a YAML 1.2 text.

    Raises:
        YamlError: the text is no YAML, or has duplicate keys, unknown tags or aliases, too many
            values (aliases that multiply) or too deep ones; each with line and column.
    """
    root = compose(text)
    builder = _Builder()
    return Document(builder.build(root, ()), name, builder.keys, builder.values)


def read_value(text: str) -> Any:
    """Return what a value on the command line stands for; nothing is null.

    Raises:
        InputError: it is no YAML.
    """
    try:
        return parse(text).data if text.strip() else None
    except YamlError as error:
        raise InputError(f"the value is no YAML: {error.found[0][1]}") from None


def of_data(mapping: AbstractMapping[str, Any], name: str) -> Document:
    """Return a document of plain Python data, which messages call ``name``.

    Raises:
        ScenarioError: something that YAML has no words for, or nested too deeply.
    """
    try:
        return Document(_plain(mapping), name)
    except InputError as error:
        raise ScenarioError([f"{name}: {error}"]) from None


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


def _plain(value: Any, path: Path = ()) -> Any:
    """Return a copy of Python data as a YAML reader would give it: tuples become lists.

    Raises:
        InputError: something that YAML has no words for, or nested too deeply.
    """
    if len(path) > DEEPEST:
        raise InputError("nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    # Numbers and text of other types, such as numpy's int64, become Python's own.
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, AbstractMapping):
        return {str(key): _plain(one, (*path, str(key))) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, (*path, index)) for index, one in enumerate(value)]
    where = ".".join(map(str, path)) or "scenario"
    raise InputError(f"{where}: expected plain YAML data, got {described(value)}")
