"""The least-squares problem of one family; its terms are written out in `edgesim.calibrate.fit`."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import numpy as np

from edgesim.calibrate.families import FAMILIES, Family, members
from edgesim.calibrate.model import RUNTIME_FACTORS, Unknowns, log_time
from edgesim.calibrate.rows import KINDS, PRODUCTS, Array, Row, as_written, rows
from edgesim.graph import BYTES_PER_ELEMENT, OpKind

ROW_SIGMA, ROW_LIMIT = 0.1, 2.0
DEVICE_SIGMA, LIKENESS_SIGMA, UNLIKE_SIGMA = 0.5, 0.5, 2.0
FAMILY_SIGMA, RUNTIME_SIGMA, RUNTIME_KIND_SIGMA = 1.0, 1.0, 0.5
_USUAL_BANDWIDTH, _BANDWIDTH = 0.8, (0.1, 2.0)
_OVERHEAD_S, _HALF, _SHARE = (0.2e-6, 1e-3), (1.0, 1e7), (0.002, 1.0)
_RUNTIME = 100.0
_AT_BOUND = 1e-3
_RUNTIME_SIZE = len(RUNTIME_FACTORS)


class Problem:
    """All unknowns of a family in one vector: each device's, the mean's, the runtimes' factors.

    Args:
        family: one of `FAMILIES`.
        without: architectures whose rows are left out.
    """

    def __init__(self, family: str, without: Collection[str] = ()) -> None:
        own = FAMILIES[family]
        self.family = own
        self.devices = members(family)
        self.processors = [as_written(name) for name in self.devices]
        precisions = dict.fromkeys(key for one in self.processors for key in one.peak_flop_s)
        self.unknowns = Unknowns(tuple(precisions))
        every = [row for name in self.devices for row in rows(name) if row.published.fit]
        self.rows = [row for row in every if row.architecture not in without]
        named = dict.fromkeys(map(_runtime, every))
        self.runtimes = [key for key in named if key[0] != own.runtime]
        self.added = {key: self.unknowns.runtime(key) for key in precisions}

        shares = [_usual(own, kind, key) for key in precisions for kind in KINDS]
        usual = np.log([_USUAL_BANDWIDTH, own.launch_overhead_s, own.half_saturation, *shares])
        bounds = np.log([_BANDWIDTH, _OVERHEAD_S, _HALF, *[_SHARE] * len(shares)])
        copies = len(self.devices) + 1
        wide = np.full(_RUNTIME_SIZE * len(self.runtimes), np.log(_RUNTIME))
        self.low = np.concatenate([np.tile(bounds[:, 0], copies), -wide])
        self.high = np.concatenate([np.tile(bounds[:, 1], copies), wide])
        self.start = np.concatenate([np.tile(usual, copies), 0.0 * wide])
        self.prior, self.offset = self._prior(usual)

    def _prior(self, usual: Array) -> tuple[Array, Array]:
        """Return the matrix and offset of the linear residuals of the prior."""
        count, size = len(self.devices), self.unknowns.size
        both, others = count * size, _RUNTIME_SIZE * len(self.runtimes)
        matrix, offset = self._likeness()
        likeness = np.kron(np.eye(count), matrix)
        mean = np.eye(size)
        sigmas = [RUNTIME_SIGMA, *[RUNTIME_KIND_SIGMA] * (_RUNTIME_SIZE - 1)] * len(self.runtimes)
        matrix = np.block(
            [
                [
                    np.eye(both) / DEVICE_SIGMA,
                    np.tile(-mean, (count, 1)) / DEVICE_SIGMA,
                    np.zeros((both, others)),
                ],
                [np.zeros((size, both)), mean / FAMILY_SIGMA, np.zeros((size, others))],
                [np.zeros((others, both + size)), np.diag(1.0 / np.array(sigmas))],
                [likeness, np.zeros((len(likeness), size + others))],
            ]
        )
        offset = np.concatenate(
            [np.zeros(both), usual / FAMILY_SIGMA, np.zeros(others), np.tile(offset, count)]
        )
        return matrix, offset

    def _likeness(self) -> tuple[Array, Array]:
        """Return the matrix and offset of the prior of differences within a device."""
        where = [self.unknowns.shares(precision) for precision in self.unknowns.precisions]
        linear, conv = PRODUCTS.index(OpKind.LINEAR), PRODUCTS.index(OpKind.CONV)
        pairs = [(one.start + linear, one.start + conv, 0.0, LIKENESS_SIGMA) for one in where]
        for first, second in pairwise(self.unknowns.precisions):
            for at, kind in enumerate(KINDS):
                unlike = kind in self.family.unlike and "int8" in (first, second)
                difference = np.log(
                    _usual(self.family, kind, first) / _usual(self.family, kind, second)
                )
                pairs.append(
                    (
                        self.unknowns.shares(first).start + at,
                        self.unknowns.shares(second).start + at,
                        difference,
                        UNLIKE_SIGMA if unlike else LIKENESS_SIGMA,
                    )
                )
        matrix, offset = np.zeros((len(pairs), self.unknowns.size)), np.zeros(len(pairs))
        for at, (one_index, other_index, difference, sigma) in enumerate(pairs):
            matrix[at, one_index], matrix[at, other_index] = 1.0 / sigma, -1.0 / sigma
            offset[at] = difference / sigma
        return matrix, offset

    def split(self, flat: Array) -> tuple[Array, Array]:
        """Return (devices + 1, unknowns), the mean last, and (runtimes, factors)."""
        end = (len(self.devices) + 1) * self.unknowns.size
        return flat[:end].reshape(len(self.devices) + 1, -1), flat[end:].reshape(-1, _RUNTIME_SIZE)

    def log_time(self, row: Row, flat: Array) -> tuple[float, Array]:
        """Return the logarithm of the modelled time of a device's row, and its gradient."""
        table, factors = self.split(flat)
        gradient = np.zeros(flat.size)
        published, index = row.published, self.devices.index(row.device)
        device, values = self.processors[index], table[index]
        added, which = self.added[published.precision], None
        if (runtime := _runtime(row)) in self.runtimes:
            which = self.runtimes.index(runtime)
            values = values + added @ factors[which]
        value, slopes = log_time(
            row.kernels,
            self.unknowns.shares(published.precision),
            values,
            device.peak_flop_s[published.precision],
            device.memory.bandwidth_byte_s,
            published.clock_ratio,
        )
        by_device, by_runtime = self.split(gradient)
        by_device[index] = slopes[0]
        if which is not None:
            by_runtime[which] = slopes[0] @ added
        return float(value[0]), gradient

    def evaluate(self, flat: Array) -> tuple[Array, Array]:
        """Return the residuals that the fit makes small, and their Jacobian."""
        residuals, jacobian = np.zeros(len(self.rows)), np.zeros((len(self.rows), flat.size))
        for at, row in enumerate(self.rows):
            value, jacobian[at] = self.log_time(row, flat)
            residuals[at] = value - np.log(row.published.latency_s)
        residuals, slopes = huber(residuals / ROW_SIGMA, ROW_LIMIT)
        jacobian *= slopes[:, None] / ROW_SIGMA
        return (
            np.concatenate([residuals, self.prior @ flat - self.offset]),
            np.vstack([jacobian, self.prior]),
        )

    def solve(self) -> Array:
        """Return the solution, to be `split`."""
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
            xtol=1e-6,
            ftol=1e-6,
        )
        found: Array = solution.x
        return found

    def bound(self, flat: Array) -> Array:
        """Return where a solution stands at one of its bounds, as (devices, unknowns) of bool."""
        near = np.minimum(flat - self.low, self.high - flat) < _AT_BOUND
        return self.split(near)[0][:-1]

    def determined(self, flat: Array) -> Array:
        """Return how far rows determine each unknown of each device.

        1 - (standard deviation with the rows / without them), from the Gauss-Newton Hessian at
        the solution: 0 where no row has an effect, towards 1 where rows determine it.
        """
        with_rows = self.evaluate(flat)[1]
        after, before = (
            np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix))) for matrix in (with_rows, self.prior)
        )
        return self.split(1.0 - after / before)[0][:-1]


def _runtime(row: Row) -> tuple[str, str]:
    """Return the runtime and precision of a row, which have factors of their own."""
    return row.published.runtime, str(row.published.precision)


def huber(residuals: Array, limit: float) -> tuple[Array, Array]:
    """Return residuals whose squares are Huber's loss of the given ones, and their slopes.

    Up to ``limit`` they are the given ones; beyond, their squares grow in proportion only.
    """
    far = np.abs(residuals) > limit
    root = np.sqrt(np.where(far, 2.0 * limit * np.abs(residuals) - limit**2, 1.0))
    return (
        np.where(far, np.sign(residuals) * root, residuals),
        np.where(far, limit / root, 1.0),
    )


def _usual(family: Family, kind: OpKind, precision: str) -> float:
    """Return the usual share of a kind at a precision."""
    share = family.share(kind)
    if kind in family.by_element:
        share *= BYTES_PER_ELEMENT[precision] / BYTES_PER_ELEMENT["fp32"]
    return share
