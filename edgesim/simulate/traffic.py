"""Traffic: when requests arrive and how many samples each carries.

An arrival process is a member of `Arrivals`, its keys in `KINDS` and `NEEDS`, and its times in
`arrival_times`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictInt

from edgesim.common.fields import UNSET, WHOLE, Text, choices
from edgesim.common.quantities import PositiveSeconds, Rate, Seconds
from edgesim.common.validation import spec
from edgesim.simulate.streams import stream


class Arrivals(StrEnum):
    """Arrival processes; the last four are MLPerf Inference scenarios."""

    CLOSED = "closed"
    POISSON = "poisson"
    PERIODIC = "periodic"
    TRACE = "trace"
    SINGLE_STREAM = "single-stream"
    MULTI_STREAM = "multi-stream"
    SERVER = "server"
    OFFLINE = "offline"


MULTI_STREAM_SAMPLES = 8
"""Samples of a multi-stream query, by MLPerf Inference's definition (rules, section 3)."""

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


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What is asked of the cluster.

    Attributes:
        arrivals: the last four are MLPerf Inference's scenarios.
        requests: offered (MLPerf: queries); of a trace: all its times unless given.
        rate_per_s: poisson, periodic, server.
        concurrency: closed: requests in flight; 1 unless given.
        times_s: trace: arrival times, ascending.
        file: trace: a file of arrival times, one a line, ascending; relative to this file.
        samples: that each request carries; multi-stream: 8 by definition.
        warmup: leading requests left out of the statistics.
        latency_bound_s: server, multi-stream: of the 99th percentile.
        min_duration_s: that an MLPerf run must last.
    """

    arrivals: Annotated[Arrivals, choices(Arrivals)]
    requests: Annotated[StrictInt, Field(ge=1, le=100_000_000), WHOLE, UNSET] = 0
    rate_per_s: Rate | None = None
    concurrency: Annotated[StrictInt, Field(ge=1, le=10_000_000), WHOLE, UNSET] = 1
    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1), UNSET] = ()
    file: Text | None = None
    samples: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE, UNSET] = 1
    warmup: Annotated[StrictInt, Field(ge=0), WHOLE] = 0
    latency_bound_s: PositiveSeconds | None = None
    min_duration_s: Annotated[Seconds, UNSET] = 0.0

    def outpaces(self, capacity_per_s: float | None) -> bool:
        """Return whether requests come at least as fast as ``capacity_per_s`` serves them."""
        rate = self.rate_per_s
        return rate is not None and capacity_per_s is not None and rate >= capacity_per_s


CLOSED_LOOP = (Arrivals.CLOSED, Arrivals.SINGLE_STREAM, Arrivals.MULTI_STREAM)
"""Kinds whose next request waits for an answer."""


def arrival_times(traffic: Traffic, seed: int, replication: int) -> NDArray[np.float64] | None:
    """Return ascending arrival times in seconds, or None where arrivals depend on answers.

    ``poisson`` and ``server``: exponential gaps of mean 1/rate, the first counted from 0.
    ``periodic``: the first request at 0, then every 1/rate. ``offline``: all at 0.
    """
    count = traffic.requests
    match traffic.arrivals:
        case Arrivals.POISSON | Arrivals.SERVER:
            generator = stream(seed, replication, "arrivals")
            gaps = generator.standard_exponential(count)
            gaps /= _rate(traffic)
            return np.cumsum(gaps, out=gaps)
        case Arrivals.PERIODIC:
            return np.arange(count, dtype=np.float64) / _rate(traffic)
        case Arrivals.TRACE:
            return np.asarray(traffic.times_s[:count], dtype=np.float64)
        case Arrivals.OFFLINE:
            return np.zeros(count)
        case _:
            return None


def in_flight(traffic: Traffic) -> int:
    """Return how many requests closed-loop traffic keeps in the system."""
    return traffic.concurrency if traffic.arrivals is Arrivals.CLOSED else 1


def _rate(traffic: Traffic) -> float:
    assert traffic.rate_per_s is not None, f"{traffic.arrivals} traffic needs a rate"
    return traffic.rate_per_s
