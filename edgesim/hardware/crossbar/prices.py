"""What a matrix product costs on a crossbar: its events by the price of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgesim.hardware.crossbar.counts import Counts, Product, counts
from edgesim.hardware.crossbar.parts import Parts, Wire

Resource = Literal["array", "buffer", "memory"]
"""What the time of a product may be bound by."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs.

    Attributes:
        counts: of its events.
        times_s: that each resource takes; they work at the same time.
        by_part_j: joules by part; rings, which draw power at all times, are not among them.
    """

    counts: Counts
    times_s: Mapping[Resource, float]
    by_part_j: Mapping[str, float]


def price(product: Product, parts: Parts, bits: int) -> Price:
    """Return what a product of ``bits``-bit operands costs."""
    clock_hz, detector = parts.array.clock_hz, parts.detector
    of = counts(product, parts.array, bits, parts.local.capacity_bytes)
    width = bits / 8
    weights_bytes = width * of.chunk_weights
    operands_bytes = weights_bytes + width * of.chunk_activations
    loaded_s = parts.transfer_s(weights_bytes, parts.memory) if of.weights else 0.0
    buffered_s = parts.transfer_s(operands_bytes, parts.buffer)
    moved: dict[str, tuple[float, Wire]] = {
        # Written once and read once.
        "registers": (2 * (of.modulations + of.readouts), parts.registers),
        "network": (of.readouts, parts.network),
        "local-buffer": (of.staged + of.modulations + of.results, parts.local),
        # Weights are written before they are read.
        "global-buffer": (of.weights + of.staged + of.results, parts.buffer),
        "memory": (of.weights, parts.memory),
    }
    return Price(
        counts=of,
        times_s={
            "array": of.cycles / clock_hz,
            "buffer": of.chunks * buffered_s,
            "memory": of.chunks * loaded_s,
        },
        by_part_j={
            "laser": of.shots * parts.shot_j(bits),
            "dac": of.modulations * parts.dac_j(bits),
            "modulator": of.modulations * parts.modulator.energy_j,
            "detector": of.detections * 2 * detector.power_w / clock_hz,
            "tia": of.readouts * detector.amplifier_w / clock_hz,
            "adc": of.readouts * parts.adc_j(bits),
            "adder": of.readouts * detector.adder_w / clock_hz,
            **{part: elements * width * on.energy_j_byte for part, (elements, on) in moved.items()},
        },
    )
