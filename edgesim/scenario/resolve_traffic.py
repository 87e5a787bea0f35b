"""The traffic of a scenario: what goes with each kind of arrivals, MLPerf's definitions."""

from __future__ import annotations

import itertools

from edgesim.common.validation import Path
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import TrafficSpec
from edgesim.simulate.traffic import Arrivals, Traffic

MULTI_STREAM_SAMPLES = 8
"""Samples of a multi-stream query, by MLPerf Inference's definition (rules, section 3)."""

LONGEST_S = 1e12
"""Simulated seconds beyond which a double no longer tells milliseconds apart."""

_MLPERF = ("single-stream", "multi-stream", "server", "offline")
KINDS = {
    "rate": ("poisson", "periodic", "server"),
    "concurrency": ("closed",),
    "times": ("trace",),
    "file": ("trace",),
    "samples": ("closed", "poisson", "periodic", "trace", "multi-stream"),
    "latency_bound": ("server", "multi-stream"),
    "min_duration": _MLPERF,
}
"""Kinds of arrivals that each key belongs to; keys that are not here belong to all."""

NEEDS = {
    "closed": ("requests",),
    "poisson": ("rate", "requests"),
    "periodic": ("rate", "requests"),
    "trace": (),
    "single-stream": ("requests",),
    "multi-stream": ("requests",),
    "server": ("rate", "latency_bound", "requests"),
    "offline": ("requests",),
}
"""Keys that each kind of arrivals cannot do without."""

_EXAMPLES = {
    "requests": "'requests', such as 1000",
    "rate": "a 'rate', such as 0.5/s",
    "latency_bound": "a 'latency_bound' of its 99th percentile, such as 15 ms",
}


def resolve_traffic(
    findings: Findings, spec: TrafficSpec, times_s: tuple[float, ...] | None
) -> Traffic:
    """Return the traffic.

    Args:
        findings: told what is wrong.
        spec: the section.
        times_s: arrival times of a trace; None where its file could not be read.
    """
    _go_together(findings, spec)
    times_s = times_s or ()
    requests = spec.requests if spec.requests is not None else len(times_s)
    if spec.arrivals == "trace" and times_s:
        _trace(findings, spec, times_s, requests)
    if spec.warmup and requests and spec.warmup >= requests:
        findings.wrong(
            ("traffic", "warmup"),
            f"a warmup of {spec.warmup:,} leaves nothing of {requests:,} requests",
        )
    if spec.rate is not None and requests / spec.rate > LONGEST_S:
        findings.wrong(
            ("traffic", "rate"),
            f"at {spec.rate:g}/s, {requests:,} requests take {requests / spec.rate:.1e} seconds; "
            f"expected at most {LONGEST_S:.0e}",
        )
    samples = spec.samples
    if spec.arrivals == "multi-stream":
        if samples not in (None, MULTI_STREAM_SAMPLES):
            findings.wrong(
                ("traffic", "samples"),
                f"expected {MULTI_STREAM_SAMPLES}, which a multi-stream query has by definition, "
                f"got {samples}",
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


def _go_together(findings: Findings, spec: TrafficSpec) -> None:
    kind = spec.arrivals
    for key, kinds in KINDS.items():
        if getattr(spec, key) is not None and kind not in kinds:
            told = " or ".join((", ".join(kinds[:-1]), kinds[-1]) if kinds[1:] else kinds)
            findings.wrong(("traffic", key), f"'{key}' belongs to {told}, not to {kind}", True)
    for key in NEEDS[kind]:
        if getattr(spec, key) is None:
            findings.wrong(("traffic", "arrivals"), f"{kind} needs {_EXAMPLES[key]}")
    if kind == "trace" and (spec.times is None) == (spec.file is None):
        findings.wrong(("traffic", "arrivals"), "trace needs either 'times' or a 'file' of them")


def _trace(
    findings: Findings, spec: TrafficSpec, times_s: tuple[float, ...], requests: int
) -> None:
    if spec.times is not None:
        for index, (one, other) in enumerate(itertools.pairwise(times_s), start=1):
            if other < one:
                path: Path = ("traffic", "times", index)
                findings.wrong(path, f"expected ascending times, got {other:g} s after {one:g} s")
                break
    key = "times" if spec.times is not None else "file"
    if times_s[-1] > LONGEST_S:
        findings.wrong(
            ("traffic", key), f"expected times up to {LONGEST_S:.0e} s, got {max(times_s):g} s"
        )
    if requests > len(times_s):
        findings.wrong(
            ("traffic", "requests"),
            f"expected at most {len(times_s):,}, the times that the trace has, got {requests:,}",
        )
