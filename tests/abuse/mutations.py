"""What is fuzzed with: good documents with something of them changed, and documents of a schema."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 3, 7, 64, 1000, 100_000, 10**6, 10**9, 2**31, 2**53 + 1, 2**63, 2**64, 10**30,
    10**300, 10**310, -(10**30), 0.0, -0.0, 0.5, -0.5, 1.5, 1e-9, 1e9, 1e12, 1e300, 1e308,
    -1e308, 1e-300, 1e-308, 5e-324, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
WORDS = (
    "", " ", "0", "-1", "1e999", "1e308 s", "5e-324 s", "1 ms", "-1 ms", "1e308 GB/s", "1 B/s",
    "1 Gbit/s", "0.5/s", "1e308/s", "5e-324/s", "400 dB", "-400 dB", "1e300 GFLOP", "1 TiB", "50 %",
    "nan", "inf", ".nan s", "null", "poisson", "closed", "trace", "server", "offline", "class-wise",
    "pipeline", "replicate", "single", "manual", "hub", "pi", "pi-0", "a", "b", "A", "fp32", "int8",
    "raspberry-pi-4b", "nvidia-t4", "vit_tiny_patch16_224", "resnet18", "processor", "optical-4f",
    "photonic-crossbar", "lognormal", "exponential", "measured", "host", "switch",
    "x" * 101, "x" * 5000, "\0", "\x1b[31m", "\u009b31m", "\u202eedoc", "\u2028", "\ufeff", "é",
    "😀", "..", "../../etc/passwd", "/etc/passwd", "/dev/zero", "/", ".", "~", "a/b", "a\\b", "-x",
    "a.b", "a=b", "$HOME", "{}", "%s", "<script>", "0 0", "1_000", "0x10", "1:30", "on",
)  # fmt: skip
SHAPES: tuple[Any, ...] = (
    None, True, False, [], {}, [None], [[]], [{}], {"": None}, {"a": {}}, {"kind": None}, [1, 2],
    ["a", "a"], {"0": 0}, [[[[[[]]]]]],
)  # fmt: skip
TOKENS = (
    "&a ", "*a", "<<: *a", "!!int ", "!!float ", "!!python/object:os.system ", "!<x> ", "? ", "- ",
    "[", "]", "{", "}", ",", ":", ": ", "\n", "\n\n", "\t", "  ", "#", "|", ">", "'", '"', "\\",
    "%", "@", "`", "---\n", "...\n", "%YAML 1.1\n", "\0", "\x1b", "\ufeff", "\u2028", "\r",
    "[" * 70, "{a: " * 70, "- " * 70, ",,", "1e5000", "9" * 5000, "null", "true", ".nan", ".inf",
    "~",
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[str] = TOKENS) -> bytes:
    """Draw a text of ``seeds`` with one to four stretches of it cut, doubled, or replaced."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 5, 20, 200, 10**9))))
        match draw(st.integers(0, 5)):
            case 0:
                new = draw(st.sampled_from(tokens)).encode()
            case 1:
                new = draw(st.sampled_from(WORDS)).encode()
            case 2:
                new = draw(st.binary(max_size=6))
            case 3:
                new = b""
            case 4:
                new = data[start:end] * 2
            case _:
                new = repr(draw(st.sampled_from(NUMBERS))).encode()
        data = data[:start] + new + data[end:]
    return data


def leaves() -> st.SearchStrategy[Any]:
    """Return values that may not fit where they come to stand."""
    return (
        st.sampled_from(NUMBERS)
        | st.sampled_from(WORDS)
        | st.sampled_from(SHAPES)
        | st.floats()
        | st.integers()
        | st.text(max_size=8)
    )


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the key path of everything in a document, the whole first."""
    found = [path]
    if isinstance(data, Mapping):
        for key, value in data.items():
            found += places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            found += places(value, (*path, index))
    return found


def at(data: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a key path."""
    for key in path:
        data = data[key]
    return data


