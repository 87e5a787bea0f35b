"""The time that a processor's formula gives for a published row, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def log_time(
    kernels: Kernels,
    shares: slice,
    values: Array,
    peak_flop_s: float,
    bandwidth_byte_s: float,
    clock_ratio: float = 1.0,
) -> tuple[Array, Array]:
    """Return the logarithm of the modelled time of each graph in seconds, and its gradient.

    The formula is that of `edgesim.hardware.processor.Processor`. Compute time and launches shorten
    with ``clock_ratio``. At a kink of the roofline the gradient is that of one side.

    Args:
        kernels: kernels of the graphs.
        shares: place of the shares of `KINDS` in ``values``.
        values: unknowns as logarithms, laid out as `Unknowns` says.
        peak_flop_s: peak at the device's own clock.
        bandwidth_byte_s: specified memory bandwidth.
        clock_ratio: clock of the measured device over the device's own.

    Returns:
        Arrays (graphs,) and (graphs, unknowns).
    """
    products = slice(shares.start, shares.start + len(PRODUCTS))
    rates = peak_flop_s * clock_ratio * np.exp(values[products])
    full_s = kernels.flop / rates
    idle_s = np.exp(values[Unknowns.HALF]) * kernels.depth_flop / rates
    compute_s = (full_s + idle_s).sum(axis=1)
    moving = kernels.moves >= 0
    own = products.stop + kernels.moves
    share = np.where(moving, np.exp(values[own]), 1.0)
    memory_s = kernels.bytes / (bandwidth_byte_s * np.exp(values[Unknowns.BANDWIDTH]) * share)
    launch_s = np.exp(values[Unknowns.OVERHEAD]) / clock_ratio
    time_s = np.add.reduceat(np.maximum(compute_s, memory_s) + launch_s, kernels.starts)

    computing = compute_s >= memory_s
    slow = np.flatnonzero(moving & ~computing)
    slopes = np.zeros((len(memory_s), len(values)))
    slopes[:, Unknowns.BANDWIDTH] = np.where(computing, 0.0, -memory_s)
    slopes[:, Unknowns.OVERHEAD] = launch_s
    slopes[computing, Unknowns.HALF] = idle_s[computing].sum(axis=1)
    slopes[computing, products] = -(full_s + idle_s)[computing]
    slopes[slow, own[slow]] = -memory_s[slow]
    return np.log(time_s), np.add.reduceat(slopes, kernels.starts) / time_s[:, None]
