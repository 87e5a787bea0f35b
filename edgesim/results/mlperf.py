"""The metrics of MLPerf Inference's four scenarios, by that benchmark's rules of today.

Sources: mlcommons/inference_policies, inference_rules.adoc, "Scenarios" and "Early stopping", and
LoadGen (mlcommons/inference, loadgen/results.cc). Single-stream reports the 90th percentile of
latency, multi-stream the 99th of queries of 8 samples, server the queries per second whose 99th
percentile stays within the bound, offline samples per second. A run lasts at least 600 seconds;
offline has at least 24,576 samples, the others as many queries as early stopping asks.

Early stopping: of n queries, t may be slower than a latency that is claimed to be the percentile p,
where that many or fewer would be slow with a probability of less than 1 %, were the claim too low:

    sum over k = 0 … t of binomial(n, k) (1 - p)^k p^(n - k) < 1 - c,  c = 0.99

Single-stream and multi-stream claim the t-th highest latency for the largest such t, which is at
least 1: 64 queries for the 90th percentile, 662 for the 99th. Server needs it of the t queries that
are above the bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.results.metrics import Metric, Section
from edgesim.results.statistics import percentile
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Mlperf, MultiStream, Server, SingleStream

PERCENTILES: Mapping[type[Mlperf], float] = {SingleStream: 0.9, MultiStream: 0.99, Server: 0.99}
"""Percentile of latency of each scenario that has one."""

LEAST_SAMPLES = 24_576
"""Samples of a valid offline run."""

LEAST_DURATION_S = 600.0
_CONFIDENCE = 0.99


def most_overlatency(queries: int, share: float) -> int:
    """Return how many of some queries may be slower than a percentile that is claimed; -1: none.

    Args:
        queries: number of all queries.
        share: percentile as a share, such as 0.99.
    """
    odds, count = 0.0, 0
    while count <= queries:
        ways = math.lgamma(queries + 1) - math.lgamma(count + 1) - math.lgamma(queries - count + 1)
        slow, fast = count * math.log(1.0 - share), (queries - count) * math.log(share)
        odds += math.exp(ways + slow + fast)
        if odds >= 1.0 - _CONFIDENCE:
            break
        count += 1
    return count - 1


def fewest_queries(overlatency: int, share: float) -> int:
    """Return the fewest queries of which so many may be slower than a percentile."""
    low, high = overlatency, max(1, 2 * overlatency)
    while most_overlatency(high, share) < overlatency:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = most_overlatency(middle, share) >= overlatency
        low, high = (low, middle) if enough else (middle, high)
    return high


_UNBOUND = "the traffic has no bound, or no query was answered"
_MLPERF: tuple[Metric[Mapping[str, Any]], ...] = (
    Metric("scenario", "", "Name of the MLPerf scenario.", kind="text", column=False),
    Metric("samples_per_query", "", "Samples of a query.", kind="whole", column=False),
    Metric("metric", "", "Name of the metric of the scenario.", kind="text", column=False,
           null="no query was answered"),
    Metric("value", "", "The metric: seconds, or queries or samples per second; a percentile is "
           "the early-stopping estimate where there are enough queries for one.",
           null="no query was answered"),
    Metric("discarded", "", "Highest latencies that the early-stopping estimate leaves out.",
           kind="whole", optional=True, column=False, null="there is no such estimate"),
    Metric("percentile_s", "s", "The percentile of the latencies as they are.", optional=True,
           column=False, null="the metric is no percentile"),
    Metric("latency_p99_s", "s", "99th percentile of latency.", optional=True, column=False,
           null=_UNBOUND),
    Metric("latency_bound_s", "s", "Largest 99th percentile of latency of a valid run.",
           optional=True, column=False,
           null=_UNBOUND),
    Metric("valid", "", "Whether the run is valid.", lambda found: not found["reasons"],
           kind="flag"),
    Metric("reasons", "", "Reasons why the run is not valid.", kind="texts"),
)  # fmt: skip
MLPERF: Section[Mapping[str, Any] | None] = Section(
    "mlperf", "The metric of an MLPerf scenario, of the first replication.", _MLPERF,
    null="the traffic is no MLPerf scenario",
)  # fmt: skip


def reported(
    traffic: Traffic, latency_s: NDArray[np.float64], failed: int, duration_s: float
) -> dict[str, Any] | None:
    """Return the source of the metrics of an MLPerf scenario; None for other traffic.

    Args:
        traffic: queries that were offered.
        latency_s: latencies of the answered queries, in seconds, shape (queries,).
        failed: queries without an answer.
        duration_s: time from the first query to the last answer, in seconds.
    """
    if not isinstance(traffic, Mlperf):
        return None
    queries, share = len(latency_s) + failed, PERCENTILES.get(type(traffic))
    bound = getattr(traffic, "latency_bound_s", None) if len(latency_s) else None
    p99 = None if bound is None else percentile(latency_s, 0.99)
    reasons = []
    if share is None and queries * traffic.samples < LEAST_SAMPLES:
        reasons.append(f"{queries * traffic.samples:,} samples of at least {LEAST_SAMPLES:,}")
    elif share is not None:
        reasons += _too_few(traffic, latency_s, queries, share)
    least_s = max(LEAST_DURATION_S, traffic.min_duration_s)
    if duration_s < least_s:
        lasted = f"{duration_s:,.1f} s" if duration_s >= 0.1 else duration(duration_s)
        reasons.append(f"{lasted} of at least {least_s:,.0f} s")
    if failed:
        reasons.append(f"{failed:,} queries without an answer")
    if bound is not None and p99 is not None and p99 > bound:
        reasons.append(f"99th percentile {p99:.4g} s above the bound of {bound:.4g} s")
    metric: tuple[str | None, float | None] = None, None
    discarded = plain = None
    if len(latency_s) and isinstance(traffic, Server):
        metric = "scheduled_queries_per_s", traffic.offered_per_s
    elif len(latency_s) and share is not None:
        plain = percentile(latency_s, share)
        kept = most_overlatency(queries, share)
        estimate = plain
        if 1 <= kept <= len(latency_s):
            estimate, discarded = float(np.sort(latency_s)[-kept]), kept - 1
        metric = f"latency_p{100 * share:.0f}_s", estimate
    elif len(latency_s):
        rate = len(latency_s) * traffic.samples / duration_s if duration_s > 0.0 else None
        metric = "samples_per_s", rate
    return {
        "scenario": traffic.arrivals,
        "samples_per_query": traffic.samples,
        "metric": metric[0],
        "value": metric[1],
        "discarded": discarded,
        "percentile_s": plain,
        "latency_p99_s": p99,
        "latency_bound_s": bound,
        "reasons": reasons,
    }


def _too_few(
    traffic: Mlperf, latency_s: NDArray[np.float64], queries: int, share: float
) -> list[str]:
    """Return why early stopping asks for more queries; nothing where it does not."""
    slow, which = 1, f"the early-stopping estimate of the {100 * share:.0f}th percentile"
    if isinstance(traffic, Server):
        slow = queries - int((latency_s <= traffic.latency_bound_s).sum())
        which = f"early stopping with {slow:,} above the bound"
    if most_overlatency(queries, share) >= slow:
        return []
    return [f"{queries:,} queries of at least {fewest_queries(slow, share):,}, for {which}"]
