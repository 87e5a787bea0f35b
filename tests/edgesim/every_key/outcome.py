"""What a scenario comes to, in numbers: what a key must move to be worth its place."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from edgesim import api
from edgesim.report import device_tables, plan_tables
from edgesim.report.folder import files_of
from edgesim.scenario import load_text
from edgesim.serve.as_served import as_served
from edgesim.serve.both.run import predict
from edgesim.simulate.recovery import Recovery

ROOT = Path(__file__).parents[3]
_ECHOES = ("name", "seed", "versions", "wall_s")
"""What a summary has of the scenario, or of the run's own time."""


@functools.cache
def numbers(text: str, settings: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the results of a scenario: summary, requests, plan as `check` tells it."""
    scenario = load_text(text, "case.yaml", settings, folder=ROOT)
    plan = api.place(scenario)
    result = api.run(scenario)
    checked = plan_tables.examine(scenario, plan).document()
    return {
        "summary": _results(result.summary),
        "requests": "".join(files_of(result)["requests.csv"]()),
        "check": {key: value for key, value in checked.items() if key not in _ECHOES},
    }


@functools.cache
def served(text: str, settings: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return what is predicted of a scenario's real nodes, whose coordinator has a cost, too."""
    scenario = load_text(text, "case.yaml", settings, folder=ROOT)
    plan = api.place(scenario)
    played = as_served(scenario, plan)
    result = predict(scenario, plan, played, Recovery(), trace_requests=0, progress=lambda *_: None)
    return {
        "summary": _results(result.summary),
        "capacity_per_s": played.bounds.capacity_per_s,
        "requests": "".join(files_of(result)["requests.csv"]()),
    }


@functools.cache
def page(text: str, settings: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the page of a scenario up to the scenario that it repeats at its end."""
    scenario = load_text(text, "case.yaml", settings, folder=ROOT)
    files = files_of(api.run(scenario))
    return {
        "figures": files["plan.json"](),
        "page": "".join(files["report.html"]()).split('id="scenario"')[0],
    }


@functools.cache
def device(text: str, settings: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return what `edgesim devices FILE` tells of the device of node ``n``."""
    scenario = load_text(text, "case.yaml", settings, folder=ROOT)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "n.yaml"
        file.write_text(json.dumps(scenario.document["nodes"]["n"]["device"]), encoding="utf-8")
        return {**device_tables.one(str(file)), "name": "n"}


@functools.cache
def optical(text: str, settings: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return `numbers`, and what `edgesim devices` tells of a layer on the accelerator ``n``."""
    scenario = load_text(text, "case.yaml", settings, folder=ROOT)
    on_light: Any = scenario.cluster.nodes["n"].device
    model = scenario.placement.model
    layer = next(op.name for op in model.graph if op.kind in on_light.kinds)
    explained = on_light.explain(model.graph, model.precision, operator=layer)
    return {**numbers(text, settings), "layer": explained.figures}


def _results(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in _ECHOES}


def moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two outcomes differ."""
    return _plain(before) != _plain(after)


def _plain(outcome: Any) -> str:
    return json.dumps(
        outcome, default=lambda one: asdict(one) if is_dataclass(one) else str(one), sort_keys=True
    )
