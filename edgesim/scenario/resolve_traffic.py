"""The traffic of a scenario."""

from __future__ import annotations

import itertools

from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import TrafficSpec
from edgesim.simulate.traffic import Arrivals, Traffic
from edgesim.validation import Path

MULTI_STREAM_SAMPLES = 8
"""Samples of a multi-stream query, by MLPerf Inference's definition."""


def resolve_traffic(findings: Findings, spec: TrafficSpec, times_s: tuple[float, ...]) -> Traffic:
    """Return the traffic, MLPerf's definitions filled in."""
    requests = spec.requests if spec.requests is not None else len(times_s)
    if spec.arrivals == "trace":
        _trace(findings, spec, times_s, requests)
    samples = spec.samples
    if spec.arrivals == "multi-stream":
        if samples not in (None, MULTI_STREAM_SAMPLES):
            findings.wrong(
                ("traffic", "samples"),
                f"a multi-stream query has {MULTI_STREAM_SAMPLES} samples by definition",
            )
        samples = MULTI_STREAM_SAMPLES
    return Traffic(
        arrivals=Arrivals(spec.arrivals),
        requests=requests,
        rate_per_s=spec.rate,
        concurrency=spec.concurrency or 1,
        times_s=times_s[:requests],
        samples=samples or 1,
        warmup=spec.warmup,
        latency_bound_s=spec.latency_bound,
        min_duration_s=spec.min_duration or 0.0,
    )


def _trace(
    findings: Findings, spec: TrafficSpec, times_s: tuple[float, ...], requests: int
) -> None:
    """Check a trace's times."""
    path: Path = ("traffic", "times" if spec.times is not None else "file")
    if not times_s:
        findings.wrong(path, "expected at least one arrival time")
    for index, (one, other) in enumerate(itertools.pairwise(times_s)):
        if other < one:
            findings.wrong(
                path, f"expected ascending times; time {index + 1} ({other}) is before {one}"
            )
            break
    if requests > len(times_s):
        findings.wrong(
            ("traffic", "requests"),
            f"expected at most {len(times_s)}, the times that the trace has",
        )
    elif times_s and spec.warmup >= requests:
        findings.wrong(("traffic", "warmup"), f"leaves nothing of {requests} requests")
