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
from pathlib import Path

import numpy as np

from edgesim.calibrate.families import FAMILIES
from edgesim.calibrate.model import Unknowns, log_time
from edgesim.calibrate.problem import Problem
from edgesim.calibrate.rows import MOVES, PRODUCTS, Array, Row, as_written, rows


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


def fit(family: str, without: str | None = None) -> FamilyFit:
    """Return what is found for a family.

    Args:
        family: one of `FAMILIES`.
        without: an architecture whose rows are left out.
    """
    problem = Problem(family, without)
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
