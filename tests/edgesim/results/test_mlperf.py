"""MLPerf's rules: early stopping against the binomial distribution and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from edgesim import api
from edgesim.results.mlperf import fewest_queries, most_overlatency, reported
from edgesim.simulate.arrivals import MultiStream, Offline, Server, SingleStream

CASE = """
name: mlperf-multistream
model: {name: resnet50}
placement: {strategy: single}
nodes: {pi: {device: raspberry-pi-5}}
traffic: {arrivals: multi-stream, requests: 662}
"""


@pytest.mark.parametrize(
    ("share", "queries"),
    # Least numbers of queries that the rules give for early stopping.
    [(0.9, 64), (0.99, 662)],
)
def test_the_published_least_numbers_of_queries(share: float, queries: int) -> None:
    assert fewest_queries(1, share) == queries
    assert most_overlatency(queries, share) == 1
    assert most_overlatency(queries - 1, share) == 0


def test_a_server_without_a_slow_query_needs_459() -> None:
    """0.99^459 is the first power below 1 %."""
    assert 0.99**459 < 0.01 < 0.99**458
    assert fewest_queries(0, 0.99) == 459


@pytest.mark.parametrize("share", [0.9, 0.95, 0.97, 0.99])
@pytest.mark.parametrize("queries", [1, 50, 64, 500, 662, 1024, 5000, 24_576, 270_336])
def test_the_most_overlatency_queries_are_those_of_the_binomial(share: float, queries: int) -> None:
    found = most_overlatency(queries, share)
    assert binom.cdf(found, queries, 1 - share) < 0.01
    assert binom.cdf(found + 1, queries, 1 - share) >= 0.01


@pytest.mark.parametrize("slow", [0, 1, 2, 10, 100, 1000])
def test_the_fewest_queries_are_enough_and_one_fewer_is_not(slow: int) -> None:
    queries = fewest_queries(slow, 0.99)
    assert binom.cdf(slow, queries, 0.01) < 0.01 <= binom.cdf(slow, queries - 1, 0.01)


def test_the_estimate_is_a_latency_from_the_top() -> None:
    """1,024 latencies of 1 … 1,024 s: 80 may be slower, so the 80th highest is claimed."""
    latency_s = np.random.default_rng(2).permutation(np.arange(1.0, 1025.0))
    found = reported(SingleStream(requests=1024), latency_s, 0, 700.0)
    assert found is not None
    allowed = int(binom.ppf(0.01, 1024, 0.1)) - 1
    assert found["value"] == 1025.0 - allowed
    assert found["discarded"] == allowed - 1
    assert found["percentile_s"] == np.quantile(latency_s, 0.9, method="inverted_cdf")
    assert found["value"] > found["percentile_s"]
    assert found["reasons"] == []


def test_the_estimate_covers_the_percentile_with_its_confidence() -> None:
    """Of 4,000 runs of 700 exponential latencies, about 1 % claim less than the 99th percentile."""
    generator, true = np.random.default_rng(7), -np.log(0.01)
    allowed = most_overlatency(700, 0.99)
    drawn = np.sort(generator.exponential(size=(4000, 700)), axis=1)[:, -allowed]
    too_low = float((drawn < true).mean())
    expected = float(binom.cdf(allowed - 1, 700, 0.01))
    # Four standard deviations of a share of 4,000.
    assert too_low == pytest.approx(expected, abs=4 * (expected / 4000) ** 0.5 + 1e-3)
    assert expected < 0.01


def test_multi_stream_of_662_queries_is_valid() -> None:
    scenario = api.load({**_plain(CASE)})
    found = api.run(scenario).summary["mlperf"]
    assert found["valid"], found["reasons"]
    assert found["metric"] == "latency_p99_s"
    assert found["discarded"] == 0


def _plain(text: str) -> dict[str, object]:
    import yaml

    plain: dict[str, object] = yaml.safe_load(text)
    return plain


def test_too_few_queries_say_how_many() -> None:
    found = reported(MultiStream(requests=661), np.full(661, 1.0), 0, 661.0)
    assert found is not None
    assert found["reasons"] == [
        "661 queries of at least 662, for the early-stopping estimate of the 99th percentile"
    ]
    assert (found["value"], found["discarded"]) == (1.0, None)
    single = reported(SingleStream(requests=63), np.full(63, 10.0), 0, 630.0)
    assert single is not None
    assert "63 queries of at least 64" in single["reasons"][0]


def test_a_server_needs_more_queries_for_each_that_is_slow() -> None:
    traffic = Server(requests=700, rate_per_s=1.0, latency_bound_s=1.0)
    latency_s = np.full(700, 0.5)
    whole = reported(traffic, latency_s, 0, 700.0)
    assert whole is not None
    assert whole["reasons"] == []
    latency_s[:2] = 2.0
    # The 99th percentile is still 0.5 s, but two of 700 might be luck.
    slow = reported(traffic, latency_s, 0, 700.0)
    assert slow is not None
    needed = fewest_queries(2, 0.99)
    assert slow["reasons"] == [
        f"700 queries of at least {needed}, for early stopping with 2 above the bound"
    ]


def test_offline_counts_samples_alone() -> None:
    few = reported(Offline(requests=100), np.full(100, 700.0), 0, 700.0)
    many = reported(Offline(requests=24_576), np.full(24_576, 700.0), 0, 700.0)
    assert few is not None
    assert many is not None
    assert few["reasons"] == ["100 samples of at least 24,576"]
    assert (many["reasons"], many["value"]) == ([], 24_576 / 700.0)
