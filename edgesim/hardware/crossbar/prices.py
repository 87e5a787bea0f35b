"""What a matrix product costs on a crossbar: its events by the price of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgesim.hardware.crossbar.counts import Counts, Product, counts
from edgesim.hardware.crossbar.parts import Parts

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
    storage, clock_hz = parts.storage, parts.array.clock_hz
    of = counts(product, parts.array, bits, storage.local_bytes)
    width = bits / 8
    weights_bytes = width * of.chunk_weights
    operands_bytes = weights_bytes + width * of.chunk_activations
    loaded_s = storage.transfer_s(weights_bytes, storage.memory_byte_s) if of.weights else 0.0
    buffered_s = storage.transfer_s(operands_bytes, storage.buffer_byte_s)
    moved = {
        # Written once and read once.
        "registers": (2 * (of.modulations + of.readouts), storage.register_j_byte),
        "network": (of.readouts, storage.network_j_byte),
        "local-buffer": (of.staged + of.modulations + of.results, storage.local_j_byte),
        # Weights are written before they are read.
        "global-buffer": (of.weights + of.staged + of.results, storage.buffer_j_byte),
        "memory": (of.weights, storage.memory_j_byte),
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
            "modulator": of.modulations * parts.modulator_j,
            "detector": of.detections * 2 * parts.detector_w / clock_hz,
            "tia": of.readouts * parts.tia_w / clock_hz,
            "adc": of.readouts * parts.adc_j(bits),
            "adder": of.readouts * parts.adder_w / clock_hz,
            **{part: elements * width * j_byte for part, (elements, j_byte) in moved.items()},
        },
    )
