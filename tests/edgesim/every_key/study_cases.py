"""A case for every key of a study: two studies that must not come to the same table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.edgesim.sweep.studies import FLOP, ONE_NODE, PEAK

RANDOM: Mapping[str, Any] = {
    **ONE_NODE,
    "traffic": {"arrivals": "poisson", "rate": "1/s", "requests": 5},
}
GRID: Mapping[str, Any] = {
    "base": RANDOM,
    "axes": {FLOP: ["1 GFLOP", "2 GFLOP"], PEAK: ["1 GFLOP/s", "2 GFLOP/s"]},
    "keep": ["latency_s.mean"],
}
DRAWN = {**GRID, "combine": {"kind": "random", "count": 3}}
SEARCH: Mapping[str, Any] = {
    "base": ONE_NODE,
    "axes": {
        FLOP: {"from": "1 GFLOP", "to": "9 GFLOP"},
        PEAK: {"from": "1 GFLOP/s", "to": "9 GFLOP/s"},
    },
    "keep": ["latency_s.mean", "energy_j.total"],
    "optimize": {"minimize": ["latency_s.mean"], "trials": 24, "parallel": 4},
}


def _with(study: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    key, _, rest = path.partition(".")
    return {**study, key: _with(study.get(key) or {}, rest, value) if rest else value}


def _changed(study: Mapping[str, Any], path: str, value: Any) -> tuple[Any, Any]:
    return study, _with(study, path, value)


_ON_A_BOARD: Mapping[str, Any] = {
    "base": {
        "model": {"name": "resnet18"},
        "placement": {"strategy": "single", "nodes": ["a"]},
        "nodes": {"a": {"device": "raspberry-pi-4b"}},
        "traffic": {"arrivals": "periodic", "rate": "1/s", "requests": 5},
    },
    "axes": {"traffic.requests": [5, 6]},
}


def _ranged(**changed: Any) -> dict[str, Any]:
    """Return a study along one range, ``start`` and ``stop`` as its ends."""
    given = {"start": 1e9, "stop": 4e9, "steps": 3, **changed}
    renamed = {{"start": "from", "stop": "to"}.get(key, key): one for key, one in given.items()}
    return {**GRID, "axes": {FLOP: renamed}}


CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "study.base": _changed(GRID, "base", ONE_NODE),
    "study.axes": _changed(GRID, "axes", {FLOP: ["1 GFLOP", "3 GFLOP"]}),
    "study.axes.*.from": (_ranged(), _ranged(start=2e9)),
    "study.axes.*.to": (_ranged(), _ranged(stop=3e9)),
    "study.axes.*.steps": (_ranged(), _ranged(steps=4)),
    "study.axes.*.scale": (_ranged(), _ranged(scale="log")),
    "study.axes.*.integer": (
        _ranged(steps=5, stop=2e9 + 1),
        _ranged(steps=5, stop=2e9 + 1, integer=True),
    ),
    "study.range": _changed(_ON_A_BOARD, "range", True),
    "study.points": (
        {**GRID, "axes": None, "combine": "list", "points": [{FLOP: "1 GFLOP"}]},
        {**GRID, "axes": None, "combine": "list", "points": [{FLOP: "2 GFLOP"}]},
    ),
    "study.combine.kind": _changed(GRID, "combine.kind", "zip"),
    "study.combine.count": _changed(DRAWN, "combine.count", 4),
    "study.combine.seed": _changed(DRAWN, "combine.seed", 1),
    "study.keep": _changed(GRID, "keep", ["latency_s.max"]),
    "study.seed": _changed(GRID, "seed", 3),
    "study.replications": _changed(GRID, "replications", 2),
    "study.optimize.minimize": _changed(SEARCH, "optimize.minimize", [FLOP]),
    "study.optimize.maximize": (
        SEARCH,
        {**SEARCH, "optimize": {"maximize": ["latency_s.mean"], "trials": 24, "parallel": 4}},
    ),
    "study.optimize.subject_to": _changed(SEARCH, "optimize.subject_to", ["energy_j.total > 20 J"]),
    "study.optimize.trials": _changed(SEARCH, "optimize.trials", 20),
    "study.optimize.parallel": _changed(SEARCH, "optimize.parallel", 2),
    "study.optimize.sampler": _changed(SEARCH, "optimize.sampler", "nsga-ii"),
    "study.optimize.seed": _changed(SEARCH, "optimize.seed", 1),
}
