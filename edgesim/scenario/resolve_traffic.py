"""The traffic of a scenario: what goes with each kind of arrivals, MLPerf's definitions."""

from __future__ import annotations

import itertools
from dataclasses import replace

from edgesim.common.validation import Path
from edgesim.scenario.findings import Findings
from edgesim.simulate.traffic import KINDS, MULTI_STREAM_SAMPLES, NEEDS, Arrivals, Traffic

LONGEST_S = 1e12
"""Simulated seconds beyond which a double no longer tells milliseconds apart."""

_EXAMPLES = {
    "requests": "'requests', such as 1000",
    "rate": "a 'rate', such as 0.5/s",
    "latency_bound": "a 'latency_bound' of its 99th percentile, such as 15 ms",
}


def resolve_traffic(findings: Findings, traffic: Traffic, times_s: tuple[float, ...]) -> Traffic:
    """Return the traffic with all its arrival times.

    Args:
        findings: gets what is wrong.
        traffic: the section.
        times_s: arrival times of a trace; none where its file could not be read.
    """
    _go_together(findings, traffic)
    requests = traffic.requests or len(times_s)
    if traffic.arrivals is Arrivals.TRACE and times_s:
        _trace(findings, traffic, times_s, requests)
    if traffic.warmup and requests and traffic.warmup >= requests:
        findings.wrong(
            ("traffic", "warmup"),
            f"a warmup of {traffic.warmup:,} leaves nothing of {requests:,} requests",
        )
    rate = traffic.rate_per_s
    if rate is not None and requests / rate > LONGEST_S:
        findings.wrong(
            ("traffic", "rate"),
            f"at {rate:g}/s, {requests:,} requests take {requests / rate:.1e} seconds; "
            f"expected at most {LONGEST_S:.0e}",
        )
    samples = traffic.samples
    if traffic.arrivals is Arrivals.MULTI_STREAM:
        if findings.given(("traffic", "samples")) and samples != MULTI_STREAM_SAMPLES:
            findings.wrong(
                ("traffic", "samples"),
                f"expected {MULTI_STREAM_SAMPLES}, which a multi-stream query has by definition, "
                f"got {samples}",
            )
        samples = MULTI_STREAM_SAMPLES
    times_s = times_s[:requests]
    return replace(traffic, requests=requests, times_s=times_s, file=None, samples=samples)


def _go_together(findings: Findings, traffic: Traffic) -> None:
    kind = traffic.arrivals
    given = {key for key in (*KINDS, "requests") if findings.given(("traffic", key))}
    for key, kinds in KINDS.items():
        if key in given and kind not in kinds:
            findings.foreign(("traffic", key), kinds, kind)
    for key in NEEDS[kind]:
        if key not in given:
            findings.wrong(("traffic", "arrivals"), f"{kind} needs {_EXAMPLES[key]}")
    if kind == "trace" and ("times" in given) == ("file" in given):
        findings.wrong(("traffic", "arrivals"), "trace needs either 'times' or a 'file' of them")


def _trace(findings: Findings, traffic: Traffic, times_s: tuple[float, ...], requests: int) -> None:
    if traffic.times_s:
        for index, (one, other) in enumerate(itertools.pairwise(times_s), start=1):
            if other < one:
                path: Path = ("traffic", "times", index)
                findings.wrong(path, f"expected ascending times, got {other:g} s after {one:g} s")
                break
    if times_s[-1] > LONGEST_S:
        findings.wrong(
            ("traffic", "times" if traffic.times_s else "file"),
            f"expected times up to {LONGEST_S:.0e} s, got {max(times_s):g} s",
        )
    if requests > len(times_s):
        findings.wrong(
            ("traffic", "requests"),
            f"expected at most {len(times_s):,}, the times that the trace has, got {requests:,}",
        )
