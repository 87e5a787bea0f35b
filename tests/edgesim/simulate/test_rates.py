"""Rates that change and clients that think: hand lists, Poisson statistics, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from edgesim.simulate import Recording
from edgesim.simulate.arrivals import Closed, Periodic, Poisson, Think
from edgesim.simulate.rates import Rates, Step
from edgesim.simulate.streams import stream
from edgesim.simulate.traffic import arrival_times
from tests.edgesim.simulate.models import cluster, node, plan, play, task

DAY = Rates(
    steps=(
        Step(rate_per_s=1.0, until_s=10.0),
        Step(rate_per_s=0.0, until_s=20.0),
        Step(rate_per_s=4.0),
    )
)
"""One a second, then none, then four a second."""


def test_equal_gaps_follow_the_rate() -> None:
    found = arrival_times(Periodic(requests=15, rate_per_s=DAY), 0, 0)
    assert found is not None
    # The tenth comes when the pause ends: none comes in it.
    assert found.tolist() == [*range(10), 20.0, 20.25, 20.5, 20.75, 21.0]


def test_steps_that_repeat_begin_again() -> None:
    rates = Rates(
        steps=(Step(rate_per_s=2.0, until_s=1.0), Step(rate_per_s=1.0, until_s=3.0)), repeat=True
    )
    found = arrival_times(Periodic(requests=9, rate_per_s=rates), 0, 0)
    assert found is not None
    assert found.tolist() == [0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 6.0]
    assert rates.mean_per_s(1000) == pytest.approx(4 / 3)


def test_one_step_is_a_rate() -> None:
    one = Rates(steps=(Step(rate_per_s=3.0),))
    for kind in (Poisson, Periodic):
        steps = kind(requests=100, rate_per_s=one).times(stream(5, 0, "arrivals"))
        plain = kind(requests=100, rate_per_s=3.0).times(stream(5, 0, "arrivals"))
        assert steps == pytest.approx(plain, rel=1e-13)


def test_the_last_rate_above_zero_goes_on_where_chance_brings_more() -> None:
    rates = Rates(
        steps=(Step(rate_per_s=2.0, until_s=2.0), Step(rate_per_s=0.0, until_s=9.0)),
    )
    found = rates.times(np.array([3.0, 5.0]))
    assert found.tolist() == [1.5, 2.5]


def test_poisson_arrivals_of_a_changing_rate_are_poisson_in_each_step() -> None:
    # Counts of a hundred rounds of 50 s, 10 s and 40 s against Poisson's mean and variance, and
    # the times within the steps against the uniform ones that Poisson arrivals have.
    rates, lengths = np.array([2.0, 20.0, 0.5]), np.array([50.0, 10.0, 40.0])
    ends = np.cumsum(lengths)
    steps = [
        Step(rate_per_s=float(rate), until_s=float(end))
        for rate, end in zip(rates, ends, strict=True)
    ]
    rounds = 100
    many = 34_000
    day = Rates(steps=tuple(steps), repeat=True)
    found = arrival_times(Poisson(requests=many, rate_per_s=day), 3, 0)
    assert found is not None
    assert found[-1] > rounds * ends[-1]
    turn, within = np.divmod(found, ends[-1])
    step = np.searchsorted(ends, within, side="right")
    for index, (rate, length) in enumerate(zip(rates, lengths, strict=True)):
        mine = (step == index) & (turn < rounds)
        counts = np.bincount(turn[mine].astype(int), minlength=rounds)
        mean = rate * length
        # 99.9 % of a Poisson sum, and of its index of dispersion (chi-squared).
        low, high = stats.poisson.interval(0.999, mean * rounds)
        assert low <= counts.sum() <= high
        dispersion = (rounds - 1) * counts.var(ddof=1) / counts.mean()
        low, high = stats.chi2.interval(0.999, rounds - 1)
        assert low <= dispersion <= high
        placed = (within[mine] - (ends[index] - length)) / length
        assert stats.kstest(placed, "uniform").pvalue > 1e-3


def thinking(clients: int, think: Think, requests: int, **options: str) -> Recording:
    """Play clients that think before a node that serves one a second."""
    traffic = Closed(requests=requests, concurrency=clients, think=think)
    where = cluster([node(**options)])
    return play(plan([task("t", "A", 1.0)]), where, traffic, seed=7, trace_requests=0)


def test_two_clients_that_think_for_three_seconds() -> None:
    recording = thinking(2, Think(mean_s=3.0, distribution="fixed"), 6)
    # Both come at 3; one is served to 4, the other to 5, and each comes 3 s after its answer.
    assert recording.arrival_s.tolist() == [3.0, 3.0, 7.0, 8.0, 11.0, 12.0]
    assert recording.latency_s.tolist() == [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("clients", [1, 4, 9])
def test_clients_that_think_are_the_machine_repairman(clients: int) -> None:
    # M/M/1//N: p(n) = p(0) N! / (N - n)! (service / think)^n; throughput (1 - p(0)) / service, and
    # latency clients / throughput - think (Little). Means of blocks within 99.9 %.
    think_s = 5.0
    terms = [math.perm(clients, n) / think_s**n for n in range(clients + 1)]
    throughput = 1.0 - 1.0 / sum(terms)
    recording = thinking(clients, Think(mean_s=think_s), 60_000, variability="exponential")
    blocks = 30
    latencies = recording.latency_s.reshape(blocks, -1).mean(axis=1)
    half = stats.t.ppf(0.9995, blocks - 1) * latencies.std(ddof=1) / math.sqrt(blocks)
    assert abs(latencies.mean() - (clients / throughput - think_s)) < half < 0.2
    lengths = np.diff(recording.arrival_s[:: 60_000 // blocks])
    rates = 60_000 // blocks / lengths
    half = stats.t.ppf(0.9995, len(rates) - 1) * rates.std(ddof=1) / math.sqrt(len(rates))
    assert abs(rates.mean() - throughput) < half < 0.05
