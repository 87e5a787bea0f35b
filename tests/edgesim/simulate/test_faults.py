"""Crash and repair: schedules as exact events, exponential times against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from edgesim.hardware import Cluster, Faults, Outage, Power
from edgesim.placement.plan import Plan
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.arrivals import Poisson, SingleStream
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

DOWN = Faults(schedule=(Outage(at_s=1.0, duration_s=2.0),))


def two_parts(**of_a: object) -> tuple[Plan, Cluster]:
    """Parts on A (1 s, optional) and B (2 s), fused on H (0.5 s); one byte takes one second."""
    where = cluster(
        [node("A", **of_a), node("B"), node("H")],
        [link("a", 1.0), link("b", 1.0)],
        {("A", "H"): ["a"], ("B", "H"): ["b"]},
    )
    what = plan(
        [
            task("a", "A", 1.0, optional=True),
            task("b", "B", 2.0),
            task("f", "H", 0.5, kind="fusion"),
        ],
        [("a", "f", 1.0), ("b", "f", 1.0)],
    )
    return what, where


def outcomes(recording: Recording) -> list[Outcome]:
    return [Outcome(value) for value in recording.outcome.tolist()]


def test_what_runs_and_waits_on_a_crashed_node_is_lost() -> None:
    where = cluster([node(faults=DOWN)])
    recording = play(plan([task("t", "A", 0.75)]), where, at(0.0, 0.5, 0.75, 2.0, 3.0))
    # 0 ends before the crash at 1 s; 1 runs and 2 waits then; 3 finds it down; 4 finds it back.
    assert outcomes(recording) == [
        Outcome.COMPLETED,
        Outcome.FAILED,
        Outcome.FAILED,
        Outcome.FAILED,
        Outcome.COMPLETED,
    ]
    assert spans(recording) == [(0, "t", 0.0, 0.75), (4, "t", 3.0, 3.75)]
    assert recording.nodes["A"].down_s == 2.0
    assert recording.nodes["A"].busy_s == 0.75 + 0.25 + 0.75
    assert np.isnan(recording.latency_s[1:4]).all()


def test_a_lost_optional_part_degrades_the_answer() -> None:
    early = Faults(schedule=(Outage(at_s=0.5, duration_s=0.25),))
    what, where = two_parts(faults=early)
    recording = play(what, where, at(0.0, 4.0))
    assert outcomes(recording) == [Outcome.DEGRADED, Outcome.COMPLETED]
    assert recording.latency_s.tolist() == [3.5, 3.5]


def test_a_part_whose_answer_is_cut_on_the_way_is_missing() -> None:
    cut = Faults(schedule=(Outage(at_s=1.5, duration_s=0.25),))
    what, where = two_parts(faults=cut)
    recording = play(what, where, at(0.0))
    assert outcomes(recording) == [Outcome.DEGRADED]
    # Half of the byte had gone.
    assert recording.links["a"].bytes == pytest.approx(0.5, rel=1e-15)


def test_a_lost_required_part_fails_the_request() -> None:
    what, where = two_parts()
    where = cluster(
        [where.nodes["A"], node("B", faults=DOWN), where.nodes["H"]],
        list(where.network.links.values()),
        {("A", "H"): ["a"], ("B", "H"): ["b"]},
    )
    assert outcomes(play(what, where, at(0.0))) == [Outcome.FAILED]


def test_a_fusion_without_any_part_fails() -> None:
    always = Faults(schedule=(Outage(at_s=0.0, duration_s=9.0),))
    where = cluster([node("A", faults=always), node("H")], [link("a", 1.0)], {("A", "H"): ["a"]})
    what = plan(
        [task("a", "A", 1.0, optional=True), task("f", "H", 1.0, kind="fusion")], [("a", "f", 1.0)]
    )
    assert outcomes(play(what, where, at(1.0))) == [Outcome.FAILED]


def test_a_lost_ending_degrades_and_without_any_the_request_fails() -> None:
    early = Faults(schedule=(Outage(at_s=0.5, duration_s=0.25),))
    tasks = [task("a", "A", 1.0, optional=True), task("b", "B", 2.0, optional=True)]
    one = play(plan(tasks), cluster([node("A", faults=early), node("B")]), at(0.0))
    assert outcomes(one) == [Outcome.DEGRADED]
    assert one.latency_s.tolist() == [2.0]
    both = cluster([node("A", faults=early), node("B", faults=early)])
    assert outcomes(play(plan(tasks), both, at(0.0))) == [Outcome.FAILED]


def test_what_had_left_before_the_crash_still_counts() -> None:
    # A sends 1 byte to B (there at 2 s) and 3 to C (cut at 2.5 s): b has run once, c never.
    cut = Faults(schedule=(Outage(at_s=2.5, duration_s=1.0),))
    where = cluster(
        [node("A", faults=cut), node("B"), node("C")],
        [link("b", 1.0), link("c", 1.0)],
        {("A", "B"): ["b"], ("A", "C"): ["c"]},
    )
    what = plan(
        [
            task("a", "A", 1.0, optional=True),
            task("b", "B", 1.0, optional=True),
            task("c", "C", 1.0, optional=True),
        ],
        [("a", "b", 1.0), ("a", "c", 3.0)],
    )
    recording = play(what, where, at(0.0))
    assert outcomes(recording) == [Outcome.DEGRADED]
    assert [row[1] for row in spans(recording)] == ["a", "a→b", "b"]
    assert recording.latency_s.tolist() == [3.0]


def test_inputs_that_a_crashed_node_held_are_gone() -> None:
    # a's byte is on H at 2 s, H is down from 2.25 to 2.5 s, b's byte would be there at 3 s.
    lapse = Faults(schedule=(Outage(at_s=2.25, duration_s=0.25),))
    what, where = two_parts()
    members = [where.nodes["A"], where.nodes["B"]]
    links = list(where.network.links.values())
    routes = {("A", "H"): ["a"], ("B", "H"): ["b"]}
    crashed = cluster([*members, node("H", faults=lapse)], links, routes)
    assert outcomes(play(what, crashed, at(0.0))) == [Outcome.FAILED]
    before = Faults(schedule=(Outage(at_s=0.5, duration_s=0.25),))
    spared = cluster([*members, node("H", faults=before)], links, routes)
    assert outcomes(play(what, spared, at(0.0))) == [Outcome.COMPLETED]


def test_replicas_avoid_the_node_that_is_down() -> None:
    ways = [plan([task("t", name, 0.5)]).branches[0] for name in ("A", "B")]
    what = Plan(strategy="replicate", precision="fp32", branches=tuple(ways))
    where = cluster([node("A", faults=DOWN), node("B")])
    recording = play(what, where, at(0.0, 1.0, 2.0, 3.0))
    assert outcomes(recording) == [Outcome.COMPLETED] * 4
    assert [span.node for span in recording.spans] == ["A", "B", "B", "A"]


def test_a_node_that_is_down_draws_nothing() -> None:
    device = Flops(power=Power(idle_w=2.0, busy_w=3.0))
    where = cluster([node(faults=DOWN, device=device)])
    recording = play(plan([task("t", "A", 1.0)]), where, at(0.0, 3.0))
    # Crash and completion meet at 1 s; the completion was scheduled later, so it is lost.
    assert recording.simulated_s == 4.0
    assert recording.nodes["A"].energy_j == 2.0 * 2.0 + 1.0 * 2.0


def test_closed_loop_goes_on_after_a_failure() -> None:
    traffic = SingleStream(requests=3)
    once = Faults(schedule=(Outage(at_s=0.5, duration_s=0.0),))
    recording = play(plan([task("t", "A", 1.0)]), cluster([node(faults=once)]), traffic)
    assert outcomes(recording) == [Outcome.FAILED, Outcome.COMPLETED, Outcome.COMPLETED]
    assert recording.arrival_s.tolist() == [0.0, 0.5, 1.5]


def test_availability_of_exponential_crash_and_repair() -> None:
    # Poisson arrivals see time averages: the share answered is mtbf / (mtbf + mttr).
    where = cluster([node(faults=Faults(mtbf_s=30.0, mttr_s=10.0))])
    traffic = Poisson(requests=5_000, rate_per_s=1.0)
    what = plan([task("t", "A", 1e-9)])
    shares = [
        float((play(what, where, traffic, replication=i).outcome == Outcome.COMPLETED).mean())
        for i in range(12)
    ]
    half = stats.t.ppf(0.9995, 11) * np.std(shares, ddof=1) / math.sqrt(12)
    assert abs(np.mean(shares) - 0.75) <= half
