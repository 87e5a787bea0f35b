"""Tiny systems whose every event is known by hand."""

from __future__ import annotations

import pytest

from edgesim.hardware import Messaging, Power, Queue
from edgesim.placement.plan import Plan
from edgesim.simulate import Outcome
from edgesim.simulate.arrivals import Closed, MultiStream, Offline, Periodic
from tests.edgesim.simulate.models import (
    Flops,
    at,
    cluster,
    link,
    node,
    plan,
    play,
    spans,
    task,
)


def test_fifo_server_serves_in_order_of_arrival() -> None:
    where = cluster([node()])
    recording = play(plan([task("t", "A", 2.0)]), where, at(0.0, 1.0, 5.0))
    assert spans(recording) == [(0, "t", 0.0, 2.0), (1, "t", 2.0, 4.0), (2, "t", 5.0, 7.0)]
    assert recording.latency_s.tolist() == [2.0, 3.0, 2.0]
    assert recording.breakdown_s["queue"].tolist() == [0.0, 1.0, 0.0]
    assert recording.breakdown_s["compute"].tolist() == [2.0, 2.0, 2.0]
    assert recording.nodes["A"].busy_s == 6.0
    assert recording.nodes["A"].max_queue == 1
    assert recording.simulated_s == 7.0


def test_two_tasks_and_a_transfer_add_up() -> None:
    # 2 s on A, latency 0.5 s, 10 bytes at 5 byte/s, 1 s on B.
    where = cluster([node("A"), node("B")], [link("l", 5.0, 0.5)], {("A", "B"): ["l"]})
    what = plan([task("a", "A", 2.0), task("b", "B", 1.0)], [("a", "b", 10.0)])
    recording = play(what, where, at(0.0))
    assert spans(recording) == [(0, "a", 0.0, 2.0), (0, "a→b", 2.0, 4.5), (0, "b", 4.5, 5.5)]
    assert recording.latency_s.tolist() == [5.5]
    assert recording.breakdown_s["compute"].tolist() == [3.0]
    assert recording.breakdown_s["transfer"].tolist() == [2.5]
    assert recording.links["l"].bytes == 10.0


def test_hand_over_within_a_node_takes_no_time() -> None:
    what = plan([task("a", "A", 2.0), task("b", "A", 1.0)], [("a", "b", 10.0)])
    recording = play(what, cluster([node("A")]), at(0.0))
    assert spans(recording) == [(0, "a", 0.0, 2.0), (0, "b", 2.0, 3.0)]


def test_zero_bytes_take_the_latency_only() -> None:
    where = cluster([node("A"), node("B")], [link("l", 5.0, 0.5)], {("A", "B"): ["l"]})
    what = plan([task("a", "A", 2.0), task("b", "B", 1.0)], [("a", "b", 0.0)])
    assert play(what, where, at(0.0)).latency_s.tolist() == [3.5]


def test_fusion_waits_for_the_slowest_part_and_follows_its_path() -> None:
    where = cluster(
        [node("A"), node("B"), node("H")],
        [link("a", 1.0, 0.25), link("b", 1.0, 0.25)],
        {("A", "H"): ["a"], ("B", "H"): ["b"]},
    )
    what = plan(
        [task("a", "A", 1.0), task("b", "B", 3.0), task("f", "H", 0.5, kind="fusion")],
        [("a", "f", 4.0), ("b", "f", 1.0)],
    )
    # a: 1 + 0.25 + 4 = 5.25 s; b: 3 + 0.25 + 1 = 4.25 s; the critical path goes through a.
    recording = play(what, where, at(0.0))
    assert recording.latency_s.tolist() == [5.75]
    parts = {name: column.tolist() for name, column in recording.breakdown_s.items()}
    assert parts == {"queue": [0.0], "compute": [1.0], "transfer": [4.25], "fusion": [0.5]}


def test_priority_node_serves_the_lower_number_first() -> None:
    where = cluster([node(queue=Queue(order="priority"))])
    what = plan([task("low", "A", 1.0, priority=5), task("high", "A", 1.0, priority=1)])
    recording = play(what, where, at(0.0, 0.5))
    assert spans(recording) == [
        (0, "low", 0.0, 1.0),
        (0, "high", 1.0, 2.0),
        (1, "high", 2.0, 3.0),
        (1, "low", 3.0, 4.0),
    ]


