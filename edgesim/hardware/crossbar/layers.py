"""Times and energies of operators on a photonic crossbar, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgesim.common.text import duration, joules_each, percent
from edgesim.graph import OpKind
from edgesim.hardware.crossbar.counts import Counts, Product
from edgesim.hardware.crossbar.parts import Array
from edgesim.hardware.device import Cost
from edgesim.hardware.explanation import Details, Explanation, Row

Bound = Literal["array", "buffer", "memory", "digital", "host"]
_EVENTS = {
    "shots": "blocks, each by one core in one cycle",
    "cycles": "of the clock, all cores at work",
    "modulations": "elements encoded in light",
    "detections": "partial dot products on detectors",
    "readouts": "partial sums converted and added",
    "staged": "elements from the global buffer to local ones",
    "results": "elements written, and read where sums take several loads",
    "weights": "elements from memory",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Cost of one operator for a batch, or of all that a host does.

    Attributes:
        name: name of the operator; ``host`` for the host's.
        kind: kind of the operator; None for the host's.
        product: product that the crossbar computes; None for electronics.
        counts: numbers of the product's events.
        bound: resource that bounds its time.
        time_s: seconds from its input to its output.
        by_part_j: joules by part, without the constant power of the device.
    """

    name: str
    kind: OpKind | None
    product: Product | None = None
    counts: Counts | None = None
    bound: Bound
    time_s: float
    by_part_j: Mapping[str, float]

    @property
    def energy_j(self) -> float:
        """Joules of all parts."""
        return math.fsum(self.by_part_j.values())


def explain_model(
    layers: Sequence[Layer], cost: Cost, array: Array, macs: int, precision: str
) -> Explanation:
    """Return time and energy of every operator, and their sums.

    Args:
        layers: layers of the model.
        cost: cost of all of them, constant power included.
        array: tiles and cores.
        macs: multiply-accumulates of the batch.
        precision: precision of the operands.
    """
    cycles = sum(layer.counts.cycles for layer in layers if layer.counts is not None)
    use = _use(array, macs, cost.time_s)
    products_s = math.fsum(layer.time_s for layer in layers if layer.counts is not None)
    share = percent(products_s / cost.time_s) if cost.time_s else "nothing"
    energy_j = cost.power_w * cost.time_s
    return Explanation(
        arithmetic=precision,
        headings=("product", "cycles", "use"),
        rows=tuple(_row(array, layer) for layer in layers),
        totals=("", f"{cycles:,}", percent(use)),
        time_s=cost.time_s,
        energy_j=energy_j,
        by_part_j=cost.by_part_j,
        time_note=f", {share} of it in products",
        notes=(f"{joules_each(energy_j / macs)} a multiply-accumulate",) if macs else (),
        figures={
            "cycles": cycles,
            "use": use,
            "products_s": products_s,
            "joules_per_mac": energy_j / macs if macs else None,
        },
    )


def explain_product(layer: Layer, array: Array, precision: str) -> Explanation:
    """Return how a crossbar multiplies one layer's matrices."""
    assert layer.counts is not None
    row, macs = _row(array, layer), _macs(layer)
    events = {event: getattr(layer.counts, event) for event in _EVENTS}
    each_j = layer.energy_j / macs
    return Explanation(
        arithmetic=precision,
        rows=(row,),
        time_s=layer.time_s,
        energy_j=layer.energy_j,
        by_part_j=layer.by_part_j,
        notes=(f"{joules_each(each_j)} a multiply-accumulate",),
        details=Details(
            facts=(
                f"{row.cells[0]}: {macs:,} multiply-accumulates in {duration(layer.time_s)}, bound "
                f"by the {layer.bound}; {row.cells[2]} of the cells' work is asked for",
            ),
            headings=("events", "number", "what"),
            numbers=(1,),
            rows=tuple((event, f"{events[event]:,.0f}", what) for event, what in _EVENTS.items()),
            remark="Rings, which draw power at all times, are not in it.",
        ),
        figures={"macs": macs, "events": events, "joules_per_mac": each_j},
    )


def _row(array: Array, layer: Layer) -> Row:
    of, cycles = layer.product, 0 if layer.counts is None else layer.counts.cycles
    use = None if of is None else _use(array, _macs(layer), layer.time_s)
    figures: dict[str, Any] = {
        "operator": layer.name,
        "kind": None if layer.kind is None else layer.kind.value,
        "product": None if of is None else [of.rows, of.inner, of.columns, of.count],
        "cycles": cycles,
        "use": use,
    }
    return Row(
        operators=(layer.name,),
        bound=layer.bound,
        time_s=layer.time_s,
        energy_j=layer.energy_j,
        cells=() if of is None else (_shape(of), f"{cycles:,}", percent(use)),
        figures=figures,
        beside=of is None,
    )


def _shape(of: Product) -> str:
    many = f"{of.count} × " if of.count > 1 else ""
    return f"{many}({of.rows}, {of.inner}) @ ({of.inner}, {of.columns})"


def _macs(layer: Layer) -> int:
    of = layer.product
    return 0 if of is None else of.rows * of.inner * of.columns * of.count


def _use(array: Array, macs: int, time_s: float) -> float:
    """Return the share of the cells' work in a time that was asked for."""
    return macs / (time_s * array.mac_s) if time_s else 0.0
