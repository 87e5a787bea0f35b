"""Arrival times of open-loop traffic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgesim.simulate.streams import stream
from edgesim.simulate.traffic import Arrivals, Traffic

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
