"""The study file: what may stand where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from edgesim.common.fields import UNSET, WHOLE, Count, FileName, Text, short
from edgesim.common.validation import key, spec

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
        start: number, or quantity such as '1 W'.
        stop: number, or quantity such as '10 W'.
        steps: how many; without it: all whole numbers, or, drawn by chance, any number.
        integer: round to whole numbers.
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
        kind: every combination; step by step; by chance; as written under `points`.
        count: random: of points.
        seed: random: of the draws; 0 unless given.
    """

    kind: Literal["grid", "zip", "random", "list"]
    count: Count | None = None
    seed: Seed | None = None


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a search plays points.

    Attributes:
        trials: points that are played.
        parallel: trials that are asked for together, before their results are told.
        sampler: how points are chosen; tpe needs fewer trials.
        seed: of the search; 0 unless given.
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
        minimize: results, or axes of numbers.
        maximize: results, or axes of numbers.
        subject_to: bounds such as 'latency_s.p99 < 2 s'.
    """

    minimize: Texts = ()
    maximize: Texts = ()
    subject_to: Texts = ()


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study of edgesim: a base scenario, axes along which it changes, results to keep.

    Attributes:
        name: of results; the file's unless given.
        base: scenario file, relative to this one; or the scenario itself.
        axes: key paths of the scenario and their values: a list, or {from, to, steps}; in a list
            of several such mappings, the axes of each go together.
        points: list: mappings of key paths to values, one for each point.
        keep: results: paths of summary.json, such as latency_s.p99.
        seed: of every point; the base's unless given.
        replications: of every point; the base's unless given.
    """

    name: FileName | None = None
    base: Any
    axes: Any = None
    points: list[Any] | None = None
    combine: Annotated[Combine, short("kind")] = Combine(kind="grid")
    keep: list[Text] | None = None
    seed: Seed | None = None
    replications: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] | None = None
    optimize: Optimize | None = None
