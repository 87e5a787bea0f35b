"""The dynamic programme against every cut on every order of nodes."""

from __future__ import annotations

import itertools
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim import api
from edgesim.common.errors import InputError, PlanError
from edgesim.graph import Graph, zoo
from edgesim.hardware import Cluster, Node
from edgesim.placement import Plan, place
from edgesim.placement.bounds import bottleneck
from edgesim.simulate import simulate
from edgesim.simulate.arrivals import Closed, SingleStream
from tests.edgesim.placement.cases import chain, joined, meshed, node, request


def brute_force(graph: Graph, nodes: list[Node], cluster: Cluster, objective: str) -> float:
    """The least objective over every ordered choice of nodes and every cut."""
    count = len(graph)
    best = inf
    for used in range(1, min(count, len(nodes)) + 1):
        for order in itertools.permutations(nodes, used):
            for inner in itertools.combinations(range(1, count), used - 1):
                bounds = (0, *inner, count)
                terms = []
                for stage, home in enumerate(order):
                    part = graph.slice(bounds[stage], bounds[stage + 1])
                    held = sum(op.params for op in part) + max(
                        graph.cut_elements[i] + graph.ops[i].output_elements
                        for i in range(bounds[stage], bounds[stage + 1])
                    )
                    if 4 * held > home.device.memory_capacity_bytes:
                        terms.append(inf)
                    terms.append(part.flop / home.device.rate)  # type: ignore[attr-defined]
                for stage, (a, b) in enumerate(itertools.pairwise(order)):
                    links = [
                        cluster.network.links[hop.link]
                        for hop in cluster.network.route(a.name, b.name) or ()
                    ]
                    size = 4 * graph.cut_elements[bounds[stage + 1]]
                    seconds = size / min(link.bandwidth_byte_s for link in links)
                    if objective == "latency":
                        seconds += sum(link.latency_s for link in links)
                    terms.append(seconds)
                best = min(best, sum(terms) if objective == "latency" else max(terms))
    return best


def reached(plan: Plan, cluster: Cluster, objective: str) -> float:
    """The objective of a plan, from the plan alone."""
    bounds = bottleneck(plan, cluster)
    if objective == "latency":
        return bounds.latency_s
    return max((*bounds.node_s.values(), *bounds.link_s.values()))


@given(
    macs=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    outputs=st.lists(st.integers(1, 40), min_size=6, max_size=6),
    rates=st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=1, max_size=3),
    objective=st.sampled_from(["latency", "bottleneck"]),
    latency=st.sampled_from([0.0, 3.0]),
    memories=st.lists(st.sampled_from([inf, 120.0, 300.0]), min_size=3, max_size=3),
)
@settings(max_examples=150)
def test_cut_is_the_best_of_all(
    macs: list[int],
    outputs: list[int],
    rates: list[float],
    objective: str,
    latency: float,
    memories: list[float],
) -> None:
    graph = chain(macs, outputs[: len(macs)])
    nodes = [node(f"n{i}", rate, memories[i]) for i, rate in enumerate(rates)]
    cluster = joined(nodes, bandwidth=4.0, latency=latency)
    best = brute_force(graph, nodes, cluster, objective)
    asked = request(graph, cluster, options={"objective": objective})
    if best == inf:
        with pytest.raises(PlanError):
            place(asked, "pipeline")
        return
    plan = place(asked, "pipeline")
    assert reached(plan, cluster, objective) == pytest.approx(best, rel=1e-9)


@given(
    macs=st.lists(st.integers(1, 50), min_size=3, max_size=5),
    bandwidths=st.lists(st.sampled_from([0.5, 2.0, 50.0]), min_size=3, max_size=3),
    objective=st.sampled_from(["latency", "bottleneck"]),
)
@settings(max_examples=60)
def test_order_of_nodes_suits_unequal_links(
    macs: list[int], bandwidths: list[float], objective: str
) -> None:
    nodes = [node(name) for name in "abc"]
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    cluster = meshed(nodes, dict(zip(pairs, bandwidths, strict=True)))
    graph = chain(macs, [7] * len(macs))
    plan = place(request(graph, cluster, options={"objective": objective}), "pipeline")
    best = brute_force(graph, nodes, cluster, objective)
    assert reached(plan, cluster, objective) == pytest.approx(best, rel=1e-9)


def test_shortcuts_travel_past_a_stage() -> None:
    # op0 feeds op1 and op3; a cut after op1 or op2 must carry op0's output too.
    from edgesim.graph import Op, OpKind

    ops = [
        Op(name=f"op{i}", kind=OpKind.LINEAR, macs=10, output_elements=n, input_elements=1)
        for i, n in enumerate((5, 2, 3, 1))
    ]
    edges = [("op0", "op1"), ("op1", "op2"), ("op2", "op3"), ("op0", "op3")]
    graph = Graph("shortcut", ops, edges, (1,))
    nodes = [node("a"), node("b")]
    cluster = joined(nodes, bandwidth=1e6)
    plan = place(request(graph, cluster), "pipeline")
    (move,) = plan.branches[0].transfers
    assert [task.graph.macs for task in plan.branches[0].tasks if task.graph] == [20, 20]
    assert move.bytes == 4 * (5 + 2)


