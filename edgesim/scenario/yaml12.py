"""A YAML 1.2 reader that remembers where everything stood.

PyYAML scans and composes; scalars are resolved here by the core schema of YAML 1.2, so that ``no``
and ``on`` are text, ``012`` is twelve, and only ``true`` and ``false`` are booleans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from edgesim.errors import InputError
from edgesim.validation import Path

LARGEST_BYTES = 1 << 20
_MOST_VALUES = 200_000
_DEEPEST = 60

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
    ".nan": float("nan"), ".NaN": float("nan"), ".NAN": float("nan"),
    **{f"{sign}{word}": float(f"{sign}inf")
       for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}  # fmt: skip


class _Composer(yaml.SafeLoader):
    """PyYAML's scanner, parser and composer, without its ideas of what a scalar means."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own class attribute


@dataclass(frozen=True, slots=True)
class Document:
    """A document as plain data, and the line and column (from 1) of every key and value."""

    data: Any
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def position(self, path: Path, at_key: bool = False) -> tuple[int, int]:
        """Return where ``path`` stands, or the nearest mapping or list around it."""
        while path:
            places = (self.keys, self.values) if at_key else (self.values, self.keys)
            for table in places:
                if path in table:
                    return table[path]
            path, at_key = path[:-1], True
        return self.values.get((), (1, 1))


class YamlError(InputError):
    """The text is no YAML 1.2; the message begins with line and column."""


def read_text(path: FilePath) -> str:
    """Return the text of a scenario file.

    Raises:
        InputError: it does not exist, cannot be read, is empty, too large, or no UTF-8 text.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; expected a scenario file")
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise InputError(
                f"{path}: expected a scenario of at most {LARGEST_BYTES:,} bytes, got {size:,}"
            )
        with path.open("rb") as file:
            # A pipe or a device has no size: bounded here too.
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist{_neighbours(path)}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{str(path)!r} is no file name") from None
    if len(raw) > LARGEST_BYTES:
        raise InputError(f"{path}: expected a scenario of at most {LARGEST_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected UTF-8 text, got a byte {raw[error.start]:#04x} at {error.start}"
        ) from None
    if not text.strip():
        raise InputError(f"{path} is empty; `edgesim init` writes a scenario to start from")
    return text


def _neighbours(path: FilePath) -> str:
    try:
        found = sorted(one.name for one in path.parent.iterdir() if one.suffix in (".yaml", ".yml"))
    except OSError:
        return ""
    from edgesim.errors import nearest

    return nearest(path.name, found)


def parse(text: str) -> Document:
    """Return the one document of a YAML 1.2 text.

    Raises:
        YamlError: the text is no YAML, has a duplicate key, a tag, an alias of itself, or is nested
            too deeply; the message begins with line and column.
    """
    try:
        loader = _Composer(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
        if root is None:
            raise YamlError("1:1: the file holds no value, only comments")
        return _Builder().document(root)
    except yaml.MarkedYAMLError as error:
        raise YamlError(_syntax(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise YamlError(f"{line}:{column}: the character U+{code:04X} is not allowed") from None
    except RecursionError:
        raise YamlError("1:1: nested too deeply") from None


def _syntax(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{mark.line + 1}:{mark.column + 1}: " if mark else "1:1: "
    problem = str(error.problem or error.context or "no YAML")
    if "'\\t'" in problem:
        return f"{place}a tab; YAML indents with spaces"
    if "expected a single document" in f"{error.context} {problem}":
        return f"{place}a second document begins here; expected one"
    if "mapping values are not allowed" in problem:
        return f"{place}a ':' where no key can be; is the line indented like its neighbours?"
    if "<stream end>" in problem:
        return f"{place}the file ends inside a list or mapping; is a bracket or quote left open?"
    if "expected <block end>" in problem:
        return f"{place}the indentation does not fit the lines above"
    return f"{place}{problem}"


class _Builder:
    """Turns composed nodes into data, noting where each stood."""

    def __init__(self) -> None:
        self.keys: dict[Path, tuple[int, int]] = {}
        self.values: dict[Path, tuple[int, int]] = {}
        self.count = 0

    def document(self, root: Node) -> Document:
        return Document(self.build(root, (), ()), self.keys, self.values)

    def build(self, node: Node, path: Path, around: tuple[Node, ...]) -> Any:
        self.values[path] = _place(node)
        self.count += 1
        if self.count > _MOST_VALUES:
            raise self.error(node, "more values than a scenario can have; does an alias multiply?")
        if node in around:
            raise self.error(node, "an alias of something that contains it")
        if len(around) > _DEEPEST:
            raise self.error(node, "nested too deeply")
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        inside = (*around, node)
        self.plain_tag(node, ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"))
        if isinstance(node, SequenceNode):
            return [self.build(one, (*path, i), inside) for i, one in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node)
            if key in mapping:
                line, _ = self.keys[(*path, key)]
                raise self.error(key_node, f"duplicate key '{key}'; it stands on line {line} too")
            self.keys[(*path, key)] = _place(key_node)
            mapping[key] = self.build(value_node, (*path, key), inside)
        return mapping

    def key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self.error(node, "expected a key, got a list or mapping")
        # A key is text whatever it looks like: a node may be named 5 or no.
        return str(node.value)

    def scalar(self, node: ScalarNode) -> Any:
        text: str = node.value
        if node.tag not in ("tag:yaml.org,2002:str", "!"):
            self.plain_tag(node, ())
        if node.style is not None:
            return text
        if text in _SPECIAL:
            return _SPECIAL[text]
        if _INTEGER.fullmatch(text):
            # Python refuses to convert thousands of digits; a float of that size is infinite.
            return int(text) if len(text) < 400 else float(text)
        if _OCTAL.fullmatch(text):
            return int(text[2:], 8)
        if _HEXADECIMAL.fullmatch(text):
            return int(text[2:], 16)
        if _FLOAT.fullmatch(text):
            return float(text)
        return text

    def plain_tag(self, node: Node, allowed: tuple[str, ...]) -> None:
        if node.tag not in allowed:
            raise self.error(node, f"the tag {node.tag} is not supported")

    def error(self, node: Node, message: str) -> YamlError:
        line, column = _place(node)
        return YamlError(f"{line}:{column}: {message}")


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
