"""Traffic: when requests arrive and how many samples each carries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from edgesim.common.fields import UNSET, WHOLE, Text, choices
from edgesim.common.quantities import PositiveSeconds, Rate, Seconds
from edgesim.common.validation import spec


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
