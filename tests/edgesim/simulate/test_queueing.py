"""Queues against their closed forms, inside 99.9 % intervals made from independent replications."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from edgesim.hardware import Cooling, Queue
from edgesim.simulate import Recording
from edgesim.simulate.arrivals import Poisson
from tests.edgesim.simulate.models import Flops, at, cluster, link, node, plan, play, task

REPLICATIONS = 12
REQUESTS = 20_000
WARMUP = 4_000


@dataclass(frozen=True, kw_only=True)
class Cooled(Flops):
    """A device that is slower after a rest."""

    cooling: Cooling


def interval(
    utilization: float, measure: Callable[[Recording], float], **options: object
) -> tuple[float, float]:
    """99.9 % confidence interval of a measure: wide enough that a right engine fails once in
    a thousand seeds, narrow enough (a few per cent) to catch a wrong one."""
    cores = int(options.pop("cores", 1))  # type: ignore[call-overload]
    where = cluster([node(device=Flops(cores=cores, rate=float(cores)), **options)])
    what = plan([task("t", "A", utilization * cores, cores=1)])
    traffic = Poisson(requests=REQUESTS, rate_per_s=1.0)
    means = [
        measure(play(what, where, traffic, seed=11, replication=index, trace_requests=0))
        for index in range(REPLICATIONS)
    ]
    half = stats.t.ppf(0.9995, REPLICATIONS - 1) * np.std(means, ddof=1) / math.sqrt(REPLICATIONS)
    return float(np.mean(means) - half), float(np.mean(means) + half)


def mean_wait(recording: Recording) -> float:
    return float(recording.breakdown_s["queue"][WARMUP:].mean())


@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
def test_mm1_mean_wait(load: float) -> None:
    low, high = interval(load, mean_wait, variability="exponential")
    assert low <= load * load / (1 - load) <= high


@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
def test_md1_mean_wait(load: float) -> None:
    low, high = interval(load, mean_wait)
    assert low <= load * load / (2 * (1 - load)) <= high


@pytest.mark.parametrize("cv", [0.5, 1.5])
def test_mg1_mean_wait_of_lognormal_service(cv: float) -> None:
    # Pollaczek-Khinchine: load x service x (1 + cv²) / (2 (1 - load))
    load = 0.7
    low, high = interval(load, mean_wait, variability="lognormal", cv=cv)
    assert low <= load * load * (1 + cv * cv) / (2 * (1 - load)) <= high


def test_mmc_probability_of_waiting_is_erlang_c() -> None:
    cores, load = 3, 0.8
    offered = cores * load
    terms = [offered**k / math.factorial(k) for k in range(cores)]
    last = offered**cores / math.factorial(cores) / (1 - load)
    low, high = interval(
        load,
        lambda recording: float((recording.breakdown_s["queue"][WARMUP:] > 0).mean()),
        variability="exponential",
        cores=cores,
    )
    assert low <= last / (sum(terms) + last) <= high


def test_mm1_latency_is_exponential() -> None:
    # Every quantile of the sojourn time: -ln(1 - p) x service / (1 - load).
    load = 0.8
    for probability in (0.5, 0.9, 0.99):
        low, high = interval(
            load,
            lambda recording, p=probability: float(  # type: ignore[misc]
                np.quantile(recording.latency_s[WARMUP:], p)
            ),
            variability="exponential",
        )
        assert low <= -math.log(1 - probability) * load / (1 - load) <= high


def test_utilization_is_the_offered_load() -> None:
    low, high = interval(
        0.6, lambda r: r.nodes["A"].busy_s / r.simulated_s, variability="exponential"
    )
    assert low <= 0.6 <= high


def test_little_law_holds_in_every_run() -> None:
    # Time-average number in system = arrival rate x mean latency, exactly, over a whole busy run.
    traffic = Poisson(requests=500, rate_per_s=1.0)
    where = cluster([node(variability="exponential")])
    recording = play(plan([task("t", "A", 0.9)]), where, traffic, seed=3)
    leave = recording.arrival_s + recording.latency_s
    times = np.concatenate([recording.arrival_s, leave])
    change = np.concatenate([np.ones(500), -np.ones(500)])
    order = np.argsort(times, kind="stable")
    number = np.cumsum(change[order])[:-1]
    area = float(number @ np.diff(times[order]))
    assert area == pytest.approx(float(recording.latency_s.sum()), rel=1e-12)


def test_wait_where_the_first_after_a_rest_takes_longer() -> None:
    # Welch, Operations Research 12 (1964): M/G/1 with another service S0 for who finds it idle:
    # wait = rate E[S^2] / (2 (1 - rho)) + rate (E[S0^2] - E[S^2]) / (2 (1 - rho + rate E[S0])).
    service, slower = 0.6, 1.5

    first = slower * service
    expected = service**2 / (2 * (1 - service))
    expected += (first**2 - service**2) / (2 * (1 - service + first))
    # Cold at once: who finds it idle pays in full.
    device = Cooled(cooling=Cooling(share=slower - 1, time_s=1e-9))
    where = cluster([node(device=device)])
    traffic = Poisson(requests=REQUESTS, rate_per_s=1.0)
    means = [
        mean_wait(
            play(
                plan([task("t", "A", service)]),
                where,
                traffic,
                seed=11,
                replication=index,
                trace_requests=0,
            )
        )
        for index in range(REPLICATIONS)
    ]
    half = stats.t.ppf(0.9995, REPLICATIONS - 1) * np.std(means, ddof=1) / math.sqrt(REPLICATIONS)
    assert half < 0.1 * expected
    assert abs(np.mean(means) - expected) <= half


def test_a_rest_counts_from_the_end_of_the_last_work() -> None:
    where = cluster([node(device=Cooled(cooling=Cooling(share=0.5, time_s=2.0)))])
    found = play(plan([task("t", "A", 1.0)]), where, at(0.0, 4.0, 5.0))
    second = 1 + 0.5 * (1 - math.exp(-2.5 / 2.0))
    third = 1.0  # it waits for the second: no rest
    assert found.latency_s == pytest.approx([1.5, second, 4.0 + second + third - 5.0])


def test_what_follows_at_once_is_not_cold() -> None:
    where = cluster([node(device=Cooled(cooling=Cooling(share=1.0, time_s=1e-9)))])
    found = play(plan([task("t", "A", 1.0), task("u", "A", 1.0)]), where, at(0.0, 100.0))
    # The first of two pays for the rest, the second finds everything warm.
    assert found.latency_s == pytest.approx([3.0, 3.0])


@pytest.mark.parametrize("high_first", [True, False])
def test_waits_of_two_priorities_are_cobhams(high_first: bool) -> None:
    # Non-preemptive priorities (Cobham, Operations Research 2:70, 1954): W0 / (1 - r1), and
    # W0 / ((1 - r1) (1 - r1 - r2)), with W0 = (rate E[S1^2] + rate E[S2^2]) / 2. A long random
    # delay between the two tasks of a request makes their streams independent Poisson ones.
    services = {"first": 0.3, "then": 0.5}
    order = {"first": 0, "then": 1} if high_first else {"first": 1, "then": 0}
    delay_s, cores = 1_000.0, 1_000_000
    what = plan(
        [
            task("first", "A", services["first"], priority=order["first"]),
            task("delay", "B", delay_s, cores=1),
            task("then", "A", services["then"], priority=order["then"]),
        ],
        [("first", "delay", 0.0), ("delay", "then", 0.0)],
    )
    nodes = [
        node(variability="exponential", queue=Queue(order="priority")),
        node("B", variability="exponential", device=Flops(cores=cores, rate=float(cores))),
    ]
    where = cluster(nodes, [link("l", 1.0)], {("A", "B"): ["l"], ("B", "A"): ["l"]})
    high, low = sorted(services, key=order.__getitem__)
    residual = sum(one * one for one in services.values())
    above = 1.0 - services[high]
    expected = {high: residual / above, low: residual / above / (above - services[low])}
    waits: dict[str, list[float]] = {name: [] for name in services}
    for index in range(REPLICATIONS):
        recording = play(
            what, where, Poisson(requests=REQUESTS, rate_per_s=1.0), seed=4, replication=index,
            trace_requests=REQUESTS,
        )  # fmt: skip
        ready = {("first", number): time for number, time in enumerate(recording.arrival_s)}
        ready |= {
            ("then", one.request): one.end_s for one in recording.spans if one.task == "delay"
        }
        found: dict[str, list[float]] = {name: [] for name in services}
        for one in recording.spans:
            # From the time that both streams flow to the time that the first one ends.
            if one.task in services and 5 * delay_s < one.start_s < REQUESTS - delay_s:
                found[one.task].append(one.start_s - ready[one.task, one.request])
        for name, values in found.items():
            waits[name].append(float(np.mean(values)))
    for name, means in waits.items():
        half = stats.t.ppf(0.9995, REPLICATIONS - 1) * np.std(means, ddof=1)
        assert abs(np.mean(means) - expected[name]) < half / math.sqrt(REPLICATIONS)
        assert half / math.sqrt(REPLICATIONS) < 0.2 * expected[name]
