"""The built-in arrival processes, registered in the entry points ``edgesim.arrivals``.

The last four are the scenarios of MLPerf Inference (mlcommons/inference_policies,
inference_rules.adoc, "Scenarios").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictInt

from edgesim.common.fields import WHOLE, Text, short
from edgesim.common.quantities import PositiveSeconds, Rate, Seconds
from edgesim.common.validation import spec
from edgesim.simulate.rates import RateOrSteps, Rates
from edgesim.simulate.traffic import Requests, Traffic


@spec
@dataclass(frozen=True, kw_only=True)
class Think:
    """The time between an answer and the next request of its client.

    Attributes:
        mean_s: mean of the time, in seconds.
        distribution: exponential, or the same time after every answer (fixed).
    """

    mean_s: PositiveSeconds
    distribution: Literal["exponential", "fixed"] = "exponential"


@spec
@dataclass(frozen=True, kw_only=True)
class Closed(Traffic):
    """A closed loop: each answer brings the next request of its client.

    With think times it is the machine-repairman model of queueing theory: each client thinks, sends
    a request, waits for its answer, and thinks again. All begin with thinking.

    Attributes:
        concurrency: number of clients; of requests in flight, where none thinks.
        think: time between an answer and the next request of its client; none unless given.
    """

    arrivals: Literal["closed"] = "closed"
    concurrency: Annotated[StrictInt, Field(ge=1, le=10_000_000), WHOLE] = 1
    think: Think | None = None

    keeps_coming: ClassVar[bool] = False

    @property
    def in_flight(self) -> int:
        """Clients of all sources."""
        return self.concurrency * self.sources

    def times(self, generator: np.random.Generator) -> None:
        """Return None: a request waits for an answer."""

    def pauses(self, generator: np.random.Generator) -> Callable[[], float] | None:
        """Return draws of the time for which a client thinks."""
        if self.think is None:
            return None
        mean_s = self.think.mean_s
        if self.think.distribution == "fixed":
            return lambda: mean_s
        return lambda: mean_s * float(generator.standard_exponential())


@spec
@dataclass(frozen=True, kw_only=True)
class Paced(Traffic):
    """Requests at a mean rate.

    Attributes:
        rate_per_s: mean rate of arrivals, in requests per second; or steps of it.
    """

    rate_per_s: RateOrSteps

    @property
    def offered_per_s(self) -> float:
        """Mean rate of arrivals of all sources, in requests per second."""
        rate = self.rate_per_s
        if isinstance(rate, Rates):
            rate = rate.mean_per_s(-(-self.requests // self.sources))
        return rate * self.sources

    @property
    def peak_per_s(self) -> float:
        """Highest rate of arrivals of all sources, in requests per second."""
        rate = self.rate_per_s
        return (rate.peak_per_s if isinstance(rate, Rates) else rate) * self.sources

    @property
    def steady(self) -> bool:
        """Whether the rate is the same at all times."""
        return not isinstance(self.rate_per_s, Rates)


@spec
@dataclass(frozen=True, kw_only=True)
class Poisson(Paced):
    """A Poisson process: exponential gaps of mean 1/rate, the first one counted from 0.

    Where the rate changes, it is one whose intensity is the rate at each time.
    """

    arrivals: Literal["poisson"] = "poisson"

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return the sums of exponential gaps."""
        gaps = generator.standard_exponential(self.requests)
        if isinstance(self.rate_per_s, Rates):
            return self.rate_per_s.times(np.cumsum(gaps))
        gaps /= self.rate_per_s
        return np.cumsum(gaps, out=gaps)


@spec
@dataclass(frozen=True, kw_only=True)
class Periodic(Paced):
    """Equal gaps of 1/rate; the first request at 0.

    Where the rate changes, request n comes when the integral of the rate reaches n.
    """

    arrivals: Literal["periodic"] = "periodic"

    constant_gaps: ClassVar[bool] = True

    def times(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return multiples of the gap."""
        numbers = np.arange(self.requests, dtype=np.float64)
        if isinstance(self.rate_per_s, Rates):
            return self.rate_per_s.times(numbers)
        return numbers / self.rate_per_s


@spec
@dataclass(frozen=True, kw_only=True)
class TraceFile:
    """A file of arrival times, ascending: one on each line, or a column of a CSV file.

    A time is a number of seconds or of `unit`, a number with a unit, or an ISO 8601 date and time.

    Attributes:
        path: path of the file; relative to this file.
        column: name of the column that holds the times, where the file has columns.
        unit: unit of the numbers of the file; seconds unless given.
        origin: start of the run: the first time of the file (first), or time 0 of the file (zero).
            Without it, the first where that is a date or over 1e8 seconds, else zero.
    """

    path: Text
    column: Text | None = None
    unit: Literal["s", "ms", "us", "ns", "min", "h", "d"] | None = None
    origin: Literal["first", "zero"] | None = None


@spec
@dataclass(frozen=True, kw_only=True)
class Trace(Traffic):
    """Recorded arrival times, in the file or in a file of their own.

    Attributes:
        requests: number of requests offered; all times of the trace unless given.
        times_s: arrival times, ascending, in seconds.
        file: file of arrival times.
    """

    arrivals: Literal["trace"] = "trace"
    requests: Requests = 0
    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1)] = ()
    file: Annotated[TraceFile, short("path")] | None = None

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
    """MLPerf's server: queries of one sample, by a Poisson process of one rate.

    Attributes:
        rate_per_s: mean rate of arrivals, in queries per second.
        latency_bound_s: largest 99th percentile of latency of a valid run, in seconds.
    """

    arrivals: Literal["server"] = "server"  # type: ignore[assignment]
    rate_per_s: Rate
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
