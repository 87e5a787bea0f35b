"""The least-squares problem of one family; its terms are written out in `edgesim.calibrate.fit`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.families import FAMILIES, Family, members
from edgesim.calibrate.model import RUNTIME_FACTORS, Unknowns, kinds_of_time, log_times
from edgesim.calibrate.outside import ROW_SIGMA, ROW_TAIL
from edgesim.calibrate.rows import KINDS, PRODUCTS, Array, Row, as_written, joined, rows
from edgesim.calibrate.solve import minimum
from edgesim.graph import BYTES_PER_ELEMENT, OpKind

ROW_LIMIT = 2.0
DEVICE_SIGMA, LIKENESS_SIGMA, UNLIKE_SIGMA = 0.5, 0.5, 2.0
FEW_SIGMA, FEW_ROWS, NOTABLE = 0.2, 3, 0.1
FAMILY_SIGMA, RUNTIME_SIGMA, RUNTIME_KIND_SIGMA = 1.0, 1.0, 0.5
_USUAL_BANDWIDTH, _BANDWIDTH = 0.8, (0.1, 2.0)
_OVERHEAD_S, _HALF, _SHARE = (0.2e-6, 1e-3), (1.0, 1e7), (0.002, 1.0)
_RUNTIME = 100.0
_AT_BOUND = 1e-3
_RUNTIME_SIZE = len(RUNTIME_FACTORS)
Loss = Callable[[Array], tuple[Array, Array]]


class Problem:
    """All unknowns of a family in one vector: each device's, the mean's, the runtimes' factors.

    Args:
        family: one of `FAMILIES`.
        without: architectures whose rows are left out.
        unseen: says of further rows whether they are left out.
    """

    def __init__(
        self,
        family: str,
        without: Collection[str] = (),
        unseen: Callable[[Row], bool] = lambda _: False,
    ) -> None:
        own = FAMILIES[family]
        self.family = own
        self.devices = members(family)
        self.processors = [as_written(name) for name in self.devices]
        precisions = dict.fromkeys(key for one in self.processors for key in one.peak_flop_s)
        self.unknowns = Unknowns(tuple(precisions))
        every = [row for name in self.devices for row in rows(name) if row.published.fit]
        self.rows = [row for row in every if row.architecture not in without and not unseen(row)]
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
        self._published = np.log([row.published.latency_s for row in self.rows])
        self._kernels = joined([row.kernels for row in self.rows])
        self._where, self._peaks, self._bandwidths, self._clocks = self._places()
        self.prior, self.offset = self._prior(usual)
        self._hessian = self.prior.T @ self.prior

    def _places(self) -> tuple[NDArray[np.intp], Array, Array, Array]:
        """Return where each row's unknowns stand in the vector, and its device's figures.

        The unknowns of a row are its device's three figures, the shares at its precision, and the
        factors of its runtime; these are -1 for the family's own.
        """
        kinds, runtime_start = len(KINDS), (len(self.devices) + 1) * self.unknowns.size
        where = np.full((len(self.rows), Unknowns.FIRST_SHARE + kinds + _RUNTIME_SIZE), -1)
        figures = []
        for at, row in enumerate(self.rows):
            index, precision = self.devices.index(row.device), row.published.precision
            start, shares = index * self.unknowns.size, self.unknowns.shares(precision)
            where[at, : Unknowns.FIRST_SHARE] = start + np.arange(Unknowns.FIRST_SHARE)
            where[at, Unknowns.FIRST_SHARE :][:kinds] = start + np.arange(shares.start, shares.stop)
            if (runtime := _runtime(row)) in self.runtimes:
                first = runtime_start + _RUNTIME_SIZE * self.runtimes.index(runtime)
                where[at, -_RUNTIME_SIZE:] = first + np.arange(_RUNTIME_SIZE)
            device = self.processors[index]
            bandwidth = device.memory.bandwidth_byte_s
            figures.append((device.peak_flop_s[precision], bandwidth, row.published.clock_ratio))
        peaks, bandwidths, clocks = np.array(figures or np.empty((0, 3))).T
        return where, peaks, bandwidths, clocks

    def _device_sigmas(self, usual: Array) -> Array:
        """Return how far each unknown of each device may be from the family's mean.

        A kind that fewer than three rows of a device tell of is held nearer to it.
        """
        sigmas = np.full((len(self.devices), self.unknowns.size), DEVICE_SIGMA)
        values = np.zeros((len(self.rows), Unknowns.FIRST_SHARE + len(KINDS)))
        values[:, : Unknowns.FIRST_SHARE] = usual[: Unknowns.FIRST_SHARE]
        for at, row in enumerate(self.rows):
            values[at, Unknowns.FIRST_SHARE :] = usual[
                self.unknowns.shares(row.published.precision)
            ]
        told = (
            kinds_of_time(self._kernels, values, self._peaks, self._bandwidths, self._clocks)
            >= NOTABLE
        )
        for index, name in enumerate(self.devices):
            for precision in self.unknowns.precisions:
                own = [
                    row.device == name and row.published.precision == precision for row in self.rows
                ]
                few = told[np.array(own, dtype=bool)].sum(axis=0) < FEW_ROWS
                sigmas[index, self.unknowns.shares(precision)][few] = FEW_SIGMA
        return sigmas

    def _prior(self, usual: Array) -> tuple[Array, Array]:
        """Return the matrix and offset of the linear residuals of the prior."""
        count, size = len(self.devices), self.unknowns.size
        both, others = count * size, _RUNTIME_SIZE * len(self.runtimes)
        matrix, offset = self._likeness()
        likeness = np.kron(np.eye(count), matrix)
        mean = np.eye(size)
        near = 1.0 / self._device_sigmas(usual).ravel()
        sigmas = [RUNTIME_SIGMA, *[RUNTIME_KIND_SIGMA] * (_RUNTIME_SIZE - 1)] * len(self.runtimes)
        matrix = np.block(
            [
                [
                    np.diag(near),
                    np.tile(-mean, (count, 1)) * near[:, None],
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

    def log_time(self, row: Row, flat: Array) -> float:
        """Return the logarithm of the modelled time of a row, also of one that is left out."""
        index, precision = self.devices.index(row.device), row.published.precision
        table, factors = self.split(flat)
        values = table[index][self._own(precision)]
        if (runtime := _runtime(row)) in self.runtimes:
            values = values + _ADDED @ factors[self.runtimes.index(runtime)]
        device = self.processors[index]
        times, _ = log_times(
            row.kernels,
            values[None],
            np.array([device.peak_flop_s[precision]]),
            np.array([device.memory.bandwidth_byte_s]),
            np.array([row.published.clock_ratio]),
        )
        return float(times[0])

    def _own(self, precision: str) -> NDArray[np.intp]:
        """Return where a device's figures and its shares at a precision stand in its vector."""
        shares = self.unknowns.shares(precision)
        return np.concatenate(
            [np.arange(Unknowns.FIRST_SHARE), np.arange(shares.start, shares.stop)]
        )

    def log_times(self, flat: Array) -> tuple[Array, Array]:
        """Return the logarithms of the modelled times of all rows, and their gradients."""
        local = np.append(flat, 0.0)[self._where]
        few = Unknowns.FIRST_SHARE + len(KINDS)
        added = _ADDED
        values = local[:, :few] + local[:, few:] @ added.T
        times, slopes = log_times(
            self._kernels, values, self._peaks, self._bandwidths, self._clocks
        )
        gradient = np.zeros((len(self.rows), flat.size + 1))
        lines = np.arange(len(self.rows))[:, None]
        gradient[lines, self._where] = np.hstack([slopes, slopes @ added])
        return times, gradient[:, :-1]

    def evaluate(self, flat: Array, loss: Loss | None = None) -> tuple[Array, Array]:
        """Return the residuals that the fit makes small, and their Jacobian."""
        residuals, jacobian = self.row_residuals(flat, loss)
        return (
            np.concatenate([residuals, self.prior @ flat - self.offset]),
            np.vstack([jacobian, self.prior]),
        )

    def row_residuals(self, flat: Array, loss: Loss | None = None) -> tuple[Array, Array]:
        """Return the residuals of the rows, whose squares are their loss, and their Jacobian."""
        values, jacobian = self.log_times(flat)
        residuals, slopes = (loss or far)((values - self._published) / ROW_SIGMA)
        return residuals, jacobian * (slopes[:, None] / ROW_SIGMA)

    def weights(self, flat: Array) -> Array:
        """Return how much each row counts in a solution, from 0 to 1; see `far`."""
        residuals = (self.log_times(flat)[0] - self._published) / ROW_SIGMA
        counted: Array = 1.0 / (1.0 + (residuals / ROW_TAIL) ** 2)
        return counted

    def solve(self) -> Array:
        """Return the solution, to be `split`.

        First with Huber's loss, which has one minimum in what the rows say, then from there with
        the loss that lets rows far outside go.
        """

        def normal(loss: Loss) -> Callable[[Array], tuple[float, Array, Array]]:
            def at(flat: Array) -> tuple[float, Array, Array]:
                residuals, jacobian = self.row_residuals(flat, loss)
                apart = self.prior @ flat - self.offset
                cost = float(residuals @ residuals + apart @ apart)
                gradient = jacobian.T @ residuals + self.prior.T @ apart
                return cost, gradient, jacobian.T @ jacobian + self._hessian

            return at

        found: Array = np.clip(self.start, self.low, self.high)
        for loss in (near_huber, far):
            found = minimum(normal(loss), found, self.low, self.high)
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


def _added() -> Array:
    """Return the matrix that adds a runtime's factors to the unknowns of a row."""
    one = Unknowns(("only",))
    return one.runtime("only")


_ADDED = _added()


def _runtime(row: Row) -> tuple[str, str]:
    """Return the runtime and precision of a row, which have factors of their own."""
    return row.published.runtime, str(row.published.precision)


def near_huber(residuals: Array) -> tuple[Array, Array]:
    """Return `huber` with the limit of rows."""
    return huber(residuals, ROW_LIMIT)


def far(residuals: Array) -> tuple[Array, Array]:
    """Return residuals whose squares are c² ln(1 + r²/c²) of the given ones, and their slopes.

    It is Cauchy's loss, of a scale c of three standard deviations: the pull of a row that is far
    outside falls again with its distance, as 1 / (1 + r²/c²).
    """
    ratio = (residuals / ROW_TAIL) ** 2
    root = ROW_TAIL * np.sqrt(np.log1p(ratio))
    small = ratio < 1e-12
    slope = np.abs(residuals) / (1.0 + ratio) / np.where(small, 1.0, root)
    return np.where(small, residuals, np.sign(residuals) * root), np.where(small, 1.0, slope)


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
