"""The JSON Schema of the scenario file, for editors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from edgesim.common import units
from edgesim.common.fields import NAME_PATTERN
from edgesim.common.validation import adapter, describe
from edgesim.graph import zoo
from edgesim.graph.sources import BUILD_OPTIONS, SOURCES
from edgesim.hardware import FaultKind, catalog
from edgesim.hardware.faults import OF_LINKS
from edgesim.placement import keys_by_strategy, strategy_names
from edgesim.scenario.resolve_faults import KEYS_OF_FAULTS
from edgesim.scenario.schema import ScenarioSpec
from edgesim.simulate.traffic import ARRIVALS, process
from partition import recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

EXAMPLE = {
    "name": "two-pis",
    "seed": 7,
    "model": {"name": "vit_tiny_patch16_224", "classes": 10},
    "placement": {"strategy": "pipeline", "objective": "latency"},
    "nodes": {"pi": {"device": "raspberry-pi-4b", "count": 2}},
    "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.25 ms"}},
    "traffic": {"arrivals": "poisson", "rate": "0.5/s", "requests": 1000},
    "baselines": ["raspberry-pi-4b"],
}


def schema() -> Schema:
    """Return the JSON Schema (2020-12) of a scenario file.

    Names of models, devices and strategies are those that are there now, plug-ins included. What
    joins different parts of a file (a node that a task names, say) only `edgesim check` checks.
    """
    made = adapter(ScenarioSpec).json_schema(by_alias=True)
    definitions: Schema = made["$defs"]
    definitions["Device"] = _devices(definitions)
    _model(definitions)
    _placement(definitions["PlacementSpec"])
    _network(definitions["NetworkSpec"])
    _traffic(definitions)
    for name in ("BaselineSpec", "Variability", "TraceFile", "Queue"):
        _or_short(definitions, name)
    _faults(definitions["Faults"])
    _fault(definitions["Fault"])
    definitions["ScheduleSpec"]["anyOf"] = [{"required": ["schedule"]}, {"required": ["file"]}]
    # What `edgesim partition` trains needs no cluster yet.
    needed = [key for key in made["required"] if key != "model"]
    made["required"] = ["model"]
    made["if"] = {"properties": {"model": {"required": ["training"]}}}
    made["else"] = {"required": needed}
    made["title"] = "edgesim scenario"
    made["examples"] = [EXAMPLE]
    found: Schema = tidied(made)
    # Once each: they are long, and many keys have one.
    for dimension in units.DIMENSIONS:
        pattern = {"type": "string", "pattern": _pattern(dimension)}
        found["$defs"][f"text-{dimension}"] = pattern
    return {"$schema": DIALECT, **_without_copies(found)}


def _without_copies(root: Schema) -> Schema:
    """Return the schema with one definition in the place of several that are the same."""
    while True:
        first: dict[str, str] = {}
        same: dict[str, str] = {}
        # Kinds of devices keep their names; parts of a kind have a point in theirs.
        for name, one in sorted(root["$defs"].items(), key=lambda item: "." in item[0]):
            kept = first.setdefault(json.dumps(one, sort_keys=True), name)
            if kept != name:
                same[f"#/$defs/{name}"] = f"#/$defs/{kept}"
        if not same:
            return root
        root = _referring(root, same)
        root["$defs"] = {
            name: one for name, one in root["$defs"].items() if f"#/$defs/{name}" not in same
        }


def _referring(node: Any, renamed: dict[str, str]) -> Any:
    """Return a schema that refers to definitions by their new names."""
    if isinstance(node, list):
        return [_referring(one, renamed) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: renamed.get(one, one) if key == "$ref" else _referring(one, renamed)
        for key, one in node.items()
    }


def _devices(definitions: Schema) -> Schema:
    """Return the schema of a device: a name of the catalog, or inline as one of the kinds."""
    inline = []
    for name in catalog.kind_names():
        template = f"#/$defs/{name}.{{model}}"
        one = adapter(catalog.kind(name)).json_schema(by_alias=True, ref_template=template)
        for inner, definition in one.pop("$defs", {}).items():
            definitions[f"{name}.{inner}"] = definition
        for last in ("source", "published"):
            one["properties"][last] = one["properties"].pop(last)
        if name != "processor":
            # Without a kind, a device is a processor.
            one.setdefault("required", []).append("kind")
        definitions[name] = one
        inline.append({"$ref": f"#/$defs/{name}"})
    definitions["Amended"] = _amended()
    definitions["DeviceName"] = {"type": "string", "enum": list(catalog.names())}
    return {
        "title": "Device",
        "description": "name in the catalog (`edgesim devices` lists them), file of a device "
        "(`edgesim profile` writes them), an inline device, or one of the catalog with changes",
        "anyOf": [*_named(), *inline, {"$ref": "#/$defs/Amended"}],
        "examples": [
            "raspberry-pi-4b",
            {"peak": {"fp32": "48 GFLOP/s"}, "cores": 4},
            {"base": "raspberry-pi-4b", "clock": "1.8 GHz"},
        ],
    }


def _amended() -> Schema:
    """Return the schema of a device of the catalog with changes, whose keys are its kind's."""
    return {
        "type": "object",
        "description": "A device of the catalog; every key beside `base` replaces the device's.",
        "properties": {
            "base": {
                "$ref": "#/$defs/DeviceName",
                "description": "name of the device that is changed",
            },
            "clock": {
                "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}],
                "examples": [units.EXAMPLES["rate"]],
                "description": "clock of the processor, within those that times are published "
                "at: arithmetic and launches follow it, memory does not",
            },
        },
        "required": ["base"],
    }


