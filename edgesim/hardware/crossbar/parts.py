"""The parts of a photonic crossbar, and what each event in them costs at a number of bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, log2

from edgesim.graph import OpKind

BITS = {"int4": 4, "int8": 8}
"""Bits of an operand, by precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """Tiles of cores; a core multiplies (rows, wavelengths) @ (wavelengths, columns) in a cycle.

    Attributes:
        tiles: that share the light of the second operand.
        cores_per_tile: that share amplifiers and converters; their currents add up.
        rows: of the first operand in a core.
        columns: of the second operand in a core.
        wavelengths: that carry the elements of a dot product.
        clock_hz: shots of a core in a second.
        accumulation: shots whose charge adds up before a readout.
    """

    tiles: int
    cores_per_tile: int
    rows: int
    columns: int
    wavelengths: int
    clock_hz: float
    accumulation: int = 1

    @property
    def cores(self) -> int:
        """Of all tiles."""
        return self.tiles * self.cores_per_tile

    @property
    def mac_s(self) -> float:
        """Multiply-accumulates a second, all cores filled."""
        return self.cores * self.rows * self.columns * self.wavelengths * self.clock_hz

    @property
    def modulators(self) -> int:
        """Rows have one for each core and wavelength, columns one for all tiles together."""
        return (self.cores * self.rows + self.cores_per_tile * self.columns) * self.wavelengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """The way from laser to detector.

    Attributes:
        wall_plug_efficiency: light of the laser over the electrical power that it takes.
        sensitivity_w: light that a detector must get.
        modulator_loss: as power ratio of 1 or more, like the others.
        ring_loss: of each of the two rings that add and drop a wavelength.
        splitter_loss: of one division in two.
        shifter_loss: of the phase shifter before the coupler.
        coupler_loss: of the coupler in which the operands interfere.
    """

    wall_plug_efficiency: float
    sensitivity_w: float
    modulator_loss: float
    ring_loss: float
    splitter_loss: float
    shifter_loss: float
    coupler_loss: float

    def loss(self, array: Array) -> float:
        """Return the loss of the longest way, as power ratio, division among cells left out.

        A modulator, two rings, ceil(log2(max(rows, columns))) splitters along the crossbar, and one
        splitter, phase shifter and coupler in a cell.
        """
        splitters = ceil(log2(max(array.rows, array.columns))) + 1
        cell = self.shifter_loss * self.coupler_loss
        return self.modulator_loss * self.ring_loss**2 * self.splitter_loss**splitters * cell

    def laser_w(self, array: Array, bits: int) -> float:
        """Return the electrical power of the laser of one core.

        sensitivity x loss x cells / efficiency x 2^bits: each level needs the detector's least.
        """
        light_w = self.sensitivity_w * self.loss(array) * array.rows * array.columns
        return light_w * float(2**bits) / self.wall_plug_efficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """A converter as its data tell: draw at full rate and bits."""

    bits: int
    rate_hz: float
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where operands lie, the nearest first, and how fast they come.

    Attributes:
        register_j_byte: of an access to a register next to a converter.
        network_j_byte: of a partial sum's way to the adder.
        local_j_byte: of an access to a tile's buffer.
        local_bytes: that one such buffer holds of the first operand.
        buffer_j_byte: of an access to the global buffer.
        buffer_bytes: that it holds.
        buffer_byte_s: that it gives.
        memory_j_byte: of an access to memory.
        memory_bytes: that it holds.
        memory_byte_s: that it gives.
        clock_hz: in whose whole cycles a transfer ends.
    """

    register_j_byte: float
    network_j_byte: float
    local_j_byte: float
    local_bytes: float
    buffer_j_byte: float
    buffer_bytes: float
    buffer_byte_s: float
    memory_j_byte: float
    memory_byte_s: float
    clock_hz: float
    memory_bytes: float = inf

    def transfer_s(self, size_bytes: float, byte_s: float) -> float:
        """Return the time of one transfer, in whole cycles."""
        return ceil(size_bytes / byte_s * self.clock_hz) / self.clock_hz


@dataclass(frozen=True, slots=True, kw_only=True)
class Digital:
    """Units that do what is no product.

    Attributes:
        operation_j: of one arithmetic operation.
        softmax_j_byte: of a softmax, for each byte.
        operations: on each element, by operator kind.
    """

    operation_j: float
    softmax_j_byte: float
    operations: Mapping[OpKind, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All parts of a photonic crossbar.

    Attributes:
        array: tiles and cores.
        light: from laser to detector.
        modulator_j: of encoding one element.
        ring_w: that keeps one ring tuned; each modulator has two.
        dac: one for each modulator.
        detector_w: of one photodiode; a cell has two.
        tia_w: of the amplifier behind them.
        adc: one for each cell of a tile.
        adder_w: that adds its partial sums.
        storage: buffers and memory.
        digital: for operators that are no products.
    """

    array: Array
    light: Light
    modulator_j: float
    ring_w: float
    dac: Converter
    detector_w: float
    tia_w: float
    adc: Converter
    adder_w: float
    storage: Storage
    digital: Digital

    def shot_j(self, bits: int) -> float:
        """Return the joules of one core's laser in one clock cycle."""
        return self.light.laser_w(self.array, bits) / self.array.clock_hz

    def dac_j(self, bits: int) -> float:
        """Return the joules of one conversion to analogue.

        Power goes with rate and with 2^b / b: capacitors double with each bit.
        """
        share = 2.0 ** (bits - self.dac.bits) * self.dac.bits / bits
        return self.dac.power_w / self.dac.rate_hz * share

    def adc_j(self, bits: int) -> float:
        """Return the joules of one conversion to digital.

        Power goes with rate and with b: successive approximation takes a step for each bit.
        """
        return self.adc.power_w / self.adc.rate_hz * bits / self.adc.bits

    @property
    def rings_w(self) -> float:
        """Power that keeps all rings tuned, whether or not data pass."""
        return 2 * self.array.modulators * self.ring_w

    def full_power_w(self, bits: int) -> dict[str, float]:
        """Return each part's draw while all cores make, read and convert a shot in every cycle.

        Without buffers and memory, whose draw goes with what moves.
        """
        array = self.array
        cells = array.rows * array.columns
        encoded_s = array.modulators * array.clock_hz
        return {
            "laser": array.cores * self.light.laser_w(array, bits),
            "dac": encoded_s * self.dac_j(bits),
            "modulator": encoded_s * self.modulator_j,
            "rings": self.rings_w,
            "detector": 2 * array.cores * cells * self.detector_w,
            "tia": array.tiles * cells * self.tia_w,
            "adc": array.tiles * cells * array.clock_hz * self.adc_j(bits),
            "adder": array.tiles * cells * self.adder_w,
        }
