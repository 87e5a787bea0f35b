"""Bounds of plans: by hand, and never better than what a simulation measures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.hardware import Batch, Cluster, Messaging, Node
from edgesim.hardware.topology import star, wifi
from edgesim.placement import Branch, Plan, Task, Transfer, place
from edgesim.placement.bounds import bottleneck
from edgesim.simulate import simulate
from edgesim.simulate.arrivals import Closed, Offline, SingleStream
from tests.edgesim.placement.cases import chain, joined, node, request


def plan(
    tasks: list[Task], transfers: list[tuple[str | None, str | None, float]], **fields: str
) -> Plan:
    moves = tuple(Transfer(source=a, target=b, bytes=size) for a, b, size in transfers)
    branch = Branch(tasks=tuple(tasks), transfers=moves)
    return Plan(strategy="own", precision="fp32", branches=(branch,), **fields)  # type: ignore[arg-type]


def on_wifi(
    nodes: list[Node],
    bandwidth: float = 1.0,
    latency: float = 0.0,
    access_point: str = "none",
) -> Cluster:
    names = [one.name for one in nodes]
    network = wifi(names, access_point, bandwidth_byte_s=bandwidth, latency_s=latency)
    return Cluster(nodes={one.name: one for one in nodes}, network=network)


def fork() -> Plan:
    """Two equal parts on two nodes, fused on the hub where the input is."""
    tasks = [
        Task(name="p", node="a", flop=4.0),
        Task(name="q", node="b", flop=4.0),
        Task(name="f", node="hub", flop=1.0),
    ]
    moves: list[tuple[str | None, str | None, float]] = [
        (None, "p", 6.0), (None, "q", 6.0), ("p", "f", 2.0), ("q", "f", 2.0),
    ]  # fmt: skip
    return plan(tasks, moves, input_node="hub", output_node="hub")


def test_fork_on_a_star() -> None:
    bounds = bottleneck(fork(), joined([node("a"), node("b"), node("hub")], 2.0, 0.5))
    assert bounds.node_s == {"a": 4.0, "b": 4.0, "hub": 1.0}
    # Out of the hub go 12 bytes, into it 4; each part's link carries 6 in and 2 out.
    assert bounds.link_s == {"a-switch": 3.0, "b-switch": 3.0, "hub-switch": 6.0}
    assert (bounds.resource, bounds.resource_kind) == ("hub-switch", "link")
    assert bounds.capacity_per_s == pytest.approx(1 / 6)
    # Both inputs leave the hub together: 1 s of latency and 6 s for 12 bytes; 4 s of compute; then
    # 1 s and 1 s for one part's 2 bytes (the bound sees one); 1 s of fusion.
    assert bounds.latency_s == pytest.approx(1 + 6 + 4 + 1 + 1 + 1)


def test_nodes_of_one_machine_bound_each_other() -> None:
    nodes = {name: replace(node(name), host="box") for name in ("a", "b", "hub")}
    cluster = replace(joined([*nodes.values()], 200.0, 0.5), hosts={"box": 2})
    bounds = bottleneck(fork(), cluster)
    # Nine seconds of work on two cores; no node alone has more than four.
    assert (bounds.resource, bounds.resource_kind) == ("box", "host")
    assert bounds.capacity_per_s == pytest.approx(2 / 9)


def test_fork_on_one_medium() -> None:
    bounds = bottleneck(fork(), on_wifi([node("a"), node("b"), node("hub")], 2.0))
    assert bounds.link_s == {"wifi": 8.0}
    assert bounds.capacity_per_s == pytest.approx(1 / 8)
    # All the medium's 8 s, and the fusion after them; along the path alone it would be 3+4+1+1.
    assert bounds.latency_s == pytest.approx(9.0)


def test_fork_through_an_access_point() -> None:
    nodes = [node("a"), node("b"), node("hub")]
    bounds = bottleneck(fork(), on_wifi(nodes, 2.0, access_point="router"))
    # Everything crosses the air twice, and to the hub as access point once, as above.
    assert bounds.link_s == {"wifi": 16.0}
    assert bounds.latency_s == pytest.approx(17.0)
    bounds = bottleneck(fork(), on_wifi(nodes, 2.0, access_point="hub"))
    assert bounds.link_s == {"wifi": 8.0}


def test_tasks_that_share_a_node_follow_one_another() -> None:
    tasks = [Task(name="p", node="a", flop=4.0), Task(name="q", node="a", flop=5.0)]
    bounds = bottleneck(plan(tasks, []), joined([node("a")]))
    assert bounds.latency_s == 9.0
    one_core = [replace(task, cores=1) for task in tasks]
    # Side by side on two of two cores: each takes twice its time, and half of the node.
    bounds = bottleneck(plan(one_core, []), joined([node("a", cores=2)]))
    assert bounds.node_s == {"a": 9.0}
    assert bounds.latency_s == 10.0


def test_replicas_share_requests_by_their_speed() -> None:
    nodes = [node("slow", 1.0), node("fast", 3.0)]
    bounds = bottleneck(place(request(chain([6]), joined(nodes)), "replicate"), joined(nodes))
    # 12 FLOP: 12 s and 4 s; 1 in 4 and 3 in 4 of the requests; 1/12 + 1/4 = 1/3 request per s.
    assert bounds.node_s == pytest.approx({"slow": 3.0, "fast": 3.0})
    assert bounds.capacity_per_s == pytest.approx(1 / 3)
    assert bounds.latency_s == 4.0


def test_replicas_behind_one_link_are_bound_by_it() -> None:
    nodes = [node("slow", 1.0), node("fast", 3.0), node("hub")]
    cluster = joined(nodes, bandwidth=0.5)
    bounds = bottleneck(place(request(chain([6]), cluster, input_node="hub"), "replicate"), cluster)
    # 4 bytes in and 4 out of each request cross the hub's link, 8 s each.
    assert (bounds.resource, bounds.capacity_per_s) == ("hub-switch", 0.125)


def test_full_batches_count_in_the_capacity_and_the_wait_in_the_latency() -> None:
    home = replace(node("a"), batch=Batch(max=3, wait_s=0.5))
    bounds = bottleneck(place(request(chain([2]), joined([home])), "single"), joined([home]))
    # A batch of three takes twice the time of one (4 s): 8 s for 3 requests.
    assert bounds.node_s["a"] == pytest.approx(8 / 3)
    assert bounds.latency_s == 4.5


def test_node_and_link_of_one_name_are_told_apart() -> None:
    tasks = [Task(name="p", node="wifi", flop=1.0), Task(name="q", node="a", flop=1.0)]
    cluster = on_wifi([node("wifi"), node("a")], 0.25)
    bounds = bottleneck(plan(tasks, [("p", "q", 2.0)]), cluster)
    assert (bounds.resource, bounds.resource_kind) == ("wifi", "link")
    assert (bounds.node_s["wifi"], bounds.link_s["wifi"]) == (1.0, 8.0)


def test_plan_without_work_has_no_bound() -> None:
    bounds = bottleneck(plan([Task(name="p", node="a")], []), joined([node("a")]))
    assert bounds.capacity_per_s == inf
    assert bounds.latency_s == 0.0


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    nodes = []
    for index in range(draw(st.integers(1, 4))):
        messaging = Messaging(
            per_message_s=draw(st.sampled_from([0.0, 0.25])),
            per_byte_s=draw(st.sampled_from([0.0, 0.125])),
            delay_s=draw(st.sampled_from([0.0, 0.5])),
        )
        home = node(
            f"n{index}",
            draw(st.sampled_from([0.5, 1.0, 4.0])),
            cores=draw(st.sampled_from([1, 2])),
            messaging=messaging,
        )
        batch = draw(st.sampled_from([1, 1, 3]))
        wait = draw(st.sampled_from([0.0, 0.5]))
        nodes.append(replace(home, batch=Batch(max=batch, wait_s=wait)))
    names = [one.name for one in nodes]
    by_a_node = partial(wifi, access_point="n0")
    make = draw(st.sampled_from([star, wifi, partial(wifi, access_point="none"), by_a_node]))
    network = make(
        names,
        bandwidth_byte_s=draw(st.sampled_from([0.5, 3.0])),
        latency_s=draw(st.sampled_from([0.0, 0.375])),
    )
    return Cluster(nodes={one.name: one for one in nodes}, network=network)


@st.composite
def plans(draw: st.DrawFn, cluster: Cluster) -> Plan:
    names = list(cluster.nodes)
    some = st.sampled_from(names)
    count = draw(st.integers(1, 6))
    tasks = [
        Task(
            name=f"t{i}",
            node=draw(some),
            flop=draw(st.floats(0.0, 6.0)),
            cores=draw(st.sampled_from([None, 1])),
        )
        for i in range(count)
    ]
    size = st.one_of(st.just(0.0), st.floats(0.0, 6.0))
    moves: list[tuple[str | None, str | None, float]] = []
    for late in range(count):
        sources = [f"t{early}" for early in range(late) if draw(st.integers(0, 2)) == 0]
        moves += [(source, f"t{late}", draw(size)) for source in sources]
        if draw(st.booleans()):
            moves.append((None, f"t{late}", draw(size)))
    moves.append((f"t{count - 1}", None, draw(size)))
    return plan(tasks, moves, input_node=draw(some), output_node=draw(some))


@given(data=st.data())
@settings(max_examples=200)
def test_no_request_is_faster_and_no_run_is_busier_than_the_bounds(data: st.DataObject) -> None:
    cluster = data.draw(clusters())
    what = data.draw(plans(cluster))
    bounds = bottleneck(what, cluster)
    one_by_one = SingleStream(requests=2)
    alone = simulate(what, cluster, one_by_one, seed=1)
    # Sums of a few terms in another order: rounding only.
    assert (alone.latency_s >= bounds.latency_s * (1 - 1e-9)).all()
    at_once = Offline(requests=20)
    crowd = simulate(what, cluster, at_once, seed=1)
    assert 20 / bounds.capacity_per_s <= crowd.simulated_s * (1 + 1e-9)


def test_equal_parts_of_a_fork_meet_the_latency_bound() -> None:
    cluster = joined([node("a"), node("b"), node("hub")], 2.0, 0.5)
    what = fork()
    # With nothing to send back, the only contention is between the two inputs, and it is exact.
    branch = what.branches[0]
    light = tuple(replace(t, bytes=0.0) if t.target == "f" else t for t in branch.transfers)
    what = replace(what, branches=(replace(branch, transfers=light),))
    traffic = SingleStream(requests=1)
    recording = simulate(what, cluster, traffic, seed=1)
    assert recording.latency_s[0] == pytest.approx(bottleneck(what, cluster).latency_s, rel=1e-12)


def test_replicas_reach_their_capacity() -> None:
    nodes = [node("slow", 1.0), node("fast", 3.0), node("hub")]
    cluster = joined(nodes, bandwidth=100.0)
    what = place(request(chain([6]), cluster, input_node="hub"), "replicate")
    traffic = Closed(requests=400, concurrency=12)
    recording = simulate(what, cluster, traffic, seed=1)
    # Both are busy all the time but for the last requests: one execution of 12 s on the slow one
    # and its transfers, of 400 / (1/3) s.
    least_s = 400 / bottleneck(what, cluster).capacity_per_s
    assert least_s <= recording.simulated_s <= least_s + 13.0