def _named() -> list[Schema]:
    """Return what a text that stands for a device may be."""
    return [
        {"$ref": "#/$defs/DeviceName"},
        {"type": "string", "pattern": r"/|\.ya?ml$"},
    ]


def _or_short(definitions: Schema, name: str) -> None:
    """Allow the short form of a section: its first key's value alone."""
    whole = definitions[name]
    first = next(iter(whole["properties"].values()))
    short = {key: first[key] for key in ("type", "enum") if key in first}
    if "x-device" in first:
        short = {"anyOf": _named()}
    definitions[name] = {
        "title": whole.pop("title").removesuffix("Spec"),
        "description": whole.pop("description"),
        "anyOf": [short, whole],
    }


def _model(definitions: Schema) -> None:
    section = definitions["ModelSpec"]
    whole = adapter(recipe.Recipe).json_schema(ref_template="#/$defs/{model}")
    definitions |= {**whole.pop("$defs"), "Recipe": whole}
    for name, one in vars(recipe).items():
        if name in definitions:
            describe(definitions[name], one)
    training = section["properties"]["training"]
    section["properties"]["training"] = {
        "$ref": "#/$defs/Recipe", "description": training["description"]
    }  # fmt: skip
    section["properties"]["name"]["enum"] = zoo.names()
    section["oneOf"] = [{"required": [key]} for key in (*SOURCES, "artifact", "training", "tasks")]
    section["dependentRequired"] = {"transfers": ["tasks"]}
    every = dict.fromkeys((*BUILD_OPTIONS, "arguments", "input"))
    fixed = _without((*every, "up_to", "compress"))
    section["dependentSchemas"] = {"tasks": fixed, "artifact": fixed} | {
        kind: _without([key for key in every if key not in source.takes])
        for kind, source in SOURCES.items()
    }


def _placement(section: Schema) -> None:
    section["properties"]["strategy"]["enum"] = strategy_names()
    kinds = {name: _section(keys) for name, keys in keys_by_strategy().items()}
    section["allOf"] = _by_kind(section, "strategy", kinds)


def _traffic(definitions: Schema) -> None:
    section = definitions["TrafficSpec"]
    kinds = {name: _section(process(name)) for name in sorted(ARRIVALS.names())}
    for one in kinds.values():
        definitions |= one.pop("$defs", {})
    kinds["trace"]["oneOf"] = [{"required": ["times"]}, {"required": ["file"]}]
    section["properties"]["arrivals"]["enum"] = list(kinds)
    section["allOf"] = _by_kind(section, "arrivals", kinds)


def _section(keys: type) -> Schema:
    found: Schema = adapter(keys).json_schema(by_alias=True)
    return found


def _by_kind(section: Schema, key: str, kinds: dict[str, Schema]) -> list[Schema]:
    """Add the keys of all kinds to a section; return the rules where ``key`` names each kind."""
    properties = section["properties"]
    for own in kinds.values():
        own["properties"].pop(key, None)
        for name, one in own["properties"].items():
            owners = [kind for kind, other in kinds.items() if name in other["properties"]]
            if "const" not in one and name not in properties:
                few = 2 * len(owners) <= len(kinds)
                start = f"{', '.join(owners)}: " if few else ""
                properties[name] = {**one, "description": f"{start}{one.get('description', '')}"}
    rules: Schema = {}
    for kind, own in kinds.items():
        mine = own["properties"]
        allowed = {
            name: {"const": mine[name]["const"]} if "const" in mine.get(name, ()) else name in mine
            for name in properties
        }
        rules[kind] = {
            "properties": {**allowed, key: True},
            "additionalProperties": False,
        }
        rules[kind] |= {word: own[word] for word in ("required", "oneOf") if word in own}
    return _by_value(key, rules)


