"""Nothing is lost or made: properties over random clusters, plans, traffic and faults."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.hardware import Cluster, Faults, Link, Messaging, Node, Outage, Power, Queue
from edgesim.placement.plan import Plan, Task
from edgesim.simulate import Outcome, Traffic
from edgesim.simulate.arrivals import (
    Closed,
    MultiStream,
    Offline,
    Periodic,
    Poisson,
    Server,
    SingleStream,
    Trace,
)  # fmt: skip
from tests.edgesim.simulate.models import Flops, cluster, link, node, plan, play, task

seconds = st.floats(0.0, 4.0, allow_nan=False)
positive = st.floats(0.05, 8.0, allow_nan=False)


PLAIN = [Queue(), Queue(order="priority"), Queue(order="edf")]
DROPPING = [
    *PLAIN,
    Queue(limit=1),
    Queue(order="priority", limit=2),
    Queue(limit=2, full="drop-oldest"),
    Queue(order="edf", limit=1, full="drop-oldest", skip_late=True),
    Queue(full="keep-latest"),
    Queue(full="keep-latest", skip_late=True),
    Queue(order="edf", skip_late=True),
]


@st.composite
def nodes(draw: st.DrawFn, name: str, faulty: bool) -> Node:
    idle = draw(st.floats(0.0, 3.0))
    cores = draw(st.sampled_from([1, 1, 2, 4]))
    power = Power(
        idle_w=idle,
        busy_w=idle + draw(positive),
        sending_w=draw(st.one_of(st.none(), st.just(idle + 0.5))),
        receiving_w=draw(st.one_of(st.none(), st.just(idle + 0.25))),
    )
    messaging = Messaging(per_message_s=draw(st.sampled_from([0.0, 0.125])))
    faults = None
    if faulty and draw(st.booleans()):
        faults = Faults(
            mtbf_s=draw(st.one_of(st.none(), positive)),
            mttr_s=draw(positive),
            schedule=(Outage(at_s=draw(seconds), duration_s=draw(seconds)),),
        )
    batch = draw(st.sampled_from([1, 1, 3]))
    return node(
        name,
        device=Flops(cores=cores, rate=draw(positive), power=power, messaging=messaging),
        queue=draw(st.sampled_from(DROPPING if faulty else PLAIN)),
        batch_max=batch,
        batch_wait_s=draw(st.sampled_from([0.0, 0.5])),
        variability=draw(st.sampled_from(["none", "exponential"])),
        faults=faults,
    )


@st.composite
def tasks(draw: st.DrawFn, name: str, where: list[Node]) -> Task:
    home = draw(st.sampled_from(where))
    cores = draw(st.sampled_from([None, 1]))
    options = {"priority": draw(st.integers(0, 2)), "optional": draw(st.booleans())}
    kind = draw(st.sampled_from(["compute", "fusion"]))
    return task(name, home.name, draw(seconds), cores=cores, kind=kind, **options)


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    count = draw(st.integers(1, 25))
    times = tuple(sorted(draw(st.lists(seconds, min_size=count, max_size=count))))
    rate, samples = draw(positive), draw(st.sampled_from([1, 1, 8]))
    every: list[Traffic] = [
        Closed(requests=count, concurrency=draw(st.integers(1, 5)), samples=samples),
        Poisson(requests=count, rate_per_s=rate, samples=samples),
        Periodic(requests=count, rate_per_s=rate, samples=samples),
        Trace(requests=count, times_s=times, samples=samples),
        SingleStream(requests=count),
        MultiStream(requests=count),
        Server(requests=count, rate_per_s=rate, latency_bound_s=1.0),
        Offline(requests=count),
    ]
    deadline_s = draw(st.one_of(st.none(), positive))
    return replace(draw(st.sampled_from(every)), deadline_s=deadline_s)


@st.composite
def systems(draw: st.DrawFn, faulty: bool) -> tuple[Plan, Cluster, Traffic]:
    names = ["A", "B", "C"][: draw(st.integers(1, 3))]
    members = [draw(nodes(name, faulty)) for name in names]
    duplex = draw(st.sampled_from(["full", "half", "shared"]))
    links: list[Link] = [
        link(name, draw(positive), draw(st.sampled_from([0.0, 0.25])), duplex=duplex,
             power_w=draw(st.sampled_from([0.0, 0.5])), energy_per_byte_j=0.125)
        for name in names
    ]  # fmt: skip
    routes = {(a, b): [a, f"-{b}"] for a in names for b in names if a != b}
    work = [draw(tasks(f"t{i}", members)) for i in range(draw(st.integers(1, 5)))]
    pairs = [(a, b) for j, b in enumerate(range(len(work))) for a in range(j)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)) if pairs else []
    sizes = [draw(st.floats(0.0, 3.0)) for _ in edges]
    transfers = [(f"t{a}", f"t{b}", size) for (a, b), size in zip(edges, sizes)]
    return plan(work, transfers), cluster(members, links, routes), draw(traffics())


def hop_bytes(what: Plan, where: Cluster, samples: int) -> dict[str, float]:
    """Bytes that one request moves over each link."""
    home = {one.name: one.node for one in what.branches[0].tasks}
    carried = dict.fromkeys(where.network.links, 0.0)
    for move in what.branches[0].transfers:
        assert move.source is not None
        assert move.target is not None
        for hop in where.network.route(home[move.source], home[move.target]) or ():
            carried[hop.link] += move.bytes * samples
    return carried


@given(systems(faulty=False), st.integers(0, 3))
@settings(max_examples=150)
def test_without_faults_everything_arrives(
    system: tuple[Plan, Cluster, Traffic], seed: int
) -> None:
    what, where, traffic = system
    recording = play(what, where, traffic, seed=seed)
    assert (recording.outcome == Outcome.COMPLETED).all()
    assert len(recording.outcome) == traffic.requests
    total = sum(column for column in recording.breakdown_s.values())
    np.testing.assert_allclose(total, recording.latency_s, rtol=1e-9, atol=1e-9)
    for name, carried in hop_bytes(what, where, traffic.samples).items():
        expected = carried * traffic.requests
        assert math.isclose(recording.links[name].bytes, expected, rel_tol=1e-9, abs_tol=1e-9)
        assert recording.links[name].utilization <= 1 + 1e-9
    for name, totals in recording.nodes.items():
        assert totals.busy_s <= recording.simulated_s * (1 + 1e-9)
        power = where.nodes[name].device.power
        floor = power.idle_w * recording.simulated_s
        assert totals.energy_j >= floor * (1 - 1e-12)
    for span in recording.spans:
        assert span.end_s >= span.start_s


@given(systems(faulty=True), st.integers(0, 3))
@settings(max_examples=150)
def test_with_faults_every_request_has_one_outcome(
    system: tuple[Plan, Cluster, Traffic], seed: int
) -> None:
    what, where, traffic = system
    recording = play(what, where, traffic, seed=seed)
    assert len(recording.outcome) == traffic.requests
    assert (recording.outcome != Outcome.UNFINISHED).all()
    answered = (recording.outcome == Outcome.COMPLETED) | (recording.outcome == Outcome.DEGRADED)
    assert (np.isnan(recording.latency_s) == ~answered).all()
    limit = hop_bytes(what, where, traffic.samples)
    for name, totals in recording.links.items():
        assert totals.bytes <= limit[name] * traffic.requests * (1 + 1e-9) + 1e-9
    for name, totals in recording.nodes.items():
        assert totals.down_s <= recording.simulated_s + 1e-9
        queue = where.nodes[name].queue
        assert totals.dropped == 0 or queue.drops
        if queue.limit is not None:
            assert totals.max_queue <= queue.limit
        if queue.full == "keep-latest":
            assert totals.max_queue <= len(what.branches[0].tasks)
    # Offered are completed, degraded, dropped and failed ones, and each reason counts its own.
    dropped = int((recording.outcome == Outcome.DROPPED).sum())
    failed = int((recording.outcome == Outcome.FAILED).sum())
    assert dropped == sum(recording.dropped.values())
    if recording.faults is not None:
        assert failed == sum(recording.faults.reasons.values())
        assert sum(recording.faults.answered.values()) == int(answered.sum())
    if not any(one.queue.drops for one in where.nodes.values()):
        assert dropped == 0


@given(systems(faulty=True), st.integers(0, 3))
@settings(max_examples=60)
def test_the_same_seed_gives_the_same_bytes(
    system: tuple[Plan, Cluster, Traffic], seed: int
) -> None:
    what, where, traffic = system
    one, two = (play(what, where, traffic, seed=seed) for _ in range(2))
    assert one.latency_s.tobytes() == two.latency_s.tobytes()
    assert one.arrival_s.tobytes() == two.arrival_s.tobytes()
    assert one.spans == two.spans
    assert one.nodes == two.nodes
    assert one.links == two.links


@given(systems(faulty=False))
@settings(max_examples=60)
def test_a_node_never_runs_more_than_its_cores(system: tuple[Plan, Cluster, Traffic]) -> None:
    what, where, traffic = system
    recording = play(what, where, traffic)
    cores = {one.name: one.cores for one in what.branches[0].tasks}
    for name, member in where.nodes.items():
        whole = member.device.cores
        # Members of one batch share one execution: same task, same start, same end.
        runs = {
            (s.task, s.start_s, s.end_s) for s in recording.spans if s.node == name and not s.target
        }
        edges = sorted(
            [(start, 1, cores[t] or whole) for t, start, end in runs if end > start]
            + [(end, 0, -(cores[t] or whole)) for t, start, end in runs if end > start]
        )
        level = 0
        for (_, _, change), _ in pairwise([*edges, (math.inf, 0, 0)]):
            level += change
            assert level <= whole