def test_two_cores_serve_two_one_core_tasks_at_once() -> None:
    where = cluster([node(device=Flops(cores=2, rate=2.0))])
    recording = play(plan([task("t", "A", 1.0, cores=1)]), where, at(0.0, 0.0, 0.0))
    assert spans(recording) == [(0, "t", 0.0, 1.0), (1, "t", 0.0, 1.0), (2, "t", 1.0, 2.0)]
    assert recording.nodes["A"].busy_s == 1.5


def test_nothing_overtakes_a_head_that_needs_all_cores() -> None:
    where = cluster([node(device=Flops(cores=2, rate=2.0))])
    what = plan([task("one", "A", 1.0, cores=1), task("all", "A", 2.0)])
    recording = play(what, where, at(0.0, 0.0))
    assert spans(recording) == [
        (0, "one", 0.0, 1.0),
        (0, "all", 1.0, 2.0),
        (1, "one", 2.0, 3.0),
        (1, "all", 3.0, 4.0),
    ]


def test_a_full_batch_starts_at_once_and_a_partial_one_waits() -> None:
    # Times are linear in the batch here: two requests take two seconds together.
    where = cluster([node(batch_max=2, batch_wait_s=10.0)])
    recording = play(plan([task("t", "A", 1.0)]), where, at(0.0, 0.25, 3.0))
    assert spans(recording) == [
        (0, "t", 0.25, 2.25),
        (1, "t", 0.25, 2.25),
        (2, "t", 13.0, 14.0),
    ]
    assert recording.nodes["A"].executions == 2


def test_a_busy_node_takes_what_waited_as_one_batch() -> None:
    where = cluster([node(batch_max=4)])
    recording = play(plan([task("t", "A", 1.0)]), where, at(0.0, 0.1, 0.2, 0.3))
    assert [(r, s, e) for r, _, s, e in spans(recording)] == [
        (0, 0.0, 1.0),
        (1, 1.0, 4.0),
        (2, 1.0, 4.0),
        (3, 1.0, 4.0),
    ]


def test_a_batch_holds_one_task_only() -> None:
    where = cluster([node(batch_max=4)])
    what = plan([task("a", "A", 1.0), task("b", "A", 1.0)], [("a", "b", 0.0)])
    recording = play(what, where, at(0.0, 0.5))
    assert spans(recording) == [
        (0, "a", 0.0, 1.0),
        (1, "a", 1.0, 2.0),
        # As the node comes free, the second request's b is there, too.
        (0, "b", 2.0, 4.0),
        (1, "b", 2.0, 4.0),
    ]


def test_message_software_delays_each_end() -> None:
    slow = Flops(messaging=Messaging(per_message_s=0.5, per_byte_s=0.25))
    fast = Flops(messaging=Messaging(per_message_s=0.125))
    where = cluster(
        [node("A", device=slow), node("B", device=fast)],
        [link("l", 4.0, 1.0)],
        {("A", "B"): ["l"]},
    )
    what = plan([task("a", "A", 0.0), task("b", "B", 0.0)], [("a", "b", 8.0)])
    # 0.5 + 8 x 0.25 + latency 1 + 8 / 4 + 0.125
    assert play(what, where, at(0.0)).latency_s.tolist() == [5.625]


def test_input_and_answer_travel_to_and_from_the_input_node() -> None:
    where = cluster(
        [node("H"), node("A")], [link("l", 2.0)], {("H", "A"): ["l"], ("A", "H"): ["-l"]}
    )
    what = plan(
        [task("t", "A", 1.0)],
        [(None, "t", 6.0), ("t", None, 1.0)],
        input_node="H",
        output_node="H",
    )
    recording = play(what, where, at(0.0))
    assert recording.latency_s.tolist() == [4.5]
    assert recording.links["l"].bytes == 7.0
    # The busier direction carried 6 of the 9 bytes that fit in 4.5 s.
    assert recording.links["l"].utilization == pytest.approx(6 / 9, rel=1e-15)


