"""The time that a processor's formula gives for a published row, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesim.calibrate.rows import KINDS, MOVES, PRODUCTS, Array, Row


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
    row: Row, unknowns: Unknowns, values: Array, peak_flop_s: float, bandwidth_byte_s: float
) -> tuple[float, Array]:
    """Return the logarithm of the modelled time of a row in seconds, and its gradient.

    The formula is that of `edgesim.hardware.processor.Processor`; ``values`` are logarithms, laid
    out as ``unknowns`` says. Compute time and launches shorten with the row's clock ratio. At a
    kink of the roofline the gradient is that of one side.
    """
    clock = row.published.clock_ratio
    start = unknowns.shares(row.published.precision).start
    products = slice(start, start + len(PRODUCTS))
    moves = slice(products.stop, products.stop + len(MOVES))
    half = np.exp(values[unknowns.HALF])
    rates = peak_flop_s * clock * np.exp(values[products])
    full_s = row.flop / rates
    idle_s = half * row.depth_flop / rates
    compute_s = (full_s + idle_s).sum(axis=1)
    shares = np.ones(len(row.bytes))
    moving = row.moves >= 0
    shares[moving] = np.exp(values[moves])[row.moves[moving]]
    memory_s = row.bytes / (bandwidth_byte_s * np.exp(values[unknowns.BANDWIDTH]) * shares)
    launches_s = len(row.bytes) * np.exp(values[unknowns.OVERHEAD]) / clock
    computing = compute_s >= memory_s
    time_s = np.where(computing, compute_s, memory_s).sum() + launches_s

    gradient = np.zeros_like(values)
    gradient[unknowns.BANDWIDTH] = -memory_s[~computing].sum()
    gradient[unknowns.OVERHEAD] = launches_s
    gradient[unknowns.HALF] = idle_s[computing].sum()
    slow = moving & ~computing
    gradient[moves] = -np.bincount(row.moves[slow], weights=memory_s[slow], minlength=len(MOVES))
    gradient[products] = -(full_s + idle_s)[computing].sum(axis=0)
    return float(np.log(time_s)), gradient / time_s
