"""The time that a processor's formula gives for a published row, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.rows import KINDS, PRODUCTS, Array, Kernels


@dataclass(frozen=True)
class Unknowns:
    """Where the unknowns of one device stand in its vector of logarithms.

    First the share of the specified bandwidth, the launch overhead (s) and the half-saturation
    (elements); then for each precision the shares of `KINDS`: of the peak for `PRODUCTS`, of the
    bandwidth for `MOVES`.
    """

    precisions: tuple[str, ...]

    BANDWIDTH, OVERHEAD, HALF = range(3)
    FIRST_SHARE = 3

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.FIRST_SHARE + len(KINDS) * len(self.precisions)

    def shares(self, precision: str) -> slice:
        """Where the shares of `KINDS` at a precision stand."""
        start = self.FIRST_SHARE + len(KINDS) * self.precisions.index(precision)
        return slice(start, start + len(KINDS))

    def by_kind(self, vector: Array, precision: str) -> dict[str, float]:
        """Return the entries of a device's vector that stand for `KINDS` at a precision."""
        own = map(float, vector[self.shares(precision)])
        return dict(zip(map(str, KINDS), own, strict=True))

    def runtime(self, precision: str) -> Array:
        """Return the matrix that adds a runtime's logarithmic factors to a device's vector.

        The factors are those of the whole time, of each kind in `PRODUCTS`, and of all `MOVES`.
        """
        matrix = np.zeros((self.size, len(RUNTIME_FACTORS)))
        start = self.shares(precision).start
        products = range(start, start + len(PRODUCTS))
        matrix[self.BANDWIDTH, 0], matrix[self.OVERHEAD, 0] = -1.0, 1.0
        matrix[products, 0] = -1.0
        matrix[products, range(1, 1 + len(PRODUCTS))] = -1.0
        matrix[start + len(PRODUCTS) : start + len(KINDS), -1] = -1.0
        return matrix


RUNTIME_FACTORS = ("time", *PRODUCTS, "moves")
"""What a runtime has a factor for: the whole time, and besides each product, and all `MOVES`."""


def log_times(
    kernels: Kernels,
    values: Array,
    peak_flop_s: Array,
    bandwidth_byte_s: Array,
    clock_ratio: Array,
) -> tuple[Array, Array]:
    """Return the logarithm of the modelled time of each graph in seconds, and its gradient.

    The formula is that of `edgesim.hardware.processor.Processor`. Compute time and launches shorten
    with ``clock_ratio``. At a kink of the roofline the gradient is that of one side.

    Args:
        kernels: kernels of the graphs.
        values: (graphs, unknowns) unknowns of each graph's device at its precision, as logarithms:
            the share of the bandwidth, the launch overhead, the half-saturation, and the shares of
            `KINDS`.
        peak_flop_s: (graphs,) peak at the device's own clock.
        bandwidth_byte_s: (graphs,) specified memory bandwidth.
        clock_ratio: (graphs,) clock of the measured device over the device's own.

    Returns:
        Arrays (graphs,) and (graphs, unknowns).
    """
    if not len(values):
        return np.zeros(0), np.zeros(values.shape)
    part = _parts(kernels, values, peak_flop_s, bandwidth_byte_s, clock_ratio)
    compute_s, memory_s, launch_s = part.compute_s, part.memory_s, part.launch_s
    time_s = np.add.reduceat(np.maximum(compute_s, memory_s) + launch_s, kernels.starts)

    computing = compute_s >= memory_s
    slow = np.flatnonzero((kernels.moves >= 0) & ~computing)
    slopes = np.zeros((len(memory_s), values.shape[1]))
    slopes[:, Unknowns.BANDWIDTH] = np.where(computing, 0.0, -memory_s)
    slopes[:, Unknowns.OVERHEAD] = launch_s
    slopes[computing, Unknowns.HALF] = part.idle_s[computing].sum(axis=1)
    slopes[computing, _PRODUCTS] = -(part.full_s + part.idle_s)[computing]
    slopes[slow, part.own[slow]] = -memory_s[slow]
    return np.log(time_s), np.add.reduceat(slopes, kernels.starts) / time_s[:, None]