def test_replicas_share_by_load() -> None:
    ways = [plan([task("t", name, 4.0)]).branches[0] for name in ("A", "B")]
    what = Plan(strategy="replicate", precision="fp32", branches=tuple(ways))
    where = cluster([node("A"), node("B", device=Flops(rate=4.0))])
    recording = play(what, where, at(0.0, 0.5, 0.75, 2.5))
    # B takes 1 s, A 4 s: B is chosen while (load + 1) x 1 < (load + 1) x 4.
    assert [(s.request, s.node, s.start_s) for s in recording.spans] == [
        (0, "B", 0.0),
        (1, "B", 1.0),
        (2, "B", 2.0),
        (3, "B", 3.0),
    ]
    burst = play(what, where, at(*[0.0] * 5))
    assert sorted(s.node for s in burst.spans) == ["A", "B", "B", "B", "B"]


def test_closed_loop_keeps_its_concurrency() -> None:
    traffic = Closed(requests=5, concurrency=2)
    recording = play(plan([task("t", "A", 1.0)]), cluster([node()]), traffic)
    assert recording.arrival_s.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]
    assert recording.latency_s.tolist() == [1.0, 2.0, 2.0, 2.0, 2.0]


def test_multi_stream_sends_eight_samples_one_query_at_a_time() -> None:
    traffic = MultiStream(requests=2, samples=8)
    where = cluster([node("A"), node("B")], [link("l", 8.0)], {("A", "B"): ["l"]})
    what = plan([task("a", "A", 1.0), task("b", "B", 0.5)], [("a", "b", 2.0)])
    recording = play(what, where, traffic)
    # 8 samples: 8 s, 16 bytes in 2 s, 4 s; the second query follows the first answer.
    assert recording.arrival_s.tolist() == [0.0, 14.0]
    assert recording.latency_s.tolist() == [14.0, 14.0]


def test_offline_has_everything_at_the_start() -> None:
    traffic = Offline(requests=4)
    recording = play(plan([task("t", "A", 1.0)]), cluster([node(batch_max=2)]), traffic)
    assert recording.arrival_s.tolist() == [0.0] * 4
    assert recording.latency_s.tolist() == [2.0, 2.0, 4.0, 4.0]


def test_periodic_requests_are_evenly_spaced() -> None:
    traffic = Periodic(requests=3, rate_per_s=4.0)
    recording = play(plan([task("t", "A", 0.1)]), cluster([node()]), traffic)
    assert recording.arrival_s.tolist() == [0.0, 0.25, 0.5]


def test_energy_by_hand() -> None:
    power = Power(idle_w=2.0, busy_w=5.0, sending_w=3.0, receiving_w=2.5)
    device = Flops(power=power)
    where = cluster(
        [node("A", device=device), node("B", device=device)],
        [link("l", 5.0, 1.0, power_w=0.5, energy_per_byte_j=0.125)],
        {("A", "B"): ["l"]},
    )
    what = plan([task("a", "A", 2.0), task("b", "B", 1.0)], [("a", "b", 10.0)])
    recording = play(what, where, at(0.0))
    # 6 s in all: A busy 2 s and sends 2 s; B receives 2 s and is busy 1 s; latency counts as idle.
    assert recording.simulated_s == 6.0
    assert recording.nodes["A"].energy_j == 6 * 2.0 + 2 * 3.0 + 2 * 1.0
    assert recording.nodes["B"].energy_j == 6 * 2.0 + 1 * 3.0 + 2 * 0.5
    assert recording.links["l"].energy_j == 6 * 0.5 + 10 * 0.125
    assert [s.joules for s in recording.spans] == [10.0, 1.25, 5.0]


def test_half_the_cores_draw_half_of_what_busy_adds() -> None:
    device = Flops(cores=4, rate=4.0, power=Power(idle_w=2.0, busy_w=6.0))
    recording = play(plan([task("t", "A", 2.0, cores=2)]), cluster([node(device=device)]), at(0.0))
    assert recording.simulated_s == 1.0
    assert recording.nodes["A"].energy_j == 4.0
    assert recording.nodes["A"].busy_s == 0.5


def test_every_request_is_accounted_for() -> None:
    recording = play(plan([task("t", "A", 1.0)]), cluster([node()]), at(0.0, 0.0))
    assert recording.outcome.tolist() == [Outcome.COMPLETED, Outcome.COMPLETED]
    assert not recording.partial
