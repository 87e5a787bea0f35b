"""Fits efficiencies, launch overheads, memory bandwidths and the batch law to published figures.

``python -m edgesim.calibrate.fit`` prints what it finds and how well it predicts models that it
did not see; ``--write`` puts the figures into the catalog.

For each device d the unknowns u_d, as logarithms, are the share of the peak that each kind of
product reaches at each precision, the share of the bandwidth that each kind of operator without
products reaches, the share of the specified bandwidth, the launch overhead and the half-saturation.
Devices of one family resemble each other, so u_d is drawn to the family's mean m, and m to what is
usual (`Family`). A convolution is computed as a matrix product and a product at one precision much
like at the next, so their shares are drawn together: differences D u_d = 0. A runtime other than
the family's own takes a factor exp(f) of the time, the same for all devices and precisions. With t
the model's time of a row and p the published one, it minimises

    sum over rows (ln t + f - ln p)² / s² + sum over devices (|u_d - m|² / a² + |D u_d|² / d²)
    + |m - usual|² / b² + sum over runtimes f² / c²

with s = 0.1 (10 %), a = d = 0.5 and b = c = 1: a row outweighs the family, and the family outweighs
what is usual. Shares are at most 1; memory may seem up to twice as fast as specified where caches
serve it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np

from edgesim.calibrate.model import Unknowns, log_time
from edgesim.calibrate.rows import MOVES, PRODUCTS, Array, Row, as_written, rows
from edgesim.graph import OpKind
from edgesim.hardware import catalog


@dataclass(frozen=True, slots=True)
class Family:
    """Devices that resemble each other.

    Attributes:
        prefix: of their names.
        runtimes: that the catalog's figures are of; others take a factor.
        half_saturation: output elements that usually reach half of the efficiency.
        launch_overhead_s: that is usual.
        shares: that are usual, of the peak or the bandwidth, by operator kind.
    """

    prefix: str
    runtimes: frozenset[str]
    half_saturation: float
    launch_overhead_s: float
    shares: Mapping[str, float]


_PRODUCTS = {"linear": 0.5, "attention": 0.2, "conv": 0.5, "depthwise": 0.1}
_VECTORS = {"norm": 0.5, "softmax": 0.5, "activation": 0.5}
_COPIES = {"elementwise": 0.7, "pool": 0.7, "memory": 0.7}
# Small cores are busy with exponentials and several passes over rows long before memory is.
_SCALARS = {"norm": 0.15, "softmax": 0.15, "activation": 0.15}

FAMILIES = {
    "arm": Family(
        "raspberry-pi", frozenset({"TFLite"}), 1e3, 20e-6, _PRODUCTS | _SCALARS | _COPIES
    ),
    "jetson": Family("jetson", frozenset({"TensorRT"}), 3e4, 10e-6, _PRODUCTS | _VECTORS | _COPIES),
    "x86": Family("intel", frozenset({"PyTorch"}), 1e4, 20e-6, _PRODUCTS | _VECTORS | _COPIES),
    "nvidia": Family(
        "nvidia",
        frozenset({"PyTorch AMP", "PyTorch compiled"}),
        1e5,
        10e-6,
        _PRODUCTS | _VECTORS | _COPIES,
    ),
}
"""Families by name, with what is usual: estimates, which the rows outweigh."""

ROW_SIGMA, DEVICE_SIGMA, LIKENESS_SIGMA, RUNTIME_SIGMA = 0.1, 0.5, 0.5, 1.0
FAMILY_SIGMA = 1.0
USUAL_BANDWIDTH = 0.8
_LEAST_SHARE, _LEAST_BANDWIDTH, _MOST_BANDWIDTH = 0.002, 0.3, 2.0
_OVERHEAD_S, _HALF = (0.2e-6, 1e-3), (1.0, 1e7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What was found for one device.

    Attributes:
        efficiency: by precision and operator kind.
        bandwidth_share: of the specified memory bandwidth.
        launch_overhead_s: of each kernel.
        half_saturation: output elements that reach half of the efficiency.
        rows: that the fit saw, by precision.
        values: all unknowns, as logarithms.
    """

    efficiency: Mapping[str, Mapping[str, float]]
    bandwidth_share: float
    launch_overhead_s: float
    half_saturation: float
    rows: Mapping[str, int]
    values: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFit:
    """What was found for a family.

    Attributes:
        unknowns: how the unknowns of each device are laid out.
        devices: by name.
        runtimes: time of each runtime over the time of the family's own; 1 for those.
    """

    unknowns: Unknowns
    devices: Mapping[str, Fitted]
    runtimes: Mapping[str, float]

    def time_s(self, row: Row) -> float:
        """Return the modelled time of a row."""
        device = as_written(row.device)
        logarithm, _ = log_time(
            row,
            self.unknowns,
            self.devices[row.device].values,
            device.peak_flop_s[row.published.precision],
            device.memory_bandwidth_byte_s,
        )
        return float(np.exp(logarithm)) * self.runtimes.get(row.published.runtime, 1.0)


