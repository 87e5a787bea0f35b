"""The best cut against every cut, for devices, batches and networks of all sorts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.common.errors import PlanError
from edgesim.graph import Graph, Op, OpKind, zoo
from edgesim.hardware import Batch, Cluster, Cost, Duplex, Hop, Link, Messaging, Network, Node
from edgesim.hardware.processor import Memory, Processor
from edgesim.hardware.topology import from_links, star, wifi
from edgesim.placement import place
from edgesim.placement.bounds import bottleneck
from edgesim.placement.stage_times import stage_times
from tests.edgesim.placement.cases import chain, joined, node, request
from tests.edgesim.simulate.models import Flops


@dataclass(frozen=True, kw_only=True)
class Odd(Flops):
    """A device with a constant for each graph, and a time that is no sum over operators."""

    constant_s: float = 0.0
    power_of_flop: float = 1.0

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        time_s = self.constant_s + (graph.flop / self.rate) ** self.power_of_flop
        return Cost(time_s=time_s * (1 + (batch - 1) / 2), power_w=0.0)


def every_cut(
    graph: Graph, nodes: list[Node], cluster: Cluster, objective: str, entry: str | None
) -> float:
    """The least objective over every ordered choice of nodes and every cut."""
    best = inf
    for used in range(1, min(len(graph), len(nodes)) + 1):
        for order in itertools.permutations(nodes, used):
            for inner in itertools.combinations(range(1, len(graph)), used - 1):
                bounds = (0, *inner, len(graph))
                best = min(best, value(graph, order, bounds, cluster, objective, entry))
    return best


def value(
    graph: Graph,
    order: tuple[Node, ...],
    bounds: tuple[int, ...],
    cluster: Cluster,
    objective: str,
    entry: str | None,
) -> float:
    """The objective of one cut."""
    compute = []
    for home, (start, stop) in zip(order, itertools.pairwise(bounds), strict=True):
        part = graph.slice(start, stop)
        live = [graph.cut_elements[i] + graph.ops[i].output_elements for i in range(start, stop)]
        if 4 * (part.params + home.batch.max * max(live)) > home.device.memory_capacity_bytes:
            return inf
        batch = home.batch.max if objective == "bottleneck" else 1
        compute.append(home.device.graph_cost(part, "fp32", batch).time_s / batch)
    hands = [
        (a.name, b.name, graph.cut_elements[cut])
        for a, b, cut in zip(order, order[1:], bounds[1:], strict=False)
    ]
    if entry is not None:
        hands = [(entry, order[0].name, graph.input_elements), *hands]
        hands.append((order[-1].name, entry, graph.output_elements))
    seconds = []
    for start_name, end_name, elements in hands:
        hops = cluster.network.route(start_name, end_name)
        if hops is None:
            return inf
        if not hops:
            continue
        links = [cluster.network.links[hop.link] for hop in hops]
        flow = 4 * elements * max(links.count(one) / one.bandwidth_byte_s for one in links)
        software = [cluster.nodes[name].device.messaging for name in (start_name, end_name)]
        fixed = sum(one.per_message_s + 4 * elements * one.per_byte_s for one in software)
        fixed += sum(link.latency_s for link in links) + software[1].delay_s
        seconds.append(flow + (fixed if objective == "latency" else 0.0))
    if objective == "latency":
        waits = [home.batch.wait_s for home in order if home.batch.max > 1]
        return sum(compute) + sum(waits) + sum(seconds)
    together = all(link.duplex is Duplex.SHARED for link in cluster.network.links.values())
    return max(*compute, sum(seconds) if together else max(seconds, default=0.0), 0.0)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    nodes = []
    for index in range(draw(st.integers(1, 3))):
        device = Odd(
            rate=draw(st.sampled_from([1.0, 2.0, 5.0])),
            constant_s=draw(st.sampled_from([0.0, 0.0, 2.5])),
            power_of_flop=draw(st.sampled_from([1.0, 1.0, 0.5, 1.5])),
            memory_capacity_bytes=draw(st.sampled_from([inf, inf, 200.0, 500.0])),
            messaging=Messaging(
                per_message_s=draw(st.sampled_from([0.0, 0.75])),
                delay_s=draw(st.sampled_from([0.0, 6.0])),
            ),
        )
        batch = draw(st.sampled_from([1, 1, 4]))
        wait = draw(st.sampled_from([0.0, 1.5]))
        nodes.append(replace(node(f"n{index}"), device=device, batch=Batch(max=batch, wait_s=wait)))
    hub = node("hub", 50.0)
    names = [one.name for one in nodes] + ["hub"]
    by_the_hub = partial(wifi, access_point="hub")
    make = draw(st.sampled_from([star, wifi, partial(wifi, access_point="none"), by_the_hub]))
    network = make(
        names,
        bandwidth_byte_s=draw(st.sampled_from([1.0, 20.0])),
        latency_s=draw(st.sampled_from([0.0, 3.0])),
    )
    return Cluster(nodes={one.name: one for one in (*nodes, hub)}, network=network)


@given(
    cluster=clusters(),
    macs=st.lists(st.integers(1, 50), min_size=1, max_size=6),
    outputs=st.lists(st.integers(1, 40), min_size=6, max_size=6),
    objective=st.sampled_from(["latency", "bottleneck"]),
    entry=st.sampled_from(["hub", None]),
)
@settings(max_examples=300)
def test_best_of_every_cut(
    cluster: Cluster, macs: list[int], outputs: list[int], objective: str, entry: str | None
) -> None:
    graph = chain(macs, outputs[: len(macs)], params=2)
    names = tuple(name for name in cluster.nodes if name != "hub")
    nodes = [cluster.nodes[name] for name in names]
    asked = request(graph, cluster, nodes=names, input_node=entry, options={"objective": objective})
    best = every_cut(graph, nodes, cluster, objective, entry)
    if best == inf:
        with pytest.raises(PlanError, match=r"no cut fits|lack .* together"):
            place(asked, "pipeline")
        return
    plan = place(asked, "pipeline")
    stages = plan.branches[0].tasks
    order = tuple(cluster.nodes[task.node] for task in stages)
    bounds = (0, *itertools.accumulate(len(task.graph or ()) for task in stages))
    assert value(graph, order, bounds, cluster, objective, entry) == pytest.approx(best, rel=1e-9)


def test_pipeline_on_one_medium_adds_its_transfers_up() -> None:
    # Three nodes would take 10 s each, but two transfers of 8 s share the medium; two nodes take
    # 20 s and one transfer.
    nodes = [node(name) for name in "abc"]
    network = wifi(["a", "b", "c"], "none", bandwidth_byte_s=1.0, latency_s=0.0)
    cluster = Cluster(nodes={one.name: one for one in nodes}, network=network)
    graph = chain([5, 5, 5, 5], [3, 3, 3, 1])
    plan = place(request(graph, cluster), "pipeline")
    assert [len(task.graph or ()) for task in plan.branches[0].tasks] == [2, 2]
    bounds = bottleneck(plan, cluster)
    assert (bounds.node_s["a"], bounds.link_s["wifi"]) == (20.0, 12.0)


def test_times_of_fused_kernels_are_those_of_the_device() -> None:
    fused = frozenset({OpKind.ACTIVATION, OpKind.ELEMENTWISE, OpKind.NORM})
    device = Processor(
        name="fusing",
        peak_flop_s={"fp32": 1e9},
        launch_overhead_s=1e-3,
        memory=Memory(bandwidth_byte_s=1e9),
        fused=fused,
    )
    graph = zoo.build("resnet18")
    home = replace(node("a"), device=device)
    cuts, (times,) = stage_times(graph, [home], "fp32", full_batch=False)
    # Some cuts go through kernels, and are left out; many are left.
    assert 15 < len(cuts) < len(graph) + 1
    draw = np.random.default_rng(5)
    for _ in range(40):
        a, b = sorted(draw.choice(len(cuts), 2, replace=False))
        asked = device.graph_cost(graph.slice(int(cuts[a]), int(cuts[b])), "fp32").time_s
        assert times[a, b] == pytest.approx(asked, rel=1e-9)


def test_devices_that_fuse_over_all_cuts_are_asked_for_every_stage() -> None:
    graph = chain(list(range(1, 60)), [1 + i % 5 for i in range(59)])
    device = Odd(power_of_flop=0.5)
    home = replace(node("a"), device=device)
    cuts, (times,) = stage_times(graph, [home], "fp32", full_batch=False)
    assert cuts[0] == 0
    assert cuts[-1] == 59
    assert 20 <= len(cuts) <= 32
    for a, b in ((0, 5), (3, len(cuts) - 1), (7, 8)):
        part = graph.slice(int(cuts[a]), int(cuts[b]))
        assert times[a, b] == pytest.approx(part.flop**0.5)
    assert np.isinf(times[4, 4])


def test_no_cut_without_routes_names_the_nodes() -> None:
    graph = chain([1, 1, 1], params=25)
    nodes = [node("a", memory=250.0), node("b", memory=250.0)]
    apart = Cluster(nodes={one.name: one for one in nodes}, network=from_links(["a", "b"], []))
    with pytest.raises(PlanError, match=r"lacks 58 bytes.*; and node 'a' has no route to node 'b'"):
        place(request(graph, apart), "pipeline")
    hub = [node("a"), node("hub")]
    alone = Cluster(nodes={one.name: one for one in hub}, network=from_links(["a", "hub"], []))
    with pytest.raises(PlanError, match=r"^node 'hub' has no route to node 'a'; add a link"):
        place(request(graph, alone, input_node="hub"), "pipeline")


def test_of_many_nodes_the_roomy_ones_are_tried_where_the_first_do_not_fit() -> None:
    nodes = [node(f"n{i}", memory=8.0) for i in range(70)] + [node("big"), node("n70", memory=9.0)]
    plan = place(request(chain([5, 5], params=10), joined(nodes)), "pipeline")
    assert {task.node for task in plan.branches[0].tasks} == {"big"}


def test_one_way_routes_are_enough_for_a_pipeline_that_goes_their_way() -> None:
    link = Link(name="l", bandwidth_byte_s=1e3)
    network = Network(links={"l": link}, routes={("b", "a"): (Hop("l"),)})
    nodes = [node("a"), node("b")]
    cluster = Cluster(nodes={one.name: one for one in nodes}, network=network)
    plan = place(request(chain([5, 5]), cluster), "pipeline")
    assert [task.node for task in plan.branches[0].tasks] == ["b", "a"]


def test_operators_without_work_are_placed_too() -> None:
    ops = [Op(name=f"op{i}", kind=OpKind.MEMORY, output_elements=1) for i in range(3)]
    graph = Graph("idle", ops, [("op0", "op1"), ("op1", "op2")], (1,))
    plan = place(request(graph, joined([node("a"), node("b")])), "pipeline")
    assert sum(len(task.graph or ()) for task in plan.branches[0].tasks) == 3