def test_pipeline_of_a_real_model_plays_at_its_bottleneck() -> None:
    graph = zoo.build("vit_tiny_patch16_224", classes=10)
    nodes = [node(f"pi-{i}", 1e9) for i in range(4)] + [node("hub", 2e9)]
    cluster = joined(nodes, bandwidth=125e6, latency=0.25e-3)
    asked = request(graph, cluster, input_node="hub", nodes=tuple(f"pi-{i}" for i in range(4)))
    plan = place(asked, "pipeline")
    bounds = bottleneck(plan, cluster)
    # Balanced within one operator of a quarter.
    largest = max(op.flop for op in graph) / 1e9
    assert max(bounds.node_s.values()) <= graph.flop / 4e9 + largest
    traffic = Closed(requests=60, concurrency=12)
    recording = simulate(plan, cluster, traffic, seed=1)
    ends = sorted((recording.latency_s + recording.arrival_s).tolist())
    rate = 40 / (ends[59] - ends[19])
    assert rate == pytest.approx(bounds.capacity_per_s, rel=1e-6)


def test_unloaded_latency_of_a_plan_is_what_a_simulation_measures() -> None:
    graph = chain([5, 9, 2, 7], [3, 8, 1, 2])
    nodes = [node("a", 2.0), node("b", 3.0), node("hub")]
    cluster = joined(nodes, bandwidth=2.0, latency=0.5)
    asked = request(
        graph, cluster, input_node="hub", nodes=("a", "b"), options={"objective": "bottleneck"}
    )
    plan = place(asked, "pipeline")
    traffic = SingleStream(requests=3)
    recording = simulate(plan, cluster, traffic, seed=1)
    assert recording.latency_s.tolist() == pytest.approx([bottleneck(plan, cluster).latency_s] * 3)


PLANNER_DELAY = """\
name: planner-delay
model: {name: vit_tiny_patch16_224}
placement: {strategy: STRATEGY, objective: latency, input: a, nodes: [a, b]}
nodes:
  a: {device: {peak: {fp32: 10 GFLOP/s}}}
  b: {device: {peak: {fp32: 20 GFLOP/s}, messaging: {delay: 100 s}}}
network: {switch: {bandwidth: 1 Gbit/s, latency: 0 s}}
traffic: {arrivals: closed, requests: 3}
"""


@pytest.mark.parametrize("strategy", ["pipeline", "single"])
def test_the_delay_of_messages_keeps_a_plan_off_a_node(strategy: str, tmp_path: Path) -> None:
    """Planner, bounds and engine agree: b's 100 s for each message outweigh its twice the speed."""
    text = PLANNER_DELAY.replace("STRATEGY", strategy)
    if strategy == "single":
        text = text.replace("objective: latency, ", "")
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    scenario = api.load(path)
    plan = api.place(scenario)
    assert [task.node for task in plan.branches[0].tasks] == ["a"]
    alone_s = 2 * zoo.build("vit_tiny_patch16_224").macs / 10e9
    assert bottleneck(plan, scenario.cluster).latency_s == pytest.approx(alone_s, rel=1e-12)
    recording = simulate(plan, scenario.cluster, scenario.traffic, seed=1)
    assert recording.latency_s.tolist() == pytest.approx([alone_s] * 3, rel=1e-12)
    assert round(alone_s, 3) == 0.251


def test_many_kinds_of_nodes_keep_their_order() -> None:
    nodes = [node(f"n{i}", 1.0 + i) for i in range(12)]
    cluster = joined(nodes, bandwidth=1e9)
    plan = place(request(chain([10] * 30), cluster), "pipeline")
    used = [task.node for task in plan.branches[0].tasks]
    assert used == sorted(used, key=lambda name: int(name[1:]))
    bounds = bottleneck(plan, cluster)
    # Work in proportion to speed would take total / sum of rates; one operator more at most.
    assert bounds.node_s[bounds.resource] <= 600 / 78 + 20 / 6


@pytest.mark.parametrize("objective", ["throughput", "", "latancy"])
def test_unknown_objective_is_named(objective: str) -> None:
    cluster = joined([node("a")])
    with pytest.raises(InputError, match="expected one of bottleneck, latency"):
        place(request(chain([1]), cluster, options={"objective": objective}), "pipeline")


def test_misfit_counts_the_bytes_that_all_nodes_lack() -> None:
    cluster = joined([node("a", memory=100.0), node("b", memory=60.0)])
    with pytest.raises(PlanError, match=r"lack 240 bytes together.*take 400 bytes.*have 160"):
        place(request(chain([1, 1, 1, 1], params=25), cluster), "pipeline")


def test_large_models_are_cut_soon() -> None:
    graph = zoo.build("vit_large_patch16_224")
    nodes = [node(f"pi-{i}", 1e9) for i in range(8)]
    plan = place(request(graph, joined(nodes, 1e8)), "pipeline")
    assert len(plan.branches[0].tasks) == 8
