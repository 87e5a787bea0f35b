"""The traffic of a scenario: figures that do not go together."""

from __future__ import annotations

import itertools
from dataclasses import replace

from edgesim.common.validation import Path
from edgesim.scenario.findings import Findings
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Trace

LONGEST_S = 1e12
"""Simulated seconds beyond which a double no longer tells milliseconds apart."""


def resolve_traffic(findings: Findings) -> Traffic | None:
    """Return the traffic, a trace with all its times; None after noting what is wrong with it."""
    traffic = findings.traffic
    if isinstance(traffic, Trace):
        traffic = _trace(findings, traffic)
    if traffic is None:
        return None
    requests, rate = traffic.requests, traffic.offered_per_s
    if traffic.warmup >= requests:
        findings.wrong(
            ("traffic", "warmup"),
            f"a warmup of {traffic.warmup:,} leaves nothing of {requests:,} requests",
        )
    if rate is not None and requests / rate > LONGEST_S:
        findings.wrong(
            ("traffic", "rate"),
            f"at {rate:g}/s, {requests:,} requests take {requests / rate:.1e} seconds; "
            f"expected at most {LONGEST_S:.0e}",
        )
    return traffic


def _trace(findings: Findings, traffic: Trace) -> Trace | None:
    """Return a trace of as many times as there are requests."""
    times_s = traffic.times_s
    if findings.given(("traffic", "times")) == findings.given(("traffic", "file")):
        message = "trace needs either 'times' or a 'file' of them"
        findings.wrong(("traffic", "arrivals"), message)
        return None
    if not times_s:
        # Its file could not be read.
        return None
    if traffic.file is None:
        for index, (one, other) in enumerate(itertools.pairwise(times_s), start=1):
            if other < one:
                path: Path = ("traffic", "times", index)
                findings.wrong(path, f"expected ascending times, got {other:g} s after {one:g} s")
                break
    if times_s[-1] > LONGEST_S:
        findings.wrong(
            ("traffic", "times" if traffic.file is None else "file"),
            f"expected times up to {LONGEST_S:.0e} s, got {max(times_s):g} s",
        )
    if traffic.requests > len(times_s):
        findings.wrong(
            ("traffic", "requests"),
            f"expected at most {len(times_s):,}, the times that the trace has, got "
            f"{traffic.requests:,}",
        )
    requests = traffic.requests or len(times_s)
    return replace(traffic, requests=requests, times_s=times_s[:requests], file=None)
