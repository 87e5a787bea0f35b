"""The least-squares problem of one family; its terms are written out in `edgesim.calibrate.fit`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edgesim.calibrate.families import FAMILIES, members
from edgesim.calibrate.model import Unknowns, log_time
from edgesim.calibrate.rows import MOVES, PRODUCTS, Array, as_written, rows
from edgesim.graph import OpKind

ROW_SIGMA, DEVICE_SIGMA, LIKENESS_SIGMA = 0.1, 0.5, 0.5
FAMILY_SIGMA, RUNTIME_SIGMA = 1.0, 1.0
_USUAL_BANDWIDTH, _BANDWIDTH = 0.8, (0.3, 2.0)
_OVERHEAD_S, _HALF, _SHARE = (0.2e-6, 1e-3), (1.0, 1e7), (0.002, 1.0)
_RUNTIME = 100.0


class Problem:
    """All unknowns of a family in one vector: each device's, the mean's, the runtimes' factors.

    Args:
        family: one of `FAMILIES`.
        without: an architecture whose rows are left out.
    """

    def __init__(self, family: str, without: str | None) -> None:
        own = FAMILIES[family]
        self.devices = members(family)
        self.processors = [as_written(name) for name in self.devices]
        precisions = dict.fromkeys(key for one in self.processors for key in one.peak_flop_s)
        self.unknowns = Unknowns(tuple(precisions))
        every = [
            (index, row)
            for index, name in enumerate(self.devices)
            for row in rows(name)
            if row.published.fit
        ]
        self.rows = [(index, row) for index, row in every if row.architecture != without]
        named = dict.fromkeys(row.published.runtime for _, row in every)
        self.runtimes = [name for name in named if name not in own.runtimes]

        shares = [own.shares[kind] for kind in (*MOVES, *(PRODUCTS * len(precisions)))]
        usual = np.log([_USUAL_BANDWIDTH, own.launch_overhead_s, own.half_saturation, *shares])
        bounds = np.log([_BANDWIDTH, _OVERHEAD_S, _HALF, *[_SHARE] * len(shares)])
        copies, wide = len(self.devices) + 1, np.full(len(self.runtimes), np.log(_RUNTIME))
        self.low = np.concatenate([np.tile(bounds[:, 0], copies), -wide])
        self.high = np.concatenate([np.tile(bounds[:, 1], copies), wide])
        self.start = np.concatenate([np.tile(usual, copies), 0.0 * wide])
        self.prior, self.offset = self._prior(usual)

    def _prior(self, usual: Array) -> tuple[Array, Array]:
        """Return the matrix and offset of the residuals that no row enters, which are linear."""
        count, size, others = len(self.devices), self.unknowns.size, len(self.runtimes)
        one = np.eye(size)
        likeness = np.kron(np.eye(count), self._likeness())
        resemblance = np.hstack([np.eye(count * size), np.tile(-one, (count, 1))])
        matrix = np.zeros((len(resemblance) + len(likeness) + size + others, self.start.size))
        offset = np.zeros(len(matrix))
        at = len(resemblance)
        matrix[:at, : at + size] = resemblance / DEVICE_SIGMA
        matrix[at : at + size, count * size : (count + 1) * size] = one / FAMILY_SIGMA
        offset[at : at + size] = usual / FAMILY_SIGMA
        at += size
        matrix[at : at + others, (count + 1) * size :] = np.eye(others) / RUNTIME_SIGMA
        at += others
        matrix[at:, : count * size] = likeness / LIKENESS_SIGMA
        return matrix, offset

    def _likeness(self) -> Array:
        """Return the differences of a device's unknowns that are drawn to zero."""
        where = [self.unknowns.products(precision) for precision in self.unknowns.precisions]
        linear, conv = PRODUCTS.index(OpKind.LINEAR), PRODUCTS.index(OpKind.CONV)
        pairs = [(one.start + linear, one.start + conv) for one in where]
        for one, other in pairwise(where):
            pairs += zip(range(one.start, one.stop), range(other.start, other.stop), strict=True)
        differences = np.zeros((len(pairs), self.unknowns.size))
        for at, (one_index, other_index) in enumerate(pairs):
            differences[at, one_index], differences[at, other_index] = 1.0, -1.0
        return differences

    def split(self, flat: Array) -> tuple[Array, Array]:
        """Return (devices + 1, unknowns), the mean last, and (runtimes,)."""
        end = (len(self.devices) + 1) * self.unknowns.size
        return flat[:end].reshape(len(self.devices) + 1, -1), flat[end:]

    def evaluate(self, flat: Array) -> tuple[Array, Array]:
        """Return the residuals that the fit makes small, and their Jacobian."""
        table, factors = self.split(flat)
        size = self.unknowns.size
        residuals, jacobian = np.zeros(len(self.rows)), np.zeros((len(self.rows), flat.size))
        for at, (index, row) in enumerate(self.rows):
            device, runtime = self.processors[index], row.published.runtime
            value, gradient = log_time(
                row,
                self.unknowns,
                table[index],
                device.peak_flop_s[row.published.precision],
                device.memory_bandwidth_byte_s,
            )
            jacobian[at, index * size : (index + 1) * size] = gradient
            if runtime in self.runtimes:
                which = self.runtimes.index(runtime)
                value += factors[which]
                jacobian[at, table.size + which] = 1.0
            residuals[at] = value - np.log(row.published.latency_s)
        return (
            np.concatenate([residuals / ROW_SIGMA, self.prior @ flat - self.offset]),
            np.vstack([jacobian / ROW_SIGMA, self.prior]),
        )

    def solve(self) -> tuple[Array, Array]:
        """Return the unknowns of each device (the mean last) and the runtimes' factors."""
        from scipy.optimize import least_squares

        def residuals(flat: Array) -> Array:
            return self.evaluate(flat)[0]

        def jacobian(flat: Array) -> Array:
            return self.evaluate(flat)[1]

        solution = least_squares(
            residuals,
            np.clip(self.start, self.low + 1e-6, self.high - 1e-6),
            jac=jacobian,
            bounds=(self.low, self.high),
            xtol=1e-8,
            ftol=1e-8,
        )
        return self.split(solution.x)