def members(family: str) -> list[str]:
    """Return the catalog's devices of a family."""
    return [name for name in catalog.names() if name.startswith(FAMILIES[family].prefix)]


class _Problem:
    """Unknowns of a family: a row for each device and one for the mean; then the runtimes."""

    def __init__(self, family: str, without: str | None) -> None:
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
        own = FAMILIES[family]
        runtimes = dict.fromkeys(row.published.runtime for _, row in every)
        self.runtimes = [name for name in runtimes if name not in own.runtimes]
        shares = [own.shares[kind] for kind in (*MOVES, *(PRODUCTS * len(precisions)))]
        first = [USUAL_BANDWIDTH, own.launch_overhead_s, own.half_saturation]
        self.usual = np.log([*first, *shares])
        self.low = np.log(
            [_LEAST_BANDWIDTH, _OVERHEAD_S[0], _HALF[0], *[_LEAST_SHARE] * len(shares)]
        )
        self.likeness = self._likeness()
        self.high = np.log([_MOST_BANDWIDTH, _OVERHEAD_S[1], _HALF[1], *[1.0] * len(shares)])

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
        """Return (devices + 1, unknowns) and (runtimes,)."""
        end = (len(self.devices) + 1) * self.unknowns.size
        return flat[:end].reshape(len(self.devices) + 1, -1), flat[end:]

    def evaluate(self, flat: Array) -> tuple[Array, Array]:
        """Return the residuals that the fit makes small, and their Jacobian."""
        table, factors = self.split(flat)
        size, count = self.unknowns.size, len(self.devices)
        residuals, jacobian = [], np.zeros((len(self.rows), flat.size))
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
                jacobian[at, (count + 1) * size + which] = 1.0
            residuals.append(value - np.log(row.published.latency_s))
        to_mean = np.hstack(
            [
                np.eye(count * size),
                np.tile(-np.eye(size), (count, 1)),
                np.zeros((count * size, factors.size)),
            ]
        )
        to_usual = np.eye(flat.size)[count * size :]
        spread = np.concatenate([np.full(size, FAMILY_SIGMA), np.full(factors.size, RUNTIME_SIGMA)])
        alike = np.zeros((count * len(self.likeness), flat.size))
        alike[:, : count * size] = np.kron(np.eye(count), self.likeness)
        return (
            np.concatenate(
                [
                    np.array(residuals) / ROW_SIGMA,
                    (table[:-1] - table[-1]).ravel() / DEVICE_SIGMA,
                    np.concatenate([table[-1] - self.usual, factors]) / spread,
                    alike @ flat / LIKENESS_SIGMA,
                ]
            ),
            np.vstack(
                [
                    jacobian / ROW_SIGMA,
                    to_mean / DEVICE_SIGMA,
                    to_usual / spread[:, np.newaxis],
                    alike / LIKENESS_SIGMA,
                ]
            ),
        )

    def solve(self) -> tuple[Array, Array]:
        """Return the unknowns of each device (the mean last) and the runtimes' factors."""
        from scipy.optimize import least_squares

        copies, others = len(self.devices) + 1, np.zeros(len(self.runtimes))
        wide = np.full(others.size, np.log(100.0))
        low = np.concatenate([np.tile(self.low, copies), -wide])
        high = np.concatenate([np.tile(self.high, copies), wide])
        start = np.concatenate([np.tile(self.usual, copies), others])
        solution = least_squares(
            lambda flat: self.evaluate(flat)[0],
            np.clip(start, low + 1e-6, high - 1e-6),
            jac=lambda flat: self.evaluate(flat)[1],
            bounds=(low, high),
            xtol=1e-8,
            ftol=1e-8,
        )
        return self.split(solution.x)


