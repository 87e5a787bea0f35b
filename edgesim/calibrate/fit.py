"""Fits efficiencies, launch overheads, memory bandwidths and the batch law to published figures.

``python -m edgesim.calibrate`` prints the errors of the fit on figures that it saw, and on models
that it did not see; ``--rows`` prints every row, and ``--write`` writes the result to the catalog.

For each device d the unknowns u_d, as logarithms, are the share of the peak that each kind of
product reaches and the share of the bandwidth that each kind of operator without products reaches,
both at each precision, the share of the specified bandwidth, the launch overhead and the
half-saturation. Devices of one family resemble each other, so u_d is drawn to the family's mean m,
and m to what is usual (`Family`). A convolution is computed as a matrix product, and one precision
is much like the next, so differences D u_d of shares are drawn to what is usual, D usual. A runtime
other than the family's own has other code for each precision: at each, it takes a factor exp(f) of
the time, and exp(h_k) for kind k besides, the same for all devices. With t the model's time of a
row and p the published one, it minimises

    sum over rows H((ln t - ln p) / s)
    + sum over devices (|u_d - m|² / a² + |D (u_d - usual)|² / d²) + |m - usual|² / b²
    + sum over runtimes and their precisions (f² / c² + |h|² / e²)

with s = 0.1 (10 %), a = d = e = 0.5 (d = 2 to and from integers for kinds that these look up in
tables) and b = c = 1: a row outweighs the family, and the family outweighs what is usual. A kind
that takes a tenth of the time of fewer than three of a device's rows has a = 0.2: it stays near its
family. H is Cauchy's loss, c² ln(1 + r²/c²) with c = 3: a square near 0, and a row far outside
pulls less the farther it is, so that one suspect figure does not steer a device; the reports mark
it. It is reached from the solution with Huber's loss, which has one minimum in what rows say.
Shares are at most 1; memory may seem up to twice as fast as specified where caches serve.

The constants were not chosen by the errors on models that are left out. Which kinds are
distinguished, what a runtime fuses and what it has factors for was decided with these errors in
view, so they are slightly optimistic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np

from edgesim.calibrate.families import FAMILIES, fused_by
from edgesim.calibrate.model import RUNTIME_FACTORS
from edgesim.calibrate.problem import Problem
from edgesim.calibrate.rows import Array, Row, rows
from edgesim.graph import BYTES_PER_ELEMENT
from edgesim.hardware.runtimes import RUNTIMES

_UNDETERMINED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Fitted figures of one device.

    Attributes:
        efficiency: efficiency by precision and operator kind.
        bandwidth_share: share of the specified memory bandwidth.
        launch_overhead_s: launch overhead of each kernel, in seconds.
        half_saturation: output elements that reach half of the efficiency.
        rows: number of fitted rows, by precision.
        determined: how far rows determine each unknown, from 0 (not) towards 1 (fully).
        bound: whether each unknown stands at one of its bounds.
        values: all unknowns, as logarithms.
    """

    efficiency: Mapping[str, Mapping[str, float]]
    bandwidth_share: float
    launch_overhead_s: float
    half_saturation: float
    rows: Mapping[str, int]
    determined: Array
    bound: Array
    values: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFit:
    """Fitted figures of a family.

    Attributes:
        problem: least-squares problem of the family.
        flat: its solution.
        devices: fitted figures of each device, by name.
    """

    problem: Problem
    flat: Array
    devices: Mapping[str, Fitted]

    def time_s(self, row: Row) -> float:
        """Return the modelled time of a row."""
        return exp(self.problem.log_time(row, self.flat))


