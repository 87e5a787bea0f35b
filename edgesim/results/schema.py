"""The JSON Schema of ``summary.json``, made from the registry of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgesim.results.metrics import Kind, Metric, Section
from edgesim.results.summary import SUMMARY

_NUMBER = {"type": "number"}
_INTERVAL = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    "number": _NUMBER,
    "share": _NUMBER,
    "whole": {"type": "integer"},
    "flag": {"type": "boolean"},
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "numbers": {"type": "object", "additionalProperties": _NUMBER},
    "wholes": {"type": "object", "additionalProperties": {"type": "integer"}},
    "intervals": {
        "type": "object",
        "additionalProperties": {"anyOf": [_INTERVAL, {"type": "null"}]},
    },
    "any": {"type": "object"},
}


def schema() -> dict[str, Any]:
    """Return the schema: every key is named, and each says what it means and when it is null."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "summary.json of edgesim",
        **_part(SUMMARY),
    }


def _part(part: Metric[Any] | Section[Any]) -> dict[str, Any]:
    if isinstance(part, Metric):
        found = dict(_TYPES[part.kind])
        if part.null and part.kind == "numbers":
            found["additionalProperties"] = _or_null(_NUMBER)
    else:
        entry = {
            "type": "object",
            "properties": {one.name: _part(one) for one in part.parts},
            "required": [one.name for one in part.parts if not one.optional],
            "additionalProperties": False,
        }
        found = {"type": "object", "additionalProperties": entry} if part.each else entry
    if part.null and not part.optional and getattr(part, "kind", "") != "numbers":
        found = _or_null(found)
    unit = f" In {part.unit}." if isinstance(part, Metric) and part.unit else ""
    absence = f" {'Left out' if part.optional else 'Null'}: {part.null}." if part.null else ""
    return {"description": f"{part.meaning}{unit}{absence}", **found}


def _or_null(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(found), {"type": "null"}]}