def fit(family: str, without: str | None = None) -> FamilyFit:
    """Return what is found for a family.

    Args:
        family: one of `FAMILIES`.
        without: an architecture whose rows are left out.
    """
    problem = _Problem(family, without)
    table, factors = problem.solve()
    unknowns = problem.unknowns
    found = {}
    for index, name in enumerate(problem.devices):
        values = table[index]
        moves = np.exp(values[unknowns.moves])
        seen = [str(row.published.precision) for at, row in problem.rows if at == index]
        precisions = problem.processors[index].peak_flop_s
        found[name] = Fitted(
            efficiency={
                precision: {
                    kind.value: float(share)
                    for kind, share in zip(
                        (*PRODUCTS, *MOVES),
                        (*np.exp(values[unknowns.products(precision)]), *moves),
                        strict=True,
                    )
                }
                for precision in precisions
            },
            bandwidth_share=float(np.exp(values[unknowns.BANDWIDTH])),
            launch_overhead_s=float(np.exp(values[unknowns.OVERHEAD])),
            half_saturation=float(np.exp(values[unknowns.HALF])),
            rows={precision: seen.count(precision) for precision in precisions},
            values=values,
        )
    runtimes = {
        name: float(np.exp(value)) for name, value in zip(problem.runtimes, factors, strict=True)
    }
    return FamilyFit(unknowns=unknowns, devices=found, runtimes=runtimes)


def document() -> dict[str, object]:
    """Return what is found for every device, as it stands in the catalog."""
    entries: dict[str, object] = {}
    for family in FAMILIES:
        found = fit(family)
        for name, one in found.devices.items():
            runtimes = {row.published.runtime for row in rows(name)}
            entries[name] = {
                "efficiency": {
                    precision: {kind: _rounded(share) for kind, share in shares.items()}
                    for precision, shares in one.efficiency.items()
                },
                "launch_overhead": _rounded(one.launch_overhead_s),
                "half_saturation": _rounded(one.half_saturation),
                "bandwidth_share": _rounded(one.bandwidth_share),
                "runtimes": {
                    runtime: _rounded(factor)
                    for runtime, factor in found.runtimes.items()
                    if runtime in runtimes
                },
                "rows": dict(one.rows),
                "family_rows": {
                    precision: sum(other.rows.get(precision, 0) for other in found.devices.values())
                    for precision in one.rows
                },
                "family": family,
            }
    return dict(sorted(entries.items()))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    """Fit, print, and with ``--write`` put the figures into the catalog."""
    from edgesim.calibrate.predict import leave_one_model_out

    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--write", action="store_true", help="write the catalog's fitted figures")
    found = document()
    print(json.dumps(found, indent=1))
    if parser.parse_args().write:
        path = Path(str(files("edgesim.hardware.catalog") / "fitted.json"))
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"Wrote {path.name}")
    print(leave_one_model_out())


if __name__ == "__main__":
    main()
