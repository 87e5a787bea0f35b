"""Nodes that share the cores of one machine: events by hand, and the closed form of sharing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from edgesim.hardware import Power
from edgesim.simulate import Recording
from edgesim.simulate.arrivals import Closed, Periodic, Poisson
from tests.edgesim.simulate.models import Flops, cluster, node, plan, play, task

ONCE = Closed(requests=1)
POWER = Power(idle_w=2.0, busy_w=10.0)


def spans(recording: Recording) -> list[tuple[str, float, float]]:
    return [(one.task, one.start_s, one.end_s) for one in recording.spans]


def test_two_on_one_core_take_turns() -> None:
    # Both at half rate until the shorter one has its second after two; the rest runs alone.
    where = replace(cluster([node("A", host="m"), node("B", host="m")]), hosts={"m": 1})
    found = play(plan([task("a", "A", 1.0), task("b", "B", 3.0)]), where, ONCE)
    assert spans(found) == [("a", 0.0, 2.0), ("b", 0.0, 4.0)]


def test_no_more_than_the_cores_do_not_disturb_each_other() -> None:
    where = replace(cluster([node("A", host="m"), node("B", host="m")]), hosts={"m": 2})
    found = play(plan([task("a", "A", 1.0), task("b", "B", 3.0)]), where, ONCE)
    assert spans(found) == [("a", 0.0, 1.0), ("b", 0.0, 3.0)]


def test_three_on_two_cores_run_at_two_thirds() -> None:
    nodes = [node(name, host="m") for name in "ABC"]
    where = replace(cluster(nodes), hosts={"m": 2})
    found = play(plan([task(name, name.upper(), 2.0) for name in "abc"]), where, ONCE)
    assert spans(found) == [(name, 0.0, pytest.approx(3.0)) for name in "abc"]


def test_a_node_of_its_own_is_not_disturbed() -> None:
    where = replace(cluster([node("A", host="m"), node("B", host="m"), node("C")]), hosts={"m": 1})
    tasks = [task("a", "A", 1.0), task("b", "B", 1.0), task("c", "C", 1.0)]
    assert spans(play(plan(tasks), where, ONCE))[0] == ("c", 0.0, 1.0)


def test_one_machine_draws_its_idle_power_once_and_its_work_once() -> None:
    device = Flops(power=POWER)
    nodes = [node("A", device=device, host="m"), node("B", device=device, host="m")]
    where = replace(cluster(nodes), hosts={"m": 1})
    found = play(plan([task("a", "A", 1.0), task("b", "B", 3.0)]), where, ONCE)
    # 4 s at 2 W idle, half each; 1 s and 3 s of work at 8 W above it.
    assert found.nodes["A"].energy_j == pytest.approx(4.0 + 8.0)
    assert found.nodes["B"].energy_j == pytest.approx(4.0 + 24.0)
    assert found.nodes["A"].busy_s == pytest.approx(2.0)
    assert sum(one.joules for one in found.spans) == pytest.approx(8.0 + 32.0 - 2.0)


@pytest.mark.parametrize("variability", ["none", "exponential"])
def test_mean_time_in_a_shared_processor_does_not_depend_on_the_distribution(
    variability: str,
) -> None:
    # M/G/1 processor sharing: service / (1 - load), whatever the distribution of service.
    load, replications, requests, warmup = 0.7, 10, 8_000, 2_000
    # As many may run at once as ever come: none waits, all share.
    device = Flops(cores=1000, rate=1000.0)
    nodes = [node(device=device, host="m", variability=variability)]
    where = replace(cluster(nodes), hosts={"m": 1})
    traffic = Poisson(requests=requests, rate_per_s=1.0)
    means = [
        float(
            play(
                plan([task("t", "A", load, cores=1)]),
                where,
                traffic,
                seed=3,
                replication=number,
                trace_requests=0,
            )
            .latency_s[warmup:]
            .mean()
        )
        for number in range(replications)
    ]
    half = stats.t.ppf(0.9995, replications - 1) * np.std(means, ddof=1) / math.sqrt(replications)
    expected = load / (1 - load)
    assert half < 0.15 * expected
    assert abs(np.mean(means) - expected) <= half


def test_a_crash_gives_the_cores_back() -> None:
    from edgesim.hardware import Faults, Outage

    faults = Faults(schedule=(Outage(at_s=1.0, duration_s=100.0),))
    nodes = [node("A", host="m", faults=faults), node("B", host="m")]
    where = replace(cluster(nodes), hosts={"m": 1})
    tasks = [task("a", "A", 5.0, optional=True), task("b", "B", 3.0)]
    found = play(plan(tasks), where, ONCE)
    # Half a second of b is done by then; the other 2.5 run alone.
    assert ("b", 0.0, 3.5) in spans(found)


def test_measured_times_follow_their_quantiles() -> None:
    class Spread(Flops):
        spread = (0.9, 0.95, 1.0, 1.1, 3.0)

    where = cluster([node(device=Spread(), variability="measured")])
    traffic = Periodic(requests=20_000, rate_per_s=0.01)
    found = play(plan([task("t", "A", 2.0)]), where, traffic, seed=5, trace_requests=0)
    mean = (0.9 / 2 + 0.95 + 1.0 + 1.1 + 3.0 / 2) / 4
    factors = found.latency_s / 2.0
    assert factors.mean() == pytest.approx(1.0, abs=4 * factors.std() / math.sqrt(len(factors)))
    for at, value in zip((0.25, 0.5, 0.75), (0.95, 1.0, 1.1)):
        # The order statistic's standard error: sqrt(p (1 - p) / n) over the density there.
        assert np.quantile(factors, at) == pytest.approx(value / mean, abs=0.01)
    assert factors.min() >= 0.9 / mean - 1e-9
    assert factors.max() <= 3.0 / mean + 1e-9
