"""Slow nodes and bad links, against hand-made event lists, ODE solvers and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from edgesim.hardware import Battery, Cluster, Exhaustion, Fault, Power, Thermal
from edgesim.simulate import Outcome
from edgesim.simulate.arrivals import Periodic
from edgesim.simulate.recovery import Recovery, Retry
from edgesim.simulate.routes import tail_s, tcp_byte_s
from edgesim.simulate.streams import stream
from tests.edgesim.simulate.models import (
    Flops,
    at,
    cluster,
    fault,
    faulty,
    link,
    node,
    plan,
    play,
    spans,
    task,
)
from tests.edgesim.simulate.test_faults import outcomes
from tests.edgesim.simulate.test_recovery import fault_events


def test_a_slow_node_takes_longer() -> None:
    # Half a second at full speed, 2 s at a quarter, the other half at full speed again.
    where = faulty(cluster([node("A")]), fault("slow", "A", 0.5, 2.0, speed=0.25))
    recording = play(plan([task("t", "A", 1.5)]), where, at(0.0))
    assert spans(recording) == [(0, "t", 0.0, 3.0)]
    assert recording.faults is not None
    assert recording.faults.nodes["A"].slow_s == 2.0


def test_joules_of_work_do_not_depend_on_its_speed() -> None:
    device = Flops(power=Power(idle_w=2.0, busy_w=5.0))
    where = faulty(cluster([node("A", device=device)]), fault("slow", "A", 0.5, 2.0, speed=0.25))
    recording = play(plan([task("t", "A", 1.5)]), where, at(0.0))
    assert recording.nodes["A"].energy_j == pytest.approx(2.0 * 3.0 + 3.0 * 1.5, rel=1e-12)


def test_a_frozen_node_keeps_what_it_has() -> None:
    where = faulty(cluster([node("A")]), fault("freeze", "A", 0.5, 2.0))
    recording = play(plan([task("t", "A", 1.0)]), where, at(0.0, 1.0))
    assert spans(recording) == [(0, "t", 0.0, 3.0), (1, "t", 3.0, 4.0)]
    assert outcomes(recording) == [Outcome.COMPLETED] * 2
    assert recording.faults is not None
    assert recording.faults.nodes["A"].down_s == 2.0


def _pair(*faults: Fault) -> Cluster:
    where = cluster([node("A"), node("B")], [link("l", 1.0)], {("A", "B"): ["l"]})
    return faulty(where, *faults)


_SEND = plan([task("a", "A", 1.0), task("b", "B", 1.0)], [("a", "b", 2.0)])


def test_what_is_on_a_cut_link_goes_on_later() -> None:
    where = _pair(fault("cut", "l", 2.0, 5.0))
    recording = play(_SEND, where, at(0.0, 2.0))
    # Half of the first is over at 2 s; from 7 s on the two share the link.
    assert spans(recording) == [
        (0, "a", 0.0, 1.0), (0, "a→b", 1.0, 9.0), (1, "a", 2.0, 3.0), (1, "a→b", 3.0, 10.0),
        (0, "b", 9.0, 10.0), (1, "b", 10.0, 11.0),
    ]  # fmt: skip
    assert recording.links["l"].bytes == 4.0
    assert recording.faults is not None
    assert recording.faults.links["l"].down_s == 5.0


def test_a_degraded_link_is_slower_and_later() -> None:
    where = _pair(fault("degrade", "l", 2.0, 8.0, bandwidth_byte_s=0.25, latency_s=0.5))
    recording = play(_SEND, where, at(0.0, 9.0))
    # A byte in 1 s, the other in 4 s; the second message leaves at 10 s, when all is well.
    assert [row for row in spans(recording) if row[1] == "a→b"] == [
        (0, "a→b", 1.0, 6.0), (1, "a→b", 10.0, 12.0),
    ]  # fmt: skip
    late = _pair(fault("degrade", "l", 0.5, 8.0, bandwidth_byte_s=None, latency_s=0.5))
    recording = play(_SEND, late, at(0.0))
    assert [row for row in spans(recording) if row[1] == "a→b"] == [(0, "a→b", 1.0, 3.5)]


def test_loss_leaves_tcp_what_its_formula_says() -> None:
    # Padhye et al. 1998 without time-outs tends to Mathis et al. 1997: S / R sqrt(3 / (2 b p)).
    rate = tcp_byte_s(1e-6, 1.0)
    assert rate == pytest.approx(1448 * math.sqrt(3 / (2 * 2 * 1e-6)), rel=1e-3)
    # By hand at 2 %, 100 ms: 0.1 sqrt(0.08 / 3) + 0.2 x 3 sqrt(0.015) x 0.02 x 1.0128.
    hand = 1448 / (0.1 * math.sqrt(0.08 / 3) + 0.2 * 3 * math.sqrt(0.015) * 0.02 * 1.0128)
    assert tcp_byte_s(0.02, 0.1) == pytest.approx(hand, rel=1e-12)
    assert tcp_byte_s(0.0, 0.1) == math.inf


def test_flows_on_a_lossy_link_are_each_held_to_that() -> None:
    flow = tcp_byte_s(0.01, 0.02)
    where = cluster(
        [node("A"), node("B")],
        [link("l", 2.5 * flow, latency=0.01, loss=0.01)],
        {("A", "B"): ["l"]},
    )
    what = plan([task("b", "B", 0.0)], [(None, "b", 10.0 * flow)], input_node="A")
    one = play(what, where, at(0.0))
    # One flow cannot fill the link, three can.
    assert one.latency_s[0] >= 10.0
    tail = one.latency_s[0] - 10.01
    assert any(tail == pytest.approx(0.2 * (2**k - 1), abs=1e-9) for k in range(6))
    three = play(what, where, at(0.0, 0.0, 0.0))
    least = 3 * 10.0 / 2.5 + 0.01
    assert three.latency_s.min() == pytest.approx(least, rel=1e-9)


def test_the_last_packet_waits_as_often_as_it_is_lost() -> None:
    generator = stream(3, 0, "tail")
    waits = np.array([tail_s(0.1, generator) for _ in range(40_000)])
    lost = waits > 0.0
    # A binomial share, five standard errors.
    assert abs(lost.mean() - 0.1) < 5 * math.sqrt(0.1 * 0.9 / 40_000)
    twice = waits > 0.3
    assert abs(twice.mean() - 0.01) < 5 * math.sqrt(0.01 * 0.99 / 40_000)
    assert set(np.round(waits[waits < 0.5], 9)) == {0.0, 0.2}


HOT = Thermal(resistance_k_w=10.0, time_constant_s=60.0, limit_c=80.0, release_c=75.0, speed=0.5)


def test_throttling_follows_its_differential_equation() -> None:
    device = Flops(power=Power(idle_w=2.0, busy_w=7.0), thermal=HOT)
    where = cluster([node("A", device=device, ambient_c=25.0)])
    recording = play(plan([task("t", "A", 400.0)]), where, at(0.0))
    switches = [(time_s, what) for time_s, _, what in fault_events(recording)]
    # The same by an integrator that finds the crossings: 60 dT/dt = 25 + 10 P - T.
    now, celsius, work, hot, expected = 0.0, 45.0, 400.0, False, []
    while work > 1e-9:
        speed = 0.5 if hot else 1.0
        watts = 2.0 + 5.0 * speed
        bound = 75.0 if hot else 80.0

        def slope(_: float, state: np.ndarray, watts: float = watts) -> list[float]:
            return [(25.0 + 10.0 * watts - state[0]) / 60.0]

        def crossing(_: float, state: np.ndarray, bound: float = bound) -> float:
            return float(state[0] - bound)

        crossing.terminal = True  # type: ignore[attr-defined]
        until = now + work / speed
        found = solve_ivp(slope, (now, until), [celsius], events=crossing, rtol=1e-11, atol=1e-11)
        work -= (found.t[-1] - now) * speed
        now = float(found.t[-1])
        if found.status == 1:
            hot = not hot
            expected.append((now, "throttle" if hot else "release"))
            # A hair on, so that the next search does not find this crossing again.
            celsius = bound + (1e-10 if hot else -1e-10)
    assert len(expected) >= 5
    assert [what for _, what in switches] == [what for _, what in expected]
    assert [time for time, _ in switches] == pytest.approx([time for time, _ in expected], rel=1e-6)
    assert recording.simulated_s == pytest.approx(now, rel=1e-6)


def test_a_hot_node_settles_where_its_heat_can_leave() -> None:
    # As the band closes, the mean power is what leads away the heat: (T - ambient) / R.
    band = Thermal(
        resistance_k_w=10.0, time_constant_s=60.0, limit_c=80.0, release_c=79.9, speed=0.3
    )
    device = Flops(power=Power(idle_w=2.0, busy_w=9.0), thermal=band)
    where = cluster([node("A", device=device, ambient_c=30.0)])
    recording = play(plan([task("t", "A", 3000.0)]), where, at(0.0))
    events = [time_s for time_s, _, what in fault_events(recording) if what == "throttle"]
    assert len(events) > 100
    # From the first throttling on; before it, full power.
    after_j = recording.nodes["A"].energy_j - 9.0 * events[0]
    settled_w = after_j / (recording.simulated_s - events[0])
    assert settled_w == pytest.approx((79.95 - 30.0) / 10.0, rel=2e-3)
    assert recording.faults is not None
    assert recording.faults.nodes["A"].hottest_c == pytest.approx(80.0, abs=1e-6)


def test_a_battery_ends_when_its_joules_are_drawn() -> None:
    device = Flops(power=Power(idle_w=1.0, busy_w=3.0))
    where = cluster([node("A", device=device, battery=Battery(capacity_j=10.0))])
    # 1 W until 2 s, 3 W for a second, 1 W until 7.5 s, 3 W: 2 + 3 + 4.5 J, and 0.5 J in 1/6 s.
    recording = play(plan([task("t", "A", 1.0)]), where, at(2.0, 7.5, 9.0))
    assert fault_events(recording) == [
        (pytest.approx(7.5 + 1 / 6, rel=1e-12), "A", "battery empty")
    ]
    assert outcomes(recording) == [Outcome.COMPLETED, Outcome.FAILED, Outcome.FAILED]
    assert recording.nodes["A"].energy_j == pytest.approx(10.0, rel=1e-12)


def test_an_empty_battery_that_is_charged_lets_its_node_start() -> None:
    device = Flops(power=Power(idle_w=2.0, busy_w=2.0))
    battery = Battery(capacity_j=10.0, charge=0.5, recharge_w=1.0, restart=0.2)
    where = cluster([node("A", device=device, battery=battery)])
    # 5 J at -1 W: empty at 5 s; 2 J at +1 W: back at 7 s; 2 J at -1 W: empty at 9 s.
    recording = play(plan([task("t", "A", 0.5)]), where, at(4.0, 6.0, 8.0))
    assert fault_events(recording) == [(5.0, "A", "battery empty"), (7.0, "A", "charged")]
    assert outcomes(recording) == [Outcome.COMPLETED, Outcome.FAILED, Outcome.COMPLETED]
    assert recording.faults is not None
    assert recording.faults.nodes["A"].charge_j == pytest.approx(0.5, rel=1e-12)


def test_a_leak_ends_a_node_after_as_many_requests_as_fit() -> None:
    # 10 bytes, of which the plan holds 4: each request leaves 1, its input is 2 while it is there.
    device = Flops(memory_capacity_bytes=10.0)
    leaky = node("B", device=device, exhaustion=Exhaustion(leak_bytes=1.0), restart_s=1.5)
    where = cluster([node("A"), leaky], [link("l", 1e9)], {("A", "B"): ["l"]})
    what = plan([task("t", "B", 0.25, memory_bytes=4.0)], [(None, "t", 2.0)], input_node="A")
    recording = play(what, where, at(*(float(second) for second in range(9))))
    # 4 + n + 2 exceeds 10 with the input of the sixth, n = 5; the seventh finds it starting.
    assert [(round(time, 6), what) for time, _, what in fault_events(recording)] == [
        (5.0, "out of memory"), (5.0, "repair"), (6.5, "up"),
    ]  # fmt: skip
    assert [int(one) for one in recording.outcome] == [1, 1, 1, 1, 1, 3, 3, 1, 1]


def test_inputs_that_wait_fill_a_memory() -> None:
    device = Flops(memory_capacity_bytes=10.0)
    small = node("B", device=device, exhaustion=Exhaustion())
    where = cluster([node("A"), small], [link("l", 1e9)], {("A", "B"): ["l"]})
    what = plan([task("t", "B", 1.0)], [(None, "t", 3.0)], input_node="A")
    three = play(what, where, at(0.0, 0.0, 0.0))
    assert outcomes(three) == [Outcome.COMPLETED] * 3
    four = play(what, where, at(0.0, 0.0, 0.0, 0.0))
    assert outcomes(four) == [Outcome.FAILED] * 4


def test_cut_links_lose_nothing_without_a_deadline_and_what_is_late_with_one() -> None:
    where = cluster([node("A"), node("B")], [link("l", 1.0)], {("A", "B"): ["l"]})
    where = faulty(where, fault("cut", "l", 10.0, 30.0))
    what = plan([task("b", "B", 0.125)], [(None, "b", 0.125)], input_node="A")
    traffic = Periodic(requests=50, rate_per_s=1.0)
    patient = play(what, where, traffic)
    assert (patient.outcome == Outcome.COMPLETED).all()
    strict = play(what, where, traffic, recovery=Recovery(deadline_s=5.0))
    # Those from 10 to 34 s are cut off for longer; that of 35 s is given up as the link is mended.
    failed = np.flatnonzero(strict.outcome == Outcome.FAILED)
    assert failed.tolist() == list(range(10, 36))
    assert strict.faults is not None
    assert strict.faults.reasons == {"deadline": 26}


def test_a_timeout_sends_the_same_again_and_counts_it_once() -> None:
    where = cluster([node("A"), node("B")], [link("l", 1.0)], {("A", "B"): ["l"]})
    where = faulty(where, fault("cut", "l", 0.0, 4.5))
    what = plan([task("b", "B", 0.25)], [(None, "b", 1.0)], input_node="A")
    retry = Retry(attempts=3, timeout_s=2.0, backoff_s=0.0, longest_s=0.0)
    recording = play(what, where, at(0.0), recovery=Recovery(retry=retry))
    # Sent at 0, 2 and 4 s; the first two are withdrawn, and the last has the link to itself.
    assert spans(recording) == [(0, "input→b", 4.0, 5.5), (0, "b", 5.5, 5.75)]
    assert recording.links["l"].bytes == 1.0
    assert recording.faults is not None
    assert (recording.faults.attempts, recording.faults.answered) == (3, {"retry": 1})
