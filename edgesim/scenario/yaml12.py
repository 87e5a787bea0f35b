"""A YAML 1.2 reader that remembers where everything stood.

PyYAML (libyaml where it is there) scans and parses; what the events mean is decided here, by the
core schema of YAML 1.2: ``no`` and ``on`` are text, ``012`` is twelve, ``1_000`` and ``1:30`` are
text, and only ``true`` and ``false`` are booleans. Merge keys (``<<: *base``), which YAML 1.2 no
longer has but files still use, are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from edgesim.scenario.syntax import Place, YamlError, place, syntax_error

MOST_VALUES = 200_000
"""Keys, values and merged entries of one document, aliases counted as often as they stand."""
DEEPEST = 60
"""Mappings and lists inside each other."""

_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
    **{f"{sign}{word}": float(f"{sign}inf")
       for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}  # fmt: skip
_TYPES = {"null": type(None), "bool": bool, "int": int, "float": float}
# Longer runs of digits are no figure of anything; Python refuses to convert thousands.
_LONGEST_INTEGER = 400


@dataclass(slots=True)
class Scalar:
    """Text, and the value that it stands for."""

    place: Place
    text: str
    value: Any
    plain: bool


@dataclass(slots=True)
class Sequence:
    """A list."""

    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """A mapping: where each key stands, and its value."""

    place: Place
    entries: dict[str, tuple[Place, Node]] = field(default_factory=dict)
    merges: list[Node] = field(default_factory=list)
    key: tuple[str, Place, bool] | None = None
    """The key whose value comes next, and whether it merges."""


Node = Scalar | Sequence | Mapping


def resolve(text: str) -> Any:
    """Return what a plain scalar stands for in the core schema of YAML 1.2."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < _LONGEST_INTEGER else float(text)
    for pattern, base in ((_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            return int(text[2:], base) if len(text) < _LONGEST_INTEGER else float("inf")
    return float(text) if FLOAT.fullmatch(text) else text


def compose(text: str) -> Node:
    """Return the one document of a YAML 1.2 text as a tree whose aliases are shared nodes.

    Raises:
        YamlError: the text is no YAML, has no or several documents, or has duplicate keys, keys
            that are no text, unknown tags or aliases, too many values or too deep ones.
    """
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    composer = _Composer()
    try:
        # Half of a surrogate pair, as in an argument that was no UTF-8, is no text.
        text.encode()
        loader = loader_class(text)
        try:
            while loader.check_event():
                composer.take(loader.get_event())
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeError) as error:
        raise syntax_error(error, text, composer.errors) from None
    if composer.root is None:
        composer.wrong((1, 1), "the text holds no value, only comments")
    if composer.errors:
        raise YamlError(composer.errors)
    assert composer.root is not None
    return composer.root


class _Composer:
    """Builds the tree from events, one at a time: nesting costs no stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.errors: list[tuple[Place, str]] = []
        self._open: list[Sequence | Mapping] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._count = 0

    def wrong(self, where: Place, message: str) -> None:
        self.errors.append((where, message))

    def take(self, event: yaml.Event) -> None:
        match event:
            case ScalarEvent():
                self._named(event, self._scalar(event))
            case SequenceStartEvent():
                self._tag(event, "seq")
                self._begin(event, Sequence(place(event)))
            case MappingStartEvent():
                self._tag(event, "map")
                self._begin(event, Mapping(place(event)))
            case CollectionEndEvent():
                closed = self._open.pop()
                if isinstance(closed, Mapping):
                    self._merge(closed)
            case AliasEvent():
                self._add(self._alias(event))
            case DocumentStartEvent():
                self._documents += 1
                if self._documents == 2:
                    raise YamlError(
                        [*self.errors, (place(event), "a second document begins; expected one")]
                    )

    def _named(self, event: NodeEvent, node: Node) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._add(node)

    def _begin(self, event: NodeEvent, node: Sequence | Mapping) -> None:
        self._named(event, node)
        self._open.append(node)
        if len(self._open) > DEEPEST:
            raise YamlError([*self.errors, (node.place, "nested too deeply")])

    def _alias(self, event: AliasEvent) -> Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self.wrong(place(event), f"no anchor is named '{event.anchor}'")
        elif any(node is one for one in self._open):
            self.wrong(place(event), f"'*{event.anchor}' stands inside what it names")
        else:
            return node
        return Scalar(place(event), "", None, False)

    def _add(self, node: Node) -> None:
        self._count += 1
        self._limit(node.place)
        if not self._open:
            self.root = node
            return
        around = self._open[-1]
        if isinstance(around, Sequence):
            around.items.append(node)
        elif around.key is None:
            around.key = self._key(node)
        else:
            key, where, merges = around.key
            around.key = None
            if merges:
                around.merges.append(node)
            elif key in around.entries:
                first, _ = around.entries[key][0]
                self.wrong(where, f"duplicate key '{key}'; it stands on line {first} too")
            else:
                around.entries[key] = (where, node)

    def _limit(self, where: Place) -> None:
        if self._count > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} values; does an alias multiply?"
            raise YamlError([*self.errors, (where, message)])

    def _key(self, node: Node) -> tuple[str, Place, bool]:
        if isinstance(node, Scalar):
            # A key is text whatever it looks like: a node may be named 5 or no.
            return node.text, node.place, node.plain and node.text == "<<"
        self.wrong(node.place, "expected a key, got a list or mapping")
        return f"\0{self._count}", node.place, False

    def _merge(self, mapping: Mapping) -> None:
        """Take over the entries of what ``<<`` names; own keys win, then the first named."""
        for node in mapping.merges:
            for source in node.items if isinstance(node, Sequence) else [node]:
                if not isinstance(source, Mapping):
                    self.wrong(source.place, "'<<' takes a mapping, such as an alias of one")
                    continue
                self._count += len(source.entries)
                self._limit(mapping.place)
                mapping.entries = {**source.entries, **mapping.entries}
        mapping.merges.clear()

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text = str(event.value)
        plain = not event.style and event.tag is None
        node = Scalar(place(event), text, text, plain)
        tag = event.tag
        if tag is None:
            node.value = resolve(text) if plain else text
        elif tag not in ("!", f"{_CORE}str"):
            kind = tag.removeprefix(_CORE)
            value = resolve(text)
            if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
                value = float(text) if len(text) < _LONGEST_INTEGER else float("inf")
            if kind not in _TYPES:
                self.wrong(node.place, f"the tag {_tag_text(tag)} is not supported")
            elif type(value) is not _TYPES[kind]:
                self.wrong(node.place, f"expected !!{kind}, got '{text[:60]}'")
            node.value = value
        return node

    def _tag(self, event: NodeEvent, own: str) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", f"{_CORE}{own}"):
            self.wrong(place(event), f"the tag {_tag_text(tag)} is not supported")


def _tag_text(tag: str) -> str:
    return tag.replace(_CORE, "!!")[:80]
