"""The metrics of MLPerf Inference's four scenarios, by that benchmark's definitions.

Source: mlcommons/inference_policies, inference_rules.adoc, "Scenarios": single-stream reports the
90th percentile of latency; multi-stream the 99th of queries of 8 samples; server the queries per
second whose 99th percentile stays within the bound; offline samples per second. A valid run has
at least the queries and the 600 seconds listed there; fewer give the same figures, marked invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.results.metrics import Metric, Section
from edgesim.results.statistics import percentile
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Mlperf, MultiStream, Offline, Server, SingleStream

LEAST_QUERIES: Mapping[type[Mlperf], int] = {
    SingleStream: 1024,
    MultiStream: 270_336,
    Server: 270_336,
    Offline: 24_576,
}
"""Queries of a valid run (offline: samples)."""

LEAST_DURATION_S = 600.0


_UNBOUND = "the traffic has no bound, or no query was answered"
_MLPERF: tuple[Metric[Mapping[str, Any]], ...] = (
    Metric("scenario", "", "Name of the MLPerf scenario.", kind="text", column=False),
    Metric("samples_per_query", "", "Samples of a query.", kind="whole", column=False),
    Metric("metric", "", "Name of the metric of the scenario.", kind="text", column=False,
           null="no query was answered"),
    Metric("value", "", "The metric: seconds, or queries or samples per second.",
           null="no query was answered"),
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
    least = LEAST_QUERIES[type(traffic)]
    queries = len(latency_s) + failed
    reasons = []
    samples = queries * traffic.samples
    offline = isinstance(traffic, Offline)
    counted, noun = (samples, "samples") if offline else (queries, "queries")
    if counted < least:
        reasons.append(f"{counted:,} {noun} of at least {least:,}")
    least_s = max(LEAST_DURATION_S, traffic.min_duration_s)
    if duration_s < least_s:
        lasted = f"{duration_s:,.1f} s" if duration_s >= 0.1 else duration(duration_s)
        reasons.append(f"{lasted} of at least {least_s:,.0f} s")
    if failed:
        reasons.append(f"{failed:,} queries without an answer")
    metric: tuple[str | None, float | None]
    if not len(latency_s):
        metric = None, None
    elif isinstance(traffic, SingleStream):
        metric = "latency_p90_s", percentile(latency_s, 0.9)
    elif isinstance(traffic, MultiStream):
        metric = "latency_p99_s", percentile(latency_s, 0.99)
    elif offline:
        rate = len(latency_s) * traffic.samples / duration_s if duration_s > 0.0 else None
        metric = "samples_per_s", rate
    else:
        metric = "scheduled_queries_per_s", traffic.offered_per_s
    bound = getattr(traffic, "latency_bound_s", None) if len(latency_s) else None
    p99 = None if bound is None else percentile(latency_s, 0.99)
    if bound is not None and p99 is not None and p99 > bound:
        reasons.append(f"99th percentile {p99:.4g} s above the bound of {bound:.4g} s")
    return {
        "scenario": traffic.arrivals,
        "samples_per_query": traffic.samples,
        "metric": metric[0],
        "value": metric[1],
        "latency_p99_s": p99,
        "latency_bound_s": bound,
        "reasons": reasons,
    }
