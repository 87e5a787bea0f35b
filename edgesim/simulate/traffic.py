"""Traffic: when requests arrive, and how many samples each carries."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictInt

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extensions import ExtensionPoint
from edgesim.common.fields import WHOLE
from edgesim.common.quantities import PositiveSeconds
from edgesim.common.text import described
from edgesim.common.validation import NOT_WRITTEN, key, spec
from edgesim.hardware import Node
from edgesim.placement.payload import Payload
from edgesim.simulate.streams import stream

ARRIVALS = ExtensionPoint("edgesim.arrivals", "arrival process")

Requests = Annotated[StrictInt, Field(ge=1, le=100_000_000), WHOLE]


@spec
@dataclass(frozen=True, kw_only=True)
class Traffic(ABC):
    """Requests to the cluster: an arrival process and its figures.

    A process is a frozen dataclass that inherits from it and is marked by
    `edgesim.common.validation.spec`: its fields are the keys of ``traffic``, and field ``arrivals``
    is a literal of its name, under which it is registered in the entry points
    ``edgesim.arrivals``. The built-in ones are in `edgesim.simulate.arrivals`.

    Attributes:
        arrivals: name of the arrival process.
        requests: number of requests offered; queries of an MLPerf scenario.
        samples: number of samples of each request.
        warmup: number of leading requests left out of the statistics.
        deadline_s: time in which a request should be answered, in seconds. A later answer counts as
            late; it is not withdrawn.
        payload: image that travels in place of the raw tensor of the input; its nodes decode it.
        sources: number of streams, one for each node where requests enter; the figures of a process
            are those of one, but its number of requests is that of all.
    """

    arrivals: str
    requests: Requests
    samples: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE] = 1
    warmup: Annotated[StrictInt, Field(ge=0), WHOLE] = 0
    deadline_s: PositiveSeconds | None = None
    payload: Payload | None = None
    sources: Annotated[int, key(NOT_WRITTEN)] = 1

    keeps_coming: ClassVar[bool] = True
    """Whether requests arrive independently of answers: growing latencies mean a growing queue."""
    constant_gaps: ClassVar[bool] = False
    """Whether all gaps between requests are equal, while the rate is."""

    @property
    def offered_per_s(self) -> float | None:
        """Mean rate of arrivals of all sources, in requests per second; None without a rate."""
        return None

    @property
    def peak_per_s(self) -> float | None:
        """Highest rate of all sources, in requests per second; None where no rate is set."""
        return self.offered_per_s

    @property
    def steady(self) -> bool:
        """Whether the rate is the same at all times, so that latencies of a stable queue settle."""
        return True

    @property
    def in_flight(self) -> int:
        """Requests that a closed loop keeps in the system; those of clients that think too."""
        return 1

    def pauses(self, generator: np.random.Generator) -> Callable[[], float] | None:
        """Return draws of the seconds between an answer and its client's next request.

        None where a closed loop sends the next request at once.

        Args:
            generator: random numbers of this seed and replication, for nothing but pauses.
        """
        return None

    @abstractmethod
    def times(self, generator: np.random.Generator) -> NDArray[np.float64] | None:
        """Return the ascending arrival times of one source, in seconds, shape (requests,).

        None where the next request waits for an answer: a closed loop.

        Args:
            generator: random numbers of this seed and replication, for nothing but arrivals.
        """

    def outpaces(self, capacity_per_s: float | None, nodes: Iterable[Node]) -> bool:
        """Return whether a queue that serves ``capacity_per_s`` grows without bound.

        It does where requests come faster than they are served; and where they come as fast, unless
        all gaps and all service times are constant (Lindley, Proc. Camb. Phil. Soc. 48:277, 1952).

        Args:
            capacity_per_s: requests per second that the bottleneck can serve; None if unknown.
            nodes: nodes that serve.
        """
        rate = self.offered_per_s
        if rate is None or capacity_per_s is None:
            return False
        if math.isclose(rate, capacity_per_s, rel_tol=1e-9):
            constant = all(node.variability.kind == "none" for node in nodes)
            return not (constant and self.constant_gaps and self.steady)
        return rate > capacity_per_s


def process(name: object) -> type[Traffic]:
    """Return the arrival process of a name.

    Raises:
        InputError: none has this name, the message names the nearest; or it cannot be loaded.
    """
    found = ARRIVALS.load(name)
    if not (isinstance(found, type) and issubclass(found, Traffic)):
        raise InputError(
            f"arrival process '{name}' is registered as {ARRIVALS.origin(str(name))}, expected a "
            f"dataclass that inherits from edgesim.simulate.Traffic, got {described(found)}"
        )
    return found


def think_times(traffic: Traffic, seed: int, replication: int) -> Callable[[], float] | None:
    """Return draws of the seconds for which a client thinks; None where none does."""
    return traffic.pauses(stream(seed, replication, "think"))


def arrivals(
    traffic: Traffic, seed: int, replication: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.uint32] | None]:
    """Return the arrival times of all sources together, and the source of each request.

    The first are None where arrivals depend on answers, the second where there is one source. Each
    source has a random stream of its own; requests at one instant come in the order of sources.

    Raises:
        EdgesimError: a plug-in's process gives no such times.
    """
    first = arrival_times(traffic, seed, replication)
    if first is None or traffic.sources == 1:
        return first, None
    times = [first]
    for number in range(1, traffic.sources):
        more = arrival_times(traffic, seed, replication, source=number)
        assert more is not None, "one source has times"
        times.append(more)
    every = np.concatenate(times)
    source, place = np.divmod(np.arange(len(every)), len(first))
    order = np.lexsort((source, place, every))[: traffic.requests]
    return every[order], source[order].astype(np.uint32)


def arrival_times(
    traffic: Traffic, seed: int, replication: int, source: int = 0
) -> NDArray[np.float64] | None:
    """Return ascending arrival times in seconds, or None where arrivals depend on answers.

    Args:
        traffic: the arrival process.
        seed: seed of every random stream.
        replication: number of the replication.
        source: number of the source, whose random stream is its own.

    Raises:
        EdgesimError: a plug-in's process gives no such times.
    """
    times = traffic.times(stream(seed, replication, f"arrivals {source}" if source else "arrivals"))
    if times is None:
        return None
    ascending = len(times) == 0 or (times[0] >= 0.0 and bool((np.diff(times) >= 0.0).all()))
    if times.shape != (traffic.requests,) or not ascending or not np.isfinite(times[-1:]).all():
        raise EdgesimError(
            f"arrival process '{traffic.arrivals}': expected {traffic.requests:,} finite ascending "
            f"times of at least 0, got {len(times):,}, from {times[:1]} to {times[-1:]}"
        )
    return times