def fit(
    family: str,
    without: Collection[str] = (),
    unseen: Callable[[Row], bool] = lambda _: False,
) -> FamilyFit:
    """Fit a family.

    Args:
        family: one of `FAMILIES`.
        without: architectures whose rows are left out, at every precision, batch and runtime, on
            every device.
        unseen: says of further rows whether they are left out.
    """
    problem = Problem(family, without, unseen)
    flat = problem.solve()
    table, _ = problem.split(flat)
    determined, bound = problem.determined(flat), problem.bound(flat)
    unknowns = problem.unknowns
    found = {}
    for index, name in enumerate(problem.devices):
        values = table[index]
        seen = [str(row.published.precision) for row in problem.rows if row.device == name]
        precisions = problem.processors[index].peak_flop_s
        found[name] = Fitted(
            efficiency={key: unknowns.by_kind(np.exp(values), key) for key in precisions},
            bandwidth_share=float(np.exp(values[unknowns.BANDWIDTH])),
            launch_overhead_s=float(np.exp(values[unknowns.OVERHEAD])),
            half_saturation=float(np.exp(values[unknowns.HALF])),
            rows={precision: seen.count(precision) for precision in precisions},
            determined=determined[index],
            bound=bound[index],
            values=values,
        )
    return FamilyFit(problem=problem, flat=flat, devices=found)


def document() -> dict[str, object]:
    """Return the fitted figures of every device, as plain data of the catalog."""
    entries: dict[str, object] = {}
    for family in FAMILIES:
        found = fit(family)
        unknowns = found.problem.unknowns
        for name, one in found.devices.items():
            entries[name] = {
                "efficiency": {
                    precision: {kind: _rounded(share) for kind, share in shares.items()}
                    for precision, shares in one.efficiency.items()
                },
                "launch_overhead": _rounded(one.launch_overhead_s),
                "half_saturation": _rounded(one.half_saturation),
                "bandwidth_share": _rounded(one.bandwidth_share),
                "runtime": found.problem.family.runtime,
                "runtimes": _runtimes(name, found),
                "rows": dict(one.rows),
                "family_rows": {
                    precision: sum(other.rows.get(precision, 0) for other in found.devices.values())
                    for precision in one.rows
                },
                "usual": {
                    precision: [
                        kind
                        for kind, share in unknowns.by_kind(one.determined, precision).items()
                        if share < _UNDETERMINED
                    ]
                    for precision in one.rows
                },
                "family": family,
            }
    return dict(sorted(entries.items()))


def _runtimes(device: str, found: FamilyFit) -> dict[str, Any]:
    """Return what every runtime of a family but its usual one changes on a device.

    Factors are the family's. At a precision that no row of a runtime is of, they are those of
    the precision nearest in the number of its bytes: an estimate.
    """
    problem = found.problem
    own, logs = problem.family, problem.split(found.flat)[1]
    known: dict[str, dict[str, Array]] = {}
    for (runtime, precision), logarithms in zip(problem.runtimes, logs, strict=True):
        known.setdefault(runtime, {})[precision] = np.exp(logarithms)
    counts = {
        name: Counter(
            (one.published.runtime, str(one.published.precision))
            for one in rows(name)
            if one.published.fit
        )
        for name in problem.devices
    }
    named = {one.published.runtime for name in problem.devices for one in rows(name)}
    names = ({*known, *own.fuses, *named} & {*RUNTIMES}) - {own.runtime}
    processor = problem.processors[problem.devices.index(device)]
    return {
        runtime: {
            "fused": sorted(fused_by(device, runtime, processor.fused)),
            "rows": {key: counts[device][runtime, key] for key in processor.peak_flop_s},
            "family_rows": {
                key: sum(one[runtime, key] for one in counts.values())
                for key in processor.peak_flop_s
            },
            "factors": {
                precision: {
                    name: _rounded(factor)
                    for name, factor in zip(RUNTIME_FACTORS, _nearest(by, precision), strict=True)
                }
                for precision in processor.peak_flop_s
                for by in [known.get(runtime, {})]
                if by
            },
        }
        for runtime in sorted(names)
    }


def _nearest(by_precision: Mapping[str, Array], precision: str) -> Array:
    """Return the factors at a precision, or at the one nearest to it in bytes."""

    def distance(other: str) -> tuple[bool, float]:
        return other != precision, abs(BYTES_PER_ELEMENT[other] - BYTES_PER_ELEMENT[precision])

    return by_precision[min(by_precision, key=distance)]


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
