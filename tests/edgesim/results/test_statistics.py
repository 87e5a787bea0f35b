"""Statistics against scipy and closed forms, and confidence intervals by how often they cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgesim.results.statistics import (
    PERCENTILES,
    batch_count,
    batch_means,
    interval,
    latency_intervals,
    latency_summary,
    percentile,
    requests_for_interval,
    settled,
    t95,
)


@pytest.mark.parametrize("degrees", [*range(1, 40), 60, 99, 500, 9999])
def test_t_quantile_is_scipys(degrees: int) -> None:
    # The table has four decimals; the expansion beyond it is good to 1e-6.
    assert t95(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=6e-5)


def test_interval_of_a_mean_is_the_textbooks() -> None:
    values = [3.0, 5.0, 4.0, 8.0]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    found = interval(values)
    assert found is not None
    assert found == pytest.approx((low, high), rel=1e-4)
    assert interval([1.0]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.999]))
def test_percentile_is_the_inverse_of_the_empirical_distribution(
    values: list[float], share: float
) -> None:
    column = np.array(values)
    expected = np.quantile(column, share, method="inverted_cdf")
    assert percentile(column, share) == expected


def test_summary_of_nothing_has_no_numbers() -> None:
    assert set(latency_summary(np.array([])).values()) == {None}


def test_summary_agrees_with_numpy() -> None:
    values = np.random.default_rng(1).exponential(size=5000)
    summary = latency_summary(values)
    for name, share in PERCENTILES.items():
        assert summary[name] == np.quantile(values, share, method="inverted_cdf")
    assert summary["mean"] == pytest.approx(values.mean())
    assert summary["max"] == values.max()


def autocorrelated(seed: int, length: int, rho: float) -> np.ndarray:
    """A stationary AR(1) series of mean 0: neighbours correlate as waiting times do."""
    noise = np.random.default_rng(seed).standard_normal(length)
    series = np.empty(length)
    series[0] = noise[0] / math.sqrt(1 - rho * rho)
    for index in range(1, length):
        series[index] = rho * series[index - 1] + noise[index]
    return series


def test_batch_means_cover_the_mean_of_correlated_values() -> None:
    # 95 % of 200 intervals, within what a binomial allows at 99.9 %: 180 to 199 and more.
    covered = 0
    for seed in range(200):
        found = batch_means(autocorrelated(seed, 4000, 0.8), lambda one: float(one.mean()))
        assert found is not None
        covered += found.low <= 0.0 <= found.high
    low, high = stats.binom.interval(0.999, 200, 0.95)
    assert low <= covered <= high


def test_intervals_as_if_independent_would_not_cover() -> None:
    # What batch means are for: the naive interval of the same series covers far less.
    covered = 0
    for seed in range(100):
        values = autocorrelated(seed, 4000, 0.8)
        half = 1.96 * values.std() / math.sqrt(len(values))
        covered += abs(values.mean()) <= half
    assert covered < 70


@pytest.mark.parametrize(
    ("name", "share", "length"),
    [("p50", 0.5, 1000), ("p90", 0.9, 1000), ("p95", 0.95, 1000), ("p99", 0.99, 6000)],
)
def test_percentile_intervals_cover(name: str, share: float, length: int) -> None:
    # As few values as give an interval: batches are as short, or as few, as they ever are.
    covered = 0
    for seed in range(150):
        values = np.random.default_rng(seed).exponential(size=length)
        found = latency_intervals([values])[name]
        assert found is not None
        covered += found.low <= -math.log(1 - share) <= found.high
    assert covered >= stats.binom.ppf(0.001, 150, 0.95)


def test_intervals_are_around_what_is_reported() -> None:
    values = np.random.default_rng(3).exponential(size=4321)
    for name, found in latency_intervals([values]).items():
        if found is not None:
            reported = latency_summary(values)[name]
            assert reported == pytest.approx((found.low + found.high) / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "beyond"), [("mean", 1.0), ("p50", 0.5), ("p90", 0.1), ("p99", 0.01), ("p99.9", 0.001)]
)
def test_no_interval_without_enough_beyond_a_percentile(name: str, beyond: float) -> None:
    least = requests_for_interval(name)
    assert least == pytest.approx(50 / beyond)
    values = np.random.default_rng(0).exponential(size=least)
    assert latency_intervals([values])[name] is not None
    assert latency_intervals([values[1:]])[name] is None


def test_long_series_are_cut_into_twenty_and_short_ones_into_fewer() -> None:
    assert [batch_count(n, 0.1) for n in (499, 500, 1000, 1999, 2000, 10**6)] == [
        4, 5, 10, 19, 20, 20
    ]  # fmt: skip


def test_replications_give_intervals_over_runs() -> None:
    runs = [np.random.default_rng(seed).exponential(size=500) for seed in range(8)]
    found = latency_intervals(runs)["mean"]
    means = [run.mean() for run in runs]
    low, high = stats.t.interval(0.95, 7, loc=np.mean(means), scale=stats.sem(means))
    assert found == pytest.approx((low, high), rel=1e-4)


def waits(load: float, requests: int, seed: int, constant: str = "") -> np.ndarray:
    """Latencies of a queue with one server by Lindley's recursion; M/M/1, or with constants."""
    draw = np.random.default_rng(seed)
    gaps, services = draw.exponential(1 / load, requests), draw.exponential(1.0, requests)
    if "gaps" in constant:
        gaps = np.full(requests, 1 / load)
    if "services" in constant:
        services = np.ones(requests)
    sums = np.concatenate([[0.0], np.cumsum(services[:-1] - gaps[1:])])
    return sums - np.minimum.accumulate(sums) + services


@pytest.mark.parametrize("load", [1.05, 1.2, 2.0])
@pytest.mark.parametrize("more_s", [0.0, 100.0])
def test_a_growing_queue_did_not_settle(load: float, more_s: float) -> None:
    # A long service elsewhere, the same for all requests, must not hide a queue that grows.
    missed = sum(settled(more_s + waits(load, 5000, seed)) for seed in range(40))
    # At 5 % above capacity some runs have not grown far from their noise yet.
    assert missed <= (14 if load < 1.1 else 0)
    assert not settled(waits(load, 200, 0, "gaps and services"))


@pytest.mark.parametrize("requests", [200, 500, 1000, 5000])
@pytest.mark.parametrize("load", [0.3, 0.7, 0.9])
def test_a_stable_queue_settled(load: float, requests: int) -> None:
    wrong = sum(not settled(waits(load, requests, seed)) for seed in range(400))
    assert wrong <= 0.05 * 400
    wrong = sum(not settled(waits(load, requests, seed, "gaps")) for seed in range(100))
    assert wrong <= 0.05 * 100


@pytest.mark.parametrize("load", [0.5, 0.9, 1.0])
def test_constant_gaps_and_services_settle_up_to_full_load(load: float) -> None:
    assert settled(waits(load, 5000, 0, "gaps and services"))
    # Sums of thirds of a second are not exact: the rounding must not look like growth.
    assert settled(7.0 + np.cumsum(np.full(5000, 1e-13)))


def test_latencies_that_a_deadline_bounds_settled() -> None:
    # Twice the load, and nobody waits for more than 50: the queue grows, then stays.
    latencies = np.minimum(waits(2.0, 5000, 0), 50.0)
    assert settled(latencies)
    assert not settled(latencies[:200] + np.arange(200))
