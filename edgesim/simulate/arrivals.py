"""The built-in arrival processes, registered in the entry points ``edgesim.arrivals``.

The last four are the scenarios of MLPerf Inference (mlcommons/inference_policies,
inference_rules.adoc, "Scenarios").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictInt

from edgesim.common.fields import WHOLE, Text
from edgesim.common.quantities import PositiveSeconds, Rate, Seconds
from edgesim.common.validation import spec
from edgesim.simulate.traffic import Requests, Traffic


@spec
@dataclass(frozen=True, kw_only=True)
class Closed(Traffic):
    """A closed loop: each answer brings the next request.

    Attributes:
        concurrency: number of requests in flight.
    """

    arrivals: Literal["closed"] = "closed"
    concurrency: Annotated[StrictInt, Field(ge=1, le=10_000_000), WHOLE] = 1

    keeps_coming: ClassVar[bool] = False

    @property
    def in_flight(self) -> int:
        """Requests in the system at any time."""
        return self.concurrency

    def times(self, generator: np.random.Generator) -> None:
        """Return None: a request waits for an answer."""


@spec
@dataclass(frozen=True, kw_only=True)
class Paced(Traffic):
    """Requests at a mean rate.

    Attributes:
        rate_per_s: mean rate of arrivals, in requests per second.
    """

    rate_per_s: Rate

    @property
    def offered_per_s(self) -> float:
        """Mean rate of arrivals, in requests per second."""
        return self.rate_per_s


@spec
@dataclass(frozen=True, kw_only=True)
class Poisson(Paced):
    """A Poisson process: exponential gaps of mean 1/rate, the first one counted from 0."""

    arrivals: Literal["poisson"] = "poisson"

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return the sums of exponential gaps."""
        gaps = generator.standard_exponential(self.requests)
        gaps /= self.rate_per_s
        return np.cumsum(gaps, out=gaps)


@spec
@dataclass(frozen=True, kw_only=True)
class Periodic(Paced):
    """Equal gaps of 1/rate; the first request at 0."""

    arrivals: Literal["periodic"] = "periodic"

    constant_gaps: ClassVar[bool] = True

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return multiples of the gap."""
        return np.arange(self.requests, dtype=np.float64) / self.rate_per_s


@spec
@dataclass(frozen=True, kw_only=True)
class Trace(Traffic):
    """Recorded arrival times, in the file or in a file of their own.

    Attributes:
        requests: number of requests offered; all times of the trace unless given.
        times_s: arrival times, ascending, in seconds.
        file: path of a file of arrival times, one on each line, ascending; relative to this file.
    """

    arrivals: Literal["trace"] = "trace"
    requests: Requests = 0
    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1)] = ()
    file: Text | None = None

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return the recorded times."""
        return np.asarray(self.times_s[: self.requests], dtype=np.float64)


@spec
@dataclass(frozen=True, kw_only=True)
class Mlperf(Traffic):
    """A scenario of MLPerf Inference.

    Attributes:
        min_duration_s: shortest duration of a valid run, in seconds.
    """

    samples: Literal[1] = 1
    min_duration_s: Seconds = 0.0


@spec
@dataclass(frozen=True, kw_only=True)
class SingleStream(Mlperf):
    """MLPerf's single-stream: a query of one sample, sent when the one before is answered."""

    arrivals: Literal["single-stream"] = "single-stream"

    keeps_coming: ClassVar[bool] = False

    def times(self, generator: np.random.Generator) -> None:
        """Return None: a query waits for an answer."""


@spec
@dataclass(frozen=True, kw_only=True)
class MultiStream(Mlperf):
    """MLPerf's multi-stream: a query of eight samples, sent when the one before is answered.

    Attributes:
        latency_bound_s: largest 99th percentile of latency of a valid run, in seconds.
    """

    arrivals: Literal["multi-stream"] = "multi-stream"
    samples: Literal[8] = 8  # type: ignore[assignment]
    latency_bound_s: PositiveSeconds | None = None

    keeps_coming: ClassVar[bool] = False

    def times(self, generator: np.random.Generator) -> None:
        """Return None: a query waits for an answer."""


@spec
@dataclass(frozen=True, kw_only=True)
class Server(Mlperf, Poisson):
    """MLPerf's server: queries of one sample, by a Poisson process.

    Attributes:
        latency_bound_s: largest 99th percentile of latency of a valid run, in seconds.
    """

    arrivals: Literal["server"] = "server"  # type: ignore[assignment]
    latency_bound_s: PositiveSeconds


@spec
@dataclass(frozen=True, kw_only=True)
class Offline(Mlperf):
    """MLPerf's offline: all queries at 0."""

    arrivals: Literal["offline"] = "offline"

    keeps_coming: ClassVar[bool] = False

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return zeros."""
        return np.zeros(self.requests)
