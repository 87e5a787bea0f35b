"""Small crossbars and graphs for tests of the photonic crossbar."""

from __future__ import annotations

from typing import Any

from edgesim.graph import Graph, MatmulGeometry, Op, OpKind
from edgesim.hardware import catalog
from edgesim.hardware.crossbar import PhotonicCrossbar

SMALL: dict[str, Any] = {
    "kind": "photonic-crossbar",
    "precision": ["int4", "int8"],
    "array": {
        "tiles": 2, "cores": 2, "rows": 2, "columns": 3, "wavelengths": 4,
        "clock": "1 GHz", "accumulation": 2,
    },
    "laser": {"wall_plug_efficiency": 0.5},
    "loss": {"modulator": 2.0, "ring": 1.5, "splitter": 1.25, "shifter": 1.2, "coupler": 1.1},
    "modulator": {"energy": "3 pJ", "ring": "1 mW"},
    "dac": {"bits": 8, "rate": "2 GHz", "power": "64 mW"},
    "detector": {"power": "1 mW", "sensitivity": "1 uW", "amplifier": "2 mW", "adder": "0.5 mW"},
    "adc": {"bits": 8, "rate": "4 GHz", "power": "16 mW"},
    "registers": {"energy": "1 pJ/B"},
    "network": {"energy": "2 pJ/B"},
    "local": {"energy": "3 pJ/B", "capacity": 4},
    "buffer": {"energy": "5 pJ/B", "capacity": "1 MiB", "bandwidth": "10 GB/s"},
    "memory": {"energy": "7 pJ/B", "capacity": "1 GiB", "bandwidth": "4 GB/s"},
    "digital": {
        "clock": "500 MHz", "operation": "1 pJ", "softmax": "4 pJ/B",
        "operations": {"norm": 5, "transcendental": 8, "elementwise": 1},
    },
}  # fmt: skip
"""Figures that are easy to reckon with: 2 tiles x 2 cores of 2 x 3 cells and 4 wavelengths."""


def crossbar(**changes: Any) -> PhotonicCrossbar:
    """Return the small crossbar with some sections changed."""
    device = catalog.from_mapping("small", {**SMALL, **changes})
    assert isinstance(device, PhotonicCrossbar)
    return device


def entry(name: str) -> PhotonicCrossbar:
    """Return a crossbar of the catalog."""
    device = catalog.device(name)
    assert isinstance(device, PhotonicCrossbar)
    return device


def linear(name: str = "fc", rows: int = 7, inner: int = 9, columns: int = 5) -> Op:
    """Return a product of ``rows`` tokens with weights (inner, columns)."""
    return Op(
        name=name,
        kind=OpKind.LINEAR,
        macs=rows * inner * columns,
        params=inner * columns,
        input_elements=rows * inner,
        output_elements=rows * columns,
        geometry=MatmulGeometry(rows=rows, inner=inner, columns=columns),
    )


def pointwise(name: str, kind: OpKind, elements: int) -> Op:
    """Return an operator that reads and writes so many elements."""
    return Op(name=name, kind=kind, input_elements=elements, output_elements=elements)


def chain(*ops: Op) -> Graph:
    """Return a graph of operators one after the other."""
    edges = [(ops[i].name, ops[i + 1].name) for i in range(len(ops) - 1)]
    return Graph("chain", ops, edges, (ops[0].input_elements,))
