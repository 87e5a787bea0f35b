"""The study file: what may stand where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from edgesim.common.fields import UNSET, WHOLE, Count, FileName, Text, short
from edgesim.common.validation import adapter, key, spec

Seed = Annotated[StrictInt, Field(ge=0, lt=1 << 64), WHOLE]
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]
"""One text may stand for a list of it."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from one to another, both of them included.

    Attributes:
        start: first value: a number, or a quantity such as '1 W'.
        stop: last value: a number, or a quantity such as '10 W'.
        steps: number of values; without it: all whole numbers, or any number where values are
            drawn at random.
        scale: spacing of the values.
        integer: whether values are rounded to whole numbers.
    """

    start: Annotated[Any, key("from")]
    stop: Annotated[Any, key("to")]
    steps: Annotated[StrictInt, Field(ge=1, le=1_000_000_000), WHOLE] | None = None
    scale: Literal["linear", "log"] = "linear"
    integer: StrictBool = False


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Combine:
    """How axes become points.

    Attributes:
        kind: grid: every combination; zip: step by step; random: drawn at random; list: as written
            under `points`.
        count: random: number of points.
        seed: random: seed of the draws; 0 unless given.
    """

    kind: Literal["grid", "zip", "random", "list"]
    count: Count | None = None
    seed: Seed | None = None


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a search chooses points.

    Attributes:
        trials: number of points that are simulated.
        parallel: number of points that are chosen together, before the results of any is known.
        sampler: algorithm that chooses points; tpe needs fewer trials.
        seed: seed of the search; 0 unless given.
    """

    trials: Annotated[StrictInt, Field(ge=1, le=10_000_000), WHOLE] = 100
    parallel: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] = 8
    sampler: Literal["tpe", "nsga-ii"] = "tpe"
    seed: Annotated[Seed, UNSET] = 0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Optimize(Search):
    """A search: which results are to be small or large, and within which bounds.

    Attributes:
        minimize: results to be small, or axes of numbers.
        maximize: results to be large, or axes of numbers.
        subject_to: bounds such as 'latency_s.p99 < 2 s'; 'settled' for points whose queue settled.
    """

    minimize: Texts = ()
    maximize: Texts = ()
    subject_to: Texts = ()


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study of edgesim: a base scenario, axes along which it changes, results to keep.

    Attributes:
        name: name of the result folder; the file's unless given.
        base: scenario file, relative to this one; or the scenario itself.
        axes: key paths of the scenario and their values: a list, or {from, to, steps}; in a list
            of several such mappings, the axes of each go together.
        points: combine list: mappings of key paths to values, one for each point.
        combine: how axes become points; grid unless given.
        keep: results to keep: paths of summary.json, such as latency_s.p99.
        seed: seed of every point; the base's unless given.
        replications: number of replications of every point; the base's unless given.
        range: whether points have ranges of 90 % from how far their devices' predictions miss
            (range_90), which take about as long again.
        optimize: what a search looks for; all points are simulated without it.
    """

    name: FileName | None = None
    base: Any
    axes: Any = None
    points: list[Any] | None = None
    combine: Annotated[Combine, short("kind")] = Combine(kind="grid")
    keep: list[Text] | None = None
    seed: Seed | None = None
    replications: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] | None = None
    range: StrictBool = False
    optimize: Optimize | None = None


_AXES = {
    "type": "object",
    "description": "key paths of the scenario, and the values of each",
    "minProperties": 1,
    "additionalProperties": {
        "anyOf": [{"type": "array", "minItems": 1}, {"$ref": "#/$defs/Range"}],
    },
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a study file, for editors.

    Only `edgesim check` checks whether key paths and values fit the base scenario.
    """
    from edgesim.scenario.json_schema import DIALECT, tidied

    made = adapter(StudySpec).json_schema(by_alias=True)
    made["$defs"] |= {"Range": adapter(Range).json_schema(by_alias=True), "Axes": _AXES}
    properties = made["properties"]
    properties["base"]["type"] = ["string", "object"]
    axes = {"$ref": "#/$defs/Axes"}
    properties["axes"]["anyOf"] = [axes, {"type": "array", "minItems": 1, "items": axes}]
    properties["points"]["anyOf"][0]["items"] = {"type": "object", "minProperties": 1}
    combine = made["$defs"]["Combine"]
    properties["combine"] = {
        "description": properties["combine"]["description"],
        "anyOf": [{"enum": combine["properties"]["kind"]["enum"]}, {"$ref": "#/$defs/Combine"}],
    }
    for name in ("minimize", "maximize", "subject_to"):
        one = made["$defs"]["Optimize"]["properties"][name]
        one["anyOf"] = [{"type": "string"}, {"type": one.pop("type"), "items": one.pop("items")}]
    made["title"] = "edgesim study"
    return {"$schema": DIALECT, **tidied(made)}
