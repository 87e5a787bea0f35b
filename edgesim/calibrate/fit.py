"""Fits efficiencies, launch overheads and memory bandwidths to published figures.

``python -m edgesim.calibrate.fit`` prints what it finds and how well it predicts models that it
did not see; ``--write`` puts the figures into the catalog.

For each device d the unknowns are the share of the peak that each operator kind reaches at each
precision, the share of the specified memory bandwidth, and the launch overhead: u_d, as logarithms.
Devices of one family resemble each other, so u_d is drawn to the family's mean m, and m, weakly, to
what is usual (`USUAL`). With t the model's time of a row and p the published one, it minimises

    sum over rows (ln t - ln p)² / s² + sum over devices |u_d - m|² / a² + |m - usual|² / b²

with s = 0.1 (10 %), a = 0.5 and b = 1: a row outweighs the family, and the family outweighs what is
usual. Shares are at most 1, and memory may seem faster than specified where caches serve it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.rows import KINDS, Row, rows
from edgesim.hardware import catalog
from edgesim.hardware.processor import Processor

FAMILIES = {
    "arm": "raspberry-pi",
    "jetson": "jetson",
    "x86": "intel",
    "nvidia": "nvidia",
}
"""Families of devices by the beginning of their names."""

ROW_SIGMA, DEVICE_SIGMA, FAMILY_SIGMA = 0.1, 0.5, 1.0
USUAL = {"linear": 0.5, "attention": 0.2, "conv": 0.4, "depthwise": 0.1}
USUAL_BANDWIDTH, USUAL_OVERHEAD_S = 0.8, 20e-6
_LEAST, _MOST_BANDWIDTH = 0.005, 2.0
_LEAST_OVERHEAD_S, _MOST_OVERHEAD_S = 0.2e-6, 1e-3

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What was found for one device.

    Attributes:
        efficiency: by precision and operator kind.
        bandwidth_share: of the specified memory bandwidth.
        launch_overhead_s: of each kernel.
        rows: that the fit saw, by precision.
    """

    efficiency: Mapping[str, Mapping[str, float]]
    bandwidth_share: float
    launch_overhead_s: float
    rows: Mapping[str, int]


def family_of(device: str) -> str:
    """Return the family of a device."""
    return next(name for name, start in FAMILIES.items() if device.startswith(start))


def members(family: str) -> list[str]:
    """Return the catalog's devices of a family."""
    return [name for name in catalog.names() if name.startswith(FAMILIES[family])]


class _Problem:
    """Unknowns of a family: for each device, and for the mean in the last place."""

    def __init__(self, devices: list[str], without: str | None) -> None:
        self.devices = devices
        self.processors: list[Processor] = []
        for name in devices:
            # As written: what an earlier fit found must not matter.
            processor = catalog.from_mapping(name, catalog.written(name))
            assert isinstance(processor, Processor)
            self.processors.append(processor)
        found = {precision: None for one in self.processors for precision in one.peak_flop_s}
        self.precisions = list(found)
        self.rows = [
            (index, row)
            for index, name in enumerate(devices)
            for row in rows(name)
            if row.published.fit and row.architecture != without
        ]
        kinds = [USUAL[kind] for kind in KINDS] * len(self.precisions)
        self.usual = np.log([USUAL_BANDWIDTH, USUAL_OVERHEAD_S, *kinds])
        width = len(self.usual)
        shares = [_LEAST] * (width - 2)
        self.low = np.log([0.3, _LEAST_OVERHEAD_S, *shares])
        self.high = np.log([_MOST_BANDWIDTH, _MOST_OVERHEAD_S, *([1.0] * (width - 2))])

    def shares(self, unknowns: Vector, precision: str) -> Vector:
        """Return the efficiencies of each kind."""
        start = 2 + len(KINDS) * self.precisions.index(precision)
        return np.exp(unknowns[start : start + len(KINDS)])

    def time_s(self, unknowns: Vector, index: int, row: Row) -> float:
        """Return the modelled time of a row; the formula of `Processor`."""
        processor = self.processors[index]
        precision = row.published.precision
        peak = processor.peak_flop_s[precision]
        compute_s = row.flop @ (1.0 / (peak * self.shares(unknowns, precision)))
        memory_s = row.bytes / (processor.memory_bandwidth_byte_s * np.exp(unknowns[0]))
        return float(np.maximum(compute_s, memory_s).sum() + len(row.bytes) * np.exp(unknowns[1]))

    def residuals(self, flat: Vector) -> Vector:
        """Return what the fit makes small."""
        table = flat.reshape(len(self.devices) + 1, -1)
        mean = table[-1]
        of_rows = [
            np.log(self.time_s(table[index], index, row) / row.published.latency_s) / ROW_SIGMA
            for index, row in self.rows
        ]
        return np.concatenate(
            [
                np.array(of_rows),
                ((table[:-1] - mean) / DEVICE_SIGMA).ravel(),
                (mean - self.usual) / FAMILY_SIGMA,
            ]
        )

    def solve(self) -> NDArray[np.float64]:
        """Return the unknowns, (devices + 1, width)."""
        from scipy.optimize import least_squares

        copies = len(self.devices) + 1
        start = np.clip(np.tile(self.usual, copies), np.tile(self.low, copies) + 1e-6,
                        np.tile(self.high, copies) - 1e-6)  # fmt: skip
        solution = least_squares(
            self.residuals,
            start,
            bounds=(np.tile(self.low, copies), np.tile(self.high, copies)),
            xtol=1e-9,
            ftol=1e-9,
        )
        return np.asarray(solution.x.reshape(copies, -1))


def specified_bandwidth(device: str) -> float:
    """Return a device's memory bandwidth as its entry says, before any fit."""
    from edgesim import units

    entry = catalog.written(device)
    return units.parse(entry["memory"]["bandwidth"], "bandwidth")


def fit(family: str, without: str | None = None) -> dict[str, Fitted]:
    """Return what is found for each device of a family.

    Args:
        family: one of `FAMILIES`.
        without: an architecture whose rows are left out.
    """
    problem = _Problem(members(family), without)
    table = problem.solve()
    found = {}
    for index, name in enumerate(problem.devices):
        precisions = problem.processors[index].peak_flop_s
        seen = [str(row.published.precision) for at, row in problem.rows if at == index]
        found[name] = Fitted(
            efficiency={
                precision: {
                    kind.value: float(share)
                    for kind, share in zip(
                        KINDS, problem.shares(table[index], precision), strict=True
                    )
                }
                for precision in precisions
            },
            bandwidth_share=float(np.exp(table[index][0])),
            launch_overhead_s=float(np.exp(table[index][1])),
            rows={precision: seen.count(precision) for precision in precisions},
        )
    return found


def document() -> dict[str, object]:
    """Return what is found for every device, as it stands in the catalog."""
    entries: dict[str, object] = {}
    for family in FAMILIES:
        found = fit(family)
        for name, one in found.items():
            entries[name] = {
                "efficiency": {
                    precision: {kind: _rounded(share) for kind, share in shares.items()}
                    for precision, shares in one.efficiency.items()
                },
                "launch_overhead": _rounded(one.launch_overhead_s),
                "bandwidth_share": _rounded(one.bandwidth_share),
                "rows": dict(one.rows),
                "family_rows": {
                    precision: sum(other.rows.get(precision, 0) for other in found.values())
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
