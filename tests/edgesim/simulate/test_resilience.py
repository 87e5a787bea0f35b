"""Random faults under every policy: nothing lost, nothing twice, joules add up, availability."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw
from scipy import stats

from edgesim.hardware import Cluster, Fault, FaultKind, Faults, Power
from edgesim.placement.plan import Plan
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.arrivals import Periodic, Poisson
from edgesim.simulate.recovery import Health, Hedge, Reassign, Recovery, Retry
from tests.edgesim.simulate.models import Flops, cluster, faulty, link, node, plan, play, task

NODES = ("A", "B", "C", "H")
LINKS = tuple(f"{name}-h" for name in NODES[:3])
DEVICE = Flops(power=Power(idle_w=1.0, busy_w=3.0))


def _where(faults: list[Fault], mtbf_s: float | None) -> Cluster:
    own = None if mtbf_s is None else Faults(mtbf_s=mtbf_s, mttr_s=1.0, shape=1.5)
    nodes = [
        node(name, device=DEVICE, faults=None if name == "H" else own, restart_s=0.25)
        for name in NODES
    ]
    routes = {}
    for name, one in zip(NODES, LINKS, strict=False):
        routes["H", name], routes[name, "H"] = [one], [f"-{one}"]
        for other, two in zip(NODES, LINKS, strict=False):
            if other != name:
                routes[name, other] = [f"-{one}", two]
    where = cluster(nodes, [link(name, 4.0, latency=0.01) for name in LINKS], routes)
    return faulty(where, *faults)


PARTS = plan(
    [
        task("a", "A", 0.4, optional=True, memory_bytes=1.0),
        task("b", "B", 0.3, optional=True, memory_bytes=1.0),
        task("f", "H", 0.1, kind="fusion"),
    ],
    [(None, "a", 1.0), (None, "b", 1.0), ("a", "f", 0.5), ("b", "f", 0.5), ("f", None, 0.1)],
    input_node="H",
    output_node="H",
)
STAGES = plan(
    [task("a", "A", 0.3, memory_bytes=1.0), task("b", "B", 0.2, memory_bytes=1.0)],
    [(None, "a", 1.0), ("a", "b", 1.0), ("b", None, 0.5)],
    input_node="H",
    output_node="H",
)


@draw.composite
def _faults(make: draw.DrawFn) -> list[Fault]:
    """Up to six faults, none of which overlaps one of its kind on its target."""
    found: list[Fault] = []
    ends: dict[tuple[str, FaultKind], float] = {}
    for _ in range(make(draw.integers(0, 6))):
        kind = make(draw.sampled_from(list(FaultKind)))
        links = kind in (FaultKind.CUT, FaultKind.DEGRADE)
        target = make(draw.sampled_from(LINKS if links else NODES[:3]))
        at_s = ends.get((target, kind), 0.0) + make(draw.floats(0.01, 5.0))
        duration_s = make(draw.floats(0.01, 4.0))
        ends[target, kind] = at_s + duration_s
        found.append(
            Fault(
                at_s=at_s, duration_s=duration_s, kind=kind,
                **{"link" if links else "node": target},
                speed=make(draw.floats(0.05, 0.95)),
                bandwidth_byte_s=make(draw.none() | draw.floats(0.2, 4.0)),
                latency_s=make(draw.floats(0.0, 0.5)), loss=make(draw.sampled_from([0.0, 0.05])),
            )
        )  # fmt: skip
    return found


RECOVERIES = draw.builds(
    Recovery,
    deadline_s=draw.none() | draw.floats(0.2, 5.0),
    retry=draw.none()
    | draw.builds(
        Retry, attempts=draw.integers(1, 4), timeout_s=draw.none() | draw.floats(0.3, 3.0)
    ),
    hedge=draw.none() | draw.builds(Hedge, after_s=draw.floats(0.1, 2.0)),
    standby=draw.sampled_from([(), ("C",)]),
    reassign=draw.none() | draw.builds(Reassign, after_s=draw.floats(0.0, 1.0)),
    degrade=draw.booleans(),
    health=draw.none() | draw.builds(Health, interval_s=draw.floats(0.1, 1.0)),
)
TRAFFIC = Poisson(requests=30, rate_per_s=2.0)


@settings(max_examples=150)
@given(
    what=draw.sampled_from([PARTS, STAGES]),
    faults=_faults(),
    mtbf_s=draw.none() | draw.floats(1.0, 10.0),
    recovery=RECOVERIES,
    seed=draw.integers(0, 2**32),
)
def test_whatever_fails_every_request_ends_once_and_joules_add_up(
    what: Plan, faults: list[Fault], mtbf_s: float | None, recovery: Recovery, seed: int
) -> None:
    where = _where(faults, mtbf_s)
    recording = play(what, where, TRAFFIC, seed=seed, recovery=recovery)
    counts = Counter(recording.outcome.tolist())
    assert counts[int(Outcome.UNFINISHED)] == 0
    assert sum(counts.values()) == 30
    answered = counts[int(Outcome.COMPLETED)] + counts[int(Outcome.DEGRADED)]
    assert np.isfinite(recording.latency_s).sum() == answered
    parts = sum(recording.breakdown_s.values())
    there = np.isfinite(recording.latency_s)
    assert parts[there] == pytest.approx(recording.latency_s[there], rel=1e-9, abs=1e-12)
    if recording.faults is None:
        return
    found = recording.faults
    assert sum(found.answered.values()) == answered
    assert sum(found.reasons.values()) == 30 - answered
    assert sum(recording.missing.values()) == counts[int(Outcome.DEGRADED)]
    _joules_add_up(recording)
    again = play(what, where, TRAFFIC, seed=seed, recovery=recovery)
    assert again.latency_s.tobytes() == recording.latency_s.tobytes()
    assert again.faults == found


def _joules_add_up(recording: Recording) -> None:
    """A node draws 1 W while it has power, and 2 W more for each second of work done.

    What ran drew its node's whole power: above idle, that is used and lost joules less a watt for
    each second that something ran.
    """
    found = recording.faults
    assert found is not None
    above_j = 0.0
    for name, totals in recording.nodes.items():
        on_s = recording.simulated_s - totals.off_s
        assert totals.off_s <= found.nodes[name].down_s + 1e-9
        above_j += totals.energy_j - on_s
    busy_s = sum(totals.busy_s for totals in recording.nodes.values())
    assert above_j + busy_s == pytest.approx(found.used_j + found.lost_j, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(what=draw.sampled_from([PARTS, STAGES]), seed=draw.integers(0, 2**32))
def test_faults_that_never_come_change_no_byte(what: Plan, seed: int) -> None:
    where = _where([], None)
    never = Fault(at_s=1e9, duration_s=1.0, kind=FaultKind.CRASH, node="A")
    plain = play(what, where, TRAFFIC, seed=seed)
    ready = play(what, faulty(where, never), TRAFFIC, seed=seed)
    assert ready.latency_s.tobytes() == plain.latency_s.tobytes()
    assert ready.spans == plain.spans
    for part, column in plain.breakdown_s.items():
        assert ready.breakdown_s[part].tobytes() == column.tobytes()
    assert plain.faults is None


@pytest.mark.parametrize(("shape", "repair_shape"), [(0.7, 1.0), (2.0, 3.0)])
def test_availability_of_weibull_crash_and_repair(shape: float, repair_shape: float) -> None:
    # An alternating renewal process: the share of time up is mtbf / (mtbf + mttr).
    faults = Faults(mtbf_s=30.0, mttr_s=10.0, shape=shape, repair_shape=repair_shape)
    where = cluster([node(faults=faults)])
    traffic = Poisson(requests=5_000, rate_per_s=1.0)
    shares = []
    for replication in range(12):
        recording = play(plan([task("t", "A", 1e-9)]), where, traffic, replication=replication)
        shares.append(float((recording.outcome == Outcome.COMPLETED).mean()))
    half = stats.t.ppf(0.9995, 11) * np.std(shares, ddof=1) / math.sqrt(12)
    assert abs(np.mean(shares) - 0.75) <= half


def test_times_between_failures_are_weibull() -> None:
    faults = Faults(mtbf_s=10.0, mttr_s=0.001, shape=2.5)
    where = cluster([node(faults=faults)])
    traffic = Periodic(requests=2, rate_per_s=1 / 30_000)
    recording = play(plan([task("t", "A", 1e-9)]), where, traffic)
    assert recording.faults is not None
    events = recording.faults.events
    backs = [0.0, *(one.time_s for one in events if one.what == "repair")]
    crashes = [one.time_s for one in events if one.what == "crash"]
    gaps = np.array(crashes) - np.array(backs[: len(crashes)])
    assert len(gaps) > 2_000
    scale = 10.0 / math.gamma(1 + 1 / 2.5)
    assert stats.kstest(gaps, stats.weibull_min(2.5, scale=scale).cdf).pvalue > 0.001


def test_how_many_of_several_nodes_are_up_is_binomial() -> None:
    # Five parts, each up 3 in 4 of the time: requests lose k of them as a binomial has it.
    faults = Faults(mtbf_s=3.0, mttr_s=1.0)
    names = [f"P{number}" for number in range(5)]
    where = cluster([*(node(name, faults=faults) for name in names), node("H")])
    what = plan([*(task(name.lower(), name, 1e-9, optional=True) for name in names),
                 task("h", "H", 1e-9)])  # fmt: skip
    traffic = Poisson(requests=20_000, rate_per_s=0.2)
    recording = play(what, where, traffic)
    lost = Counter({0: int((recording.outcome == Outcome.COMPLETED).sum())})
    for parts, many in recording.missing.items():
        lost[len(parts)] += many
    assert sum(lost.values()) == 20_000
    for count in range(6):
        expected = stats.binom(5, 0.25).pmf(count)
        # Arrivals are 1.2 mean cycles apart: nearly independent; five standard errors.
        error = math.sqrt(expected * (1 - expected) / 20_000)
        assert abs(lost[count] / 20_000 - expected) < 5 * error
