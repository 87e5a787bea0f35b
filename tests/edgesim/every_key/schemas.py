"""The keys that users may write: every leaf of the JSON Schemas of scenarios and studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from edgesim.scenario import json_schema
from edgesim.sweep.schema import Range, StudySpec

Schema = Mapping[str, Any]
KINDS = ("processor", "optical-4f", "photonic-crossbar")
"""Kinds of devices, whose keys stand under ``nodes.*.device``, and under ``host`` in others."""


def scenario_keys() -> list[str]:
    """Return the keys of a scenario; ``*`` stands for a name, ``[]`` for an entry of a list.

    The keys of a device begin with its kind.
    """
    root = json_schema.schema()
    found = _leaves(root, root, "")
    for kind in KINDS:
        found |= _leaves(root, {"$ref": f"#/$defs/{kind}"}, kind)
    return list(found)


def study_keys() -> list[str]:
    """Return the keys of a study, which begin with ``study``."""
    root = TypeAdapter(StudySpec).json_schema(by_alias=True)
    ranged = TypeAdapter(Range).json_schema(by_alias=True)
    # An axis is a list or a range, which a schema of axes does not say.
    return [*_leaves(root, root, "study"), *_leaves(ranged, ranged, "study.axes.*")]


def _leaves(root: Schema, node: Schema, path: str) -> dict[str, None]:
    keys = dict.fromkeys(_keys(root, node, path, ()))
    inner = {key[:cut] for key in keys for cut in range(len(key)) if key[cut] in ".["}
    return {key: None for key in keys if key not in inner}


def _keys(root: Schema, node: Schema, path: str, above: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys of a schema, also those that hold others; a device's are not followed."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name != "Device" and name not in above:
            yield from _keys(root, root["$defs"][name], path, (*above, name))
    for one in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _keys(root, one, path, above)
    if node.get("type") == "object" or "anyOf" not in node:
        for key, inner in node.get("properties", {}).items():
            if isinstance(inner, Mapping):
                yield f"{path}.{key}".lstrip(".")
                yield from _keys(root, inner, f"{path}.{key}".lstrip("."), above)
    named = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    for inner in named:
        if isinstance(inner, Mapping):
            yield from _keys(root, inner, f"{path}.*", above)
    if isinstance(node.get("items"), Mapping):
        yield from _keys(root, node["items"], f"{path}[]", above)