def _network(section: Schema) -> None:
    section["oneOf"] = [{"required": [key]} for key in ("switch", "wifi", "links")]
    section["dependentRequired"] = {"routes": ["links"]}


def _faults(section: Schema) -> None:
    section["oneOf"] = [{"required": ["mtbf", "mttr"]}, {"required": ["schedule"]}]
    section["dependentRequired"] = {
        "mtbf": ["mttr"],
        "mttr": ["mtbf"],
        "shape": ["mtbf"],
        "repair_shape": ["mtbf"],
    }


def _fault(section: Schema) -> None:
    rules = {}
    for kind in FaultKind:
        target = "link" if kind in OF_LINKS else "node"
        foreign = [key for other, keys in KEYS_OF_FAULTS.items() if other != kind for key in keys]
        foreign.append("node" if target == "link" else "link")
        then: Schema = {"required": [target], **_without(foreign)}
        own = KEYS_OF_FAULTS.get(kind, ())
        if own[1:]:
            then["anyOf"] = [{"required": [key]} for key in own]
        else:
            then["required"] += own
        rules[kind.value] = then
    section["allOf"] = _by_value("kind", rules)


def _by_value(key: str, rules: Schema) -> list[Schema]:
    """Return the rules that apply where a key has each of some values."""
    return [
        {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": then}
        for value, then in rules.items()
    ]


def _without(keys: Iterable[str]) -> Schema:
    return {"properties": dict.fromkeys(keys, False)}


def tidied(node: Any) -> Any:
    """Return the schema with what editors need beside pydantic's, and without what they do not."""
    if isinstance(node, list):
        return [tidied(one) for one in node]
    if not isinstance(node, dict):
        return node
    if node.pop("x-device", False):
        node["$ref"] = "#/$defs/Device"
    if isinstance(node.get("title"), str):
        node["title"] = node["title"].removesuffix("Spec")
    if isinstance(node.get("description"), str):
        # The rest of a docstring is for those who read the code.
        node["description"] = node["description"].partition("\n\n")[0]
    for key, one in node.get("properties", {}).items():
        if isinstance(one, dict) and one.get("title") == key.replace("_", " ").title():
            # The key once more.
            del one["title"]
    inner = node.get("additionalProperties")
    if isinstance(inner, dict) and "$ref" in inner:
        # A mapping of things that the user names.
        node["patternProperties"] = {NAME_PATTERN: inner}
        node["additionalProperties"] = False
        node.pop("propertyNames", None)
    choices = [one for one in node.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        # A key that may be left out; editors need not offer null.
        del node["anyOf"]
        node = {**choices[0], **node}
    if "default" in node and not (_sayable(node["default"]) and _in_range(node)):
        del node["default"]
    dimension = _DIMENSIONS.get(str(node.get("examples", [""])[0]))
    if dimension is not None:
        text = {"$ref": f"#/$defs/text-{dimension}"}
        if node.get("type") == "string":
            # No bare number is a bandwidth.
            del node["type"]
            node |= text
        elif {"type": "string"} in node.get("anyOf", ()):
            node["anyOf"] = [text if one == {"type": "string"} else one for one in node["anyOf"]]
    return {key: tidied(one) for key, one in node.items()}


def _sayable(default: Any) -> bool:
    """Whether a default says something: nothing does not, nor does a memory without bounds."""
    if isinstance(default, dict):
        return all(map(_sayable, default.values()))
    return default not in (None, []) and not (isinstance(default, float) and math.isinf(default))


def _in_range(node: Schema) -> bool:
    """Whether a default is one of the values; 0 stands for a number that follows from others."""
    default = node["default"]
    return isinstance(default, bool | str | dict | list) or default >= node.get("minimum", default)


_DIMENSIONS = {example: dimension for dimension, example in units.EXAMPLES.items()}
_NUMBER = r"\+?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


def _pattern(dimension: str) -> str:
    """Return the pattern of a quantity with its unit (ECMA 262, as JSON Schema has it)."""
    known = [re.escape(unit).replace("/", "\\/") for unit in units.DIMENSIONS[dimension]]
    if dimension == "ratio":
        known.append("dB")
    optional = "" if dimension == "bandwidth" else "?"
    return rf"^\s*{_NUMBER}\s*({'|'.join(known)}){optional}\s*$"
