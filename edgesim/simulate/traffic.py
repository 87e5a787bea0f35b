"""Traffic: when requests arrive and how many samples each carries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the cluster is asked to answer.

    Attributes:
        arrivals: the process.
        requests: how many requests (MLPerf: queries) are offered.
        rate_per_s: of ``poisson``, ``periodic`` and ``server``.
        concurrency: requests in flight under ``closed``.
        times_s: arrival times under ``trace``, ascending.
        samples: samples that each request carries (``multi-stream``: 8 by definition).
        warmup: leading requests left out of every statistic.
        latency_bound_s: that ``server`` must meet at its 99th percentile, or ``multi-stream``.
        min_duration_s: that an MLPerf run must last to be valid.
    """

    arrivals: Arrivals
    requests: int
    rate_per_s: float | None = None
    concurrency: int = 1
    times_s: tuple[float, ...] = ()
    samples: int = 1
    warmup: int = 0
    latency_bound_s: float | None = None
    min_duration_s: float = 0.0

    def outpaces(self, capacity_per_s: float | None) -> bool:
        """Return whether requests come at least as fast as ``capacity_per_s`` serves them."""
        rate = self.rate_per_s
        return rate is not None and capacity_per_s is not None and rate >= capacity_per_s
