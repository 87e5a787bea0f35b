"""The study file as pydantic models: what may stand where."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from edgesim.common.fields import WHOLE, Count, FileName, Text
from edgesim.scenario.fields import Strict

Seed = Annotated[StrictInt, Field(ge=0, lt=1 << 64), WHOLE]


class RangeSpec(Strict):
    """Numbers from one to another, both of them included."""

    model_config = ConfigDict(populate_by_name=True)

    start: Any = Field(alias="from", description="number, or quantity such as '1 W'")
    stop: Any = Field(alias="to", description="number, or quantity such as '10 W'")
    steps: Annotated[StrictInt, Field(ge=1, le=1_000_000_000), WHOLE] | None = Field(
        default=None,
        description="how many; without it: all whole numbers, or, drawn by chance, any number",
    )
    scale: Literal["linear", "log"] = "linear"
    integer: StrictBool = Field(default=False, description="round to whole numbers")


class CombineSpec(Strict):
    """How axes become points."""

    kind: Literal["grid", "zip", "random", "list"] = Field(
        description="every combination; step by step; by chance; as written under `points`"
    )
    count: Count | None = Field(default=None, description="random: of points")
    seed: Seed | None = Field(default=None, description="random: of the draws; 0 unless given")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


class OptimizeSpec(Strict):
    """A search: which results are to be small or large, and within which bounds."""

    minimize: list[Text] = Field(default_factory=list, description="results, or axes of numbers")
    maximize: list[Text] = Field(default_factory=list, description="results, or axes of numbers")
    subject_to: list[Text] = Field(
        default_factory=list, description="bounds such as 'latency_s.p99 < 2 s'"
    )
    trials: Annotated[StrictInt, Field(ge=1, le=10_000_000), WHOLE] = Field(
        default=100, description="points that are played"
    )
    parallel: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] = Field(
        default=8, description="trials that are asked for together, before their results are told"
    )
    sampler: Literal["tpe", "nsga-ii"] = Field(
        default="tpe", description="how points are chosen; tpe needs fewer trials"
    )
    seed: Seed | None = Field(default=None, description="of the search; 0 unless given")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        lists = ("minimize", "maximize", "subject_to")
        return {
            key: [one] if key in lists and isinstance(one, str) else one
            for key, one in value.items()
        }


class StudySpec(Strict):
    """A study of edgesim: a base scenario, axes along which it changes, results to keep."""

    name: FileName | None = Field(None, description="of results; the file's unless given")
    base: Any = Field(description="scenario file, relative to this one; or the scenario itself")
    axes: Any = Field(
        default=None,
        description="key paths of the scenario and their values: a list, or {from, to, steps}; "
        "in a list of several such mappings, the axes of each go together",
    )
    points: list[Any] | None = Field(
        default=None, description="list: mappings of key paths to values, one for each point"
    )
    combine: CombineSpec = CombineSpec(kind="grid")
    keep: list[Text] | None = Field(
        default=None, description="results: paths of summary.json, such as latency_s.p99"
    )
    seed: Seed | None = Field(default=None, description="of every point; the base's unless given")
    replications: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] | None = Field(
        default=None, description="of every point; the base's unless given"
    )
    optimize: OptimizeSpec | None = None
