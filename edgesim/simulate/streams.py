"""Random streams: one generator for each purpose, all from the seed of the scenario."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from edgesim.hardware import Node

_FIRST_BLOCK = 8
_BLOCK = 4096
"""Numbers that are drawn at once: few at first, as some nodes only ever need a few."""


def stream(seed: int, replication: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose (``arrivals``, ``service pi-0``).

    Streams of different purposes, replications and seeds are independent (numpy's SeedSequence),
    and a stream does not depend on which others exist: adding a node leaves the rest unchanged,
    so scenarios can be compared under common random numbers.
    """
    digest = hashlib.sha256(purpose.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    sequence = np.random.SeedSequence(seed, spawn_key=(replication, *words))
    return np.random.Generator(np.random.PCG64DXSM(sequence))


def service_factors(node: Node, seed: int, replication: int) -> Callable[[], float] | None:
    """Return draws of service time over its mean, or None where the time does not vary.

    ``exponential`` has mean 1; ``lognormal`` has mean 1 and coefficient of variation ``cv``:
    sigma² = ln(1 + cv²), mu = -sigma²/2. ``measured`` draws from the quantiles of the device's
    spread, straight lines between them, over their mean.
    """
    kind, cv = node.variability.kind, node.variability.cv or 0.0
    if kind == "none" or (kind == "lognormal" and cv == 0.0):
        return None
    return chain.from_iterable(_blocks(node, seed, replication)).__next__


def _blocks(node: Node, seed: int, replication: int) -> Iterator[list[float]]:
    """Draw blocks that grow: the numbers are those that one block of all would have."""
    draw = _draws(node, stream(seed, replication, f"service {node.name}"))
    size = _FIRST_BLOCK
    while True:
        yield draw(size).tolist()
        size = min(2 * size, _BLOCK)


def _draws(node: Node, generator: np.random.Generator) -> Callable[[int], NDArray[np.float64]]:
    """Return a function that draws the next so many factors."""
    kind, cv = node.variability.kind, node.variability.cv or 0.0
    if kind == "exponential":
        return generator.standard_exponential
    if kind == "lognormal":
        variance = float(np.log1p(cv * cv))
        return lambda size: generator.lognormal(-variance / 2, variance**0.5, size)
    quantiles = np.asarray(node.device.spread)
    # The mean of a distribution whose inverse is these straight lines.
    quantiles = quantiles / np.trapezoid(quantiles, dx=1 / (len(quantiles) - 1))
    at = np.linspace(0.0, 1.0, len(quantiles))
    return lambda size: np.interp(generator.random(size), at, quantiles)
