"""A cluster beside one of its own nodes, and sub-models that keep too many heads."""

from __future__ import annotations

from typing import Any

import pytest

from edgesim import api
from edgesim.placement.alone import better_alone
from edgesim.placement.class_wise import keeps_all_heads, table_of_heads
from edgesim.report import plan_tables

HEADS: dict[str, Any] = {
    "name": "class-wise-heads",
    "model": {"name": "deit_small_patch16_224", "classes": 10},
    "placement": {"strategy": "class-wise", "submodels": 5, "input": "b-0", "fusion": "b-0"},
    "nodes": {
        "a": {"device": "raspberry-pi-4b", "count": 3},
        "b": {"device": "raspberry-pi-5", "count": 3},
    },
    "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.3 ms"}},
    "traffic": {"arrivals": "periodic", "rate": "2/s", "requests": 20},
}


def pair(**more: Any) -> dict[str, Any]:
    """ResNet-18 over two nodes of plain figures: one of 10, one of 1 GFLOP/s."""
    power = {"idle": "1 W", "busy": "3 W"}
    fast = {"peak": {"fp32": "10 GFLOP/s"}, "power": power}
    slow = {"peak": {"fp32": "1 GFLOP/s"}, "power": power}
    return {
        "name": "pair",
        "model": {"name": "resnet18"},
        "placement": {
            "strategy": "pipeline",
            "objective": "bottleneck",
            "input": "fast",
            "nodes": ["fast", "slow"],
        },
        "nodes": {"fast": {"device": fast}, "slow": {"device": slow}},
        "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "1 s"}},
        "traffic": {"arrivals": "closed", "requests": 3},
        **more,
    }


def test_five_whole_models_are_told_with_what_fewer_heads_come_to() -> None:
    scenario = api.load(HEADS)
    plan = api.place(scenario)
    assert keeps_all_heads(plan)
    (warning,) = scenario.warnings_on(plan)
    assert warning.startswith("each sub-model keeps 6 of 6 heads: it is a whole model")
    rows = table_of_heads(scenario.placement)
    assert [row.heads for row in rows] == [6, 5, 4, 3, 2, 1]
    # Each is what asking for this number gives.
    for row in rows:
        asked = {**HEADS, "placement": {**HEADS["placement"], "heads": row.heads}}
        chosen = api.load(asked)
        checked = plan_tables.examine(chosen, api.place(chosen))
        assert checked.bounds.latency_s == row.latency_s
        assert checked.plan.details["part_macs"] == row.part_macs
    assert rows[0].latency_s > rows[1].latency_s > rows[-1].latency_s


def test_fewer_heads_are_of_unknown_accuracy() -> None:
    scenario = api.load({**HEADS, "placement": {**HEADS["placement"], "heads": 2}})
    sentence = "accuracy unknown: untrained shapes; `edgesim partition` trains them"
    plan = api.place(scenario)
    assert scenario.warnings_on(plan) == [sentence]
    assert sentence in api.run(scenario).summary["warnings"]
    assert plan_tables.examine(scenario, plan).document()["warnings"] == [sentence]


def test_an_artifact_s_accuracy_is_known() -> None:
    scenario = api.load(
        {
            "name": "trained",
            "model": {"artifact": "examples/fashion-2"},
            "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
            "nodes": {
                "n": {"device": "raspberry-pi-4b", "count": 2},
                "hub": {"device": "raspberry-pi-5"},
            },
            "network": {"switch": {"bandwidth": "1 Gbit/s"}},
            "traffic": {"arrivals": "closed", "requests": 2},
        }
    )
    assert scenario.warnings_on(api.place(scenario)) == []


def test_one_board_that_is_faster_and_cheaper_is_named() -> None:
    scenario = api.load(HEADS)
    result = api.run(scenario)
    first = result.summary["plan"]["alone"]["raspberry-pi-5"]
    whole = scenario.cluster.nodes["b-0"].device
    graph = scenario.placement.model.graph
    assert graph is not None
    alone_s = whole.graph_cost(graph, "fp32").time_s
    assert first["device"] == "raspberry-pi-5"
    assert first["latency_s"] == alone_s
    unloaded_s = result.summary["plan"]["unloaded_latency_s"]
    assert first["speedup"] == pytest.approx(unloaded_s / alone_s, rel=1e-12)


def test_the_energies_are_those_of_every_node_and_of_one() -> None:
    """A pipeline through a slow link: idle power of both for as long as a request takes."""
    scenario = api.load(pair())
    plan = api.place(scenario)
    bounds = plan_tables.examine(scenario, plan).bounds
    fast = better_alone(plan, scenario.placement, bounds.latency_s)[0]
    assert fast.device == "fast"
    flop = 2 * scenario.placement.model.graph.macs  # type: ignore[union-attr]
    assert fast.latency_s == pytest.approx(flop / 10e9, rel=1e-9)
    assert fast.energy_j == pytest.approx(3.0 * flop / 10e9, rel=1e-9)
    busy_s = sum(
        task.cost(scenario.cluster.nodes[task.node].device, "fp32", 1).time_s
        for task in plan.branches[0].tasks
    )
    cluster_j = 2.0 * bounds.latency_s + 2.0 * busy_s
    assert fast.energy_ratio == pytest.approx(cluster_j / fast.energy_j, rel=1e-9)


def test_one_node_is_not_compared_with_itself() -> None:
    scenario = api.load(pair(placement={"strategy": "single"}))
    assert "alone" not in api.run(scenario).summary["plan"]