@st.composite
def trees(
    draw: st.DrawFn, seeds: Sequence[Any], others: Sequence[Any] = (), within: str = ""
) -> Any:
    """Draw a document of ``seeds`` with one to three values of it replaced, renamed, or removed.

    Args:
        draw: of hypothesis.
        seeds: documents as plain data.
        others: documents of which pieces are taken too; the seeds unless given.
        within: key of the whole under which changes are made; anywhere unless given.
    """
    data = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        found = [path for path in places(data)[1:] if not within or path[0] == within]
        if not found:
            return data
        path = draw(st.sampled_from(found))
        holder, key = at(data, path[:-1]), path[-1]
        match draw(st.integers(0, 9)):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw(st.sampled_from(WORDS))] = holder.pop(key)
            case 2:
                other = draw(st.sampled_from(others or seeds))
                piece = draw(st.sampled_from(places(other)))
                holder[key] = copy.deepcopy(at(other, piece))
            case 3 if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case 3 if isinstance(holder, dict):
                near = draw(st.sampled_from(places(data)))
                holder[draw(st.sampled_from(WORDS))] = copy.deepcopy(at(data, near))
            case _:
                # Changed later, maybe: not the one that all draws share.
                holder[key] = copy.deepcopy(draw(leaves()))
    return data


def as_yaml(data: Any) -> bytes:
    """Return plain data as YAML 1.2 on one line."""
    text = json.dumps(data, ensure_ascii=False)
    for json_word, word in (("-Infinity", "-.inf"), ("Infinity", ".inf"), ("NaN", ".nan")):
        text = re.sub(rf"(?<![\w\"]){json_word}(?![\w\"])", word, text)
    return text.encode("utf-8", "replace")


@st.composite
def of_schema(draw: st.DrawFn, schema: Mapping[str, Any], seldom: int = 12) -> Any:
    """Draw a document that a JSON Schema allows, but for one value in ``seldom`` that is of chance.

    Of each mapping about half the optional keys are there; patterns of texts are not kept to.
    """
    return _of(draw, schema, schema, seldom, 0)


def _of(
    draw: st.DrawFn, schema: Mapping[str, Any], root: Mapping[str, Any], seldom: int, depth: int
) -> Any:
    if "$ref" in schema:
        here: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            here = here[key]
        return _of(draw, here, root, seldom, depth)
    if depth and draw(st.integers(1, seldom)) == 1:
        return draw(leaves())
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _of(draw, draw(st.sampled_from(schema[several])), root, seldom, depth)
    if "allOf" in schema:
        return _of(draw, schema["allOf"][0], root, seldom, depth)
    for given in ("enum", "examples"):
        if schema.get(given):
            return draw(st.sampled_from(schema[given]))
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            return _mapping(draw, schema, root, seldom, depth)
        case "array":
            least = schema.get("minItems", 0)
            most = min(schema.get("maxItems", least + 2), least + 2)
            one = schema.get("items", {})
            count = draw(st.integers(least, most))
            return [_of(draw, one, root, seldom, depth + 1) for _ in range(count)]
        case "integer":
            least = int(schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1))
            return draw(st.integers(least, least + 5) | st.sampled_from(NUMBERS))
        case "number":
            return draw(st.floats(0, 10) | st.sampled_from(NUMBERS))
        case "boolean":
            return draw(st.booleans())
        case "null":
            return None
        case "string":
            return draw(st.sampled_from(("a", "b", "hub", "pi", "pi-0")) | st.sampled_from(WORDS))
        case _:
            return draw(leaves())


def _mapping(
    draw: st.DrawFn, schema: Mapping[str, Any], root: Mapping[str, Any], seldom: int, depth: int
) -> dict[str, Any]:
    needed = set(schema.get("required", ()))
    made = {
        key: _of(draw, one, root, seldom, depth + 1)
        for key, one in schema.get("properties", {}).items()
        if key in needed or (depth < 5 and draw(st.integers(0, 2)) == 0)
    }
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        for name in draw(st.lists(st.sampled_from(("a", "b", "hub", "pi")), max_size=3)):
            made[name] = _of(draw, more, root, seldom, depth + 1)
    return made