def log_time(
    kernels: Kernels,
    shares: slice,
    values: Array,
    peak_flop_s: float,
    bandwidth_byte_s: float,
    clock_ratio: float = 1.0,
) -> tuple[Array, Array]:
    """Return `log_times` of graphs that all run on one device; gradients are of its whole vector.

    Args:
        kernels: kernels of the graphs.
        shares: place of the shares of `KINDS` in ``values``.
        values: (unknowns,) unknowns as logarithms, laid out as `Unknowns` says.
        peak_flop_s: peak at the device's own clock.
        bandwidth_byte_s: specified memory bandwidth.
        clock_ratio: clock of the measured device over the device's own.
    """
    own = np.concatenate([np.arange(Unknowns.FIRST_SHARE), np.arange(shares.start, shares.stop)])
    graphs = len(kernels.starts)
    times, slopes = log_times(
        kernels,
        np.tile(values[own], (graphs, 1)),
        np.full(graphs, peak_flop_s),
        np.full(graphs, bandwidth_byte_s),
        np.full(graphs, clock_ratio),
    )
    whole = np.zeros((graphs, len(values)))
    whole[:, own] = slopes
    return times, whole


def kinds_of_time(
    kernels: Kernels,
    values: Array,
    peak_flop_s: Array,
    bandwidth_byte_s: Array,
    clock_ratio: Array,
) -> Array:
    """Return the share of each graph's time that kernels of each of `KINDS` take.

    A kernel with products is of the kind that computes longest. Arguments are those of `log_times`.
    """
    if not len(values):
        return np.zeros((0, len(KINDS)))
    part = _parts(kernels, values, peak_flop_s, bandwidth_byte_s, clock_ratio)
    time_s = np.maximum(part.compute_s, part.memory_s) + part.launch_s
    longest = (part.full_s + part.idle_s).argmax(axis=1)
    kind = np.where(kernels.moves >= 0, len(PRODUCTS) + kernels.moves, longest)
    by_kind = np.zeros((len(time_s), len(KINDS)))
    by_kind[np.arange(len(time_s)), kind] = time_s
    found = np.add.reduceat(by_kind, kernels.starts)
    shares: Array = found / found.sum(axis=1, keepdims=True)
    return shares


_PRODUCTS = slice(Unknowns.FIRST_SHARE, Unknowns.FIRST_SHARE + len(PRODUCTS))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Times of each kernel alone: (kernels, products), then (kernels,), and where its share is."""

    full_s: Array
    idle_s: Array
    compute_s: Array
    memory_s: Array
    launch_s: Array
    own: NDArray[np.intp]


def _parts(
    kernels: Kernels,
    values: Array,
    peak_flop_s: Array,
    bandwidth_byte_s: Array,
    clock_ratio: Array,
) -> _Parts:
    counts = np.diff([*kernels.starts, len(kernels.bytes)])
    graph = np.repeat(np.arange(len(values)), counts)
    linear = np.exp(values)
    rates = ((peak_flop_s * clock_ratio)[:, None] * linear[:, _PRODUCTS])[graph]
    full_s = kernels.flop / rates
    idle_s = linear[graph, Unknowns.HALF, None] * kernels.depth_flop / rates
    moving = kernels.moves >= 0
    own = _PRODUCTS.stop + kernels.moves
    share = np.where(moving, linear[graph, own], 1.0)
    bandwidth = (bandwidth_byte_s * linear[:, Unknowns.BANDWIDTH])[graph]
    return _Parts(
        full_s=full_s,
        idle_s=idle_s,
        compute_s=(full_s + idle_s).sum(axis=1),
        memory_s=kernels.bytes / (bandwidth * share),
        launch_s=(linear[:, Unknowns.OVERHEAD] / clock_ratio)[graph],
        own=own,
    )
