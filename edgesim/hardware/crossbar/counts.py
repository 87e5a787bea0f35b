"""Numbers of events of a matrix product on a crossbar, and their cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from edgesim.graph import ConvGeometry, MatmulGeometry, Op
from edgesim.hardware.crossbar.parts import Array, Parts, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """``count`` matrix products (rows, inner) @ (inner, columns).

    Attributes:
        rows: number of rows of the operand that each core modulates for itself.
        inner: length of the dot products.
        columns: number of columns of the operand that all tiles share.
        count: number of such products.
        weights: whether the first operand is weights, which come from memory; else both operands
            are activations.
        windows: whether columns are neighbouring windows of a convolution of stride 1, which have
            inputs in common.
    """

    rows: int
    inner: int
    columns: int
    count: int = 1
    weights: bool = False
    windows: bool = False


def product_of(op: Op, batch: int) -> Product | None:
    """Return the product that an operator is on a batch; None if it is none, or of unknown shape.

    Weights make the rows (one for each output feature or channel), tokens or pixels of the whole
    batch the columns. A convolution is unrolled (im2col): its inner edge is what one kernel covers,
    and each group is a product. Of two activations, each sample has products of its own.
    """
    match op.geometry:
        case MatmulGeometry() as one if not op.kind.has_weights:
            return Product(
                rows=one.rows, inner=one.inner, columns=one.columns, count=one.count * batch
            )
        case MatmulGeometry() as one:
            return Product(
                rows=one.columns,
                inner=one.inner,
                columns=one.rows * batch,
                count=one.count,
                weights=True,
            )
        case ConvGeometry() as one:
            return Product(
                rows=one.out_channels // one.groups,
                inner=one.in_channels // one.groups * one.kernel[0] * one.kernel[1],
                columns=one.images * one.out_size[0] * one.out_size[1] * batch,
                count=one.groups,
                weights=True,
                windows=one.stride[1] == 1 and min(one.kernel[1], one.out_size[1]) > 1,
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Events of a product on a crossbar, and elements that move.

    With a product (n, d) @ (d, m) done h times, cores of R rows, C columns and W wavelengths, and
    T tiles of K cores that sum over A shots before they read out, r = ceil(n / R),
    c = ceil(m / C) and k = ceil(d / W) are the blocks along each edge, and

        shots         h r c k                             one block by one core in one clock cycle
        cycles        ceil(shots / (T K))
        modulations   h (n d c + d m r / T s)             the second operand lights all tiles;
                                                          s is the share of inputs that windows of a
                                                          convolution do not have in common
        detections    h n m k                             each by two photodiodes
        readouts      h n m ceil(ceil(k / A') / K)        currents of a tile's cores add up
                      with A' = min(A, ceil(d / (K W)))

    Both operands are encoded anew for each block, so neither is at an advantage for being known
    beforehand. Elements come out of the global buffer into a local one (``staged``) and from there
    into registers; results go back, n m each time the R x d block of the first operand fits the
    local buffer only in several loads.

    Attributes:
        shots: blocks, one core and clock cycle each.
        cycles: clock cycles of the array.
        modulations: elements encoded in light, of both operands.
        detections: partial dot products that fall on detectors.
        readouts: partial sums that are amplified, converted and added.
        staged: elements that go from the global buffer into local ones.
        results: elements written, and read again where the local buffer takes several loads.
        weights: elements that come from memory.
        chunks: stretches of the first operand that all tiles take at once.
        chunk_weights: elements of such a stretch.
        chunk_activations: elements of the second operand that go with it.
    """

    shots: int
    cycles: int
    modulations: float
    detections: int
    readouts: int
    staged: float
    results: int
    weights: int
    chunks: int
    chunk_weights: int
    chunk_activations: int


def counts(product: Product, array: Array, bits: int, local_bytes: float) -> Counts:
    """Return what a product of ``bits``-bit operands makes an array do.

    Args:
        product: the matrices.
        array: tiles and cores.
        bits: bits of an element.
        local_bytes: capacity of a local buffer, in bytes.
    """
    n, d, m, h = product.rows, product.inner, product.columns, product.count
    columns = array.filled(product.windows)
    own = array.core_inputs / (array.columns * array.wavelengths) if product.windows else 1.0
    r, c, k = ceil(n / array.rows), ceil(m / columns), ceil(d / array.wavelengths)
    shots = h * r * c * k
    summed = min(array.accumulation, ceil(d / (array.cores_per_tile * array.wavelengths)))
    loads = max(1, ceil(array.rows * d * bits / 8 / local_bytes))
    stretch = array.tiles * array.rows
    return Counts(
        shots=shots,
        cycles=ceil(shots / array.cores),
        modulations=h * (n * d * c + d * m * r / array.tiles * own),
        detections=h * n * m * k,
        readouts=h * n * m * ceil(ceil(k / summed) / array.cores_per_tile),
        staged=h * (n * d + d * m * r / array.tiles),
        results=h * n * m * (2 * loads - 1),
        weights=h * n * d if product.weights else 0,
        chunks=h * ceil(n / stretch),
        chunk_weights=min(n, stretch) * d,
        chunk_activations=d * m,
    )


Resource = Literal["array", "buffer", "memory"]
"""Resources that may bound the time of a product."""


@dataclass(frozen=True, slots=True)
class Price:
    """Cost of a product.

    Attributes:
        counts: numbers of its events.
        times_s: seconds of each resource; they work at the same time.
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
            "modulator": of.modulations * parts.modulator.energy_j
            + of.cycles / clock_hz * parts.array.modulators * parts.modulator.power_w,
            "detector": of.detections * 2 * detector.power_w / clock_hz,
            "tia": of.readouts * detector.amplifier_w / clock_hz,
            "adc": of.readouts * parts.adc_j(bits),
            "adder": of.readouts * detector.adder_w / clock_hz,
            **{part: elements * width * on.energy_j_byte for part, (elements, on) in moved.items()},
        },
    )
