"""The parts of a photonic crossbar, and what each event in them costs at a number of bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log2
from typing import Annotated

from pydantic import Field

from edgesim.common.fields import Count
from edgesim.common.quantities import (
    Bandwidth,
    Joules,
    JoulesPerByte,
    Number,
    PositiveBytes,
    Rate,
    Ratio,
    Share,
    Watts,
)
from edgesim.common.validation import key, spec
from edgesim.graph import OpKind

BITS = {"int4": 4, "int8": 8}
"""Bits of an operand, by precision."""
PowerRatio = Annotated[Ratio, Field(ge=1.0)]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """Tiles of cores; a core multiplies (rows, wavelengths) @ (wavelengths, columns) in a cycle.

    Attributes:
        tiles: tiles, which share the light of the second operand.
        cores_per_tile: cores of a tile, which share amplifiers and converters; their currents add
            up.
        rows: rows of the first operand in a core.
        columns: columns of the second operand in a core.
        wavelengths: wavelengths, which carry the elements of a dot product in one shot.
        clock_hz: shots of a core in a second.
        accumulation: shots whose charge adds up before a readout.
    """

    tiles: Count
    cores_per_tile: Annotated[Count, key("cores")]
    rows: Count
    columns: Count
    wavelengths: Count
    clock_hz: Rate
    accumulation: Count = 1

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


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Losses on the path of the light, as power ratios of 1 or more, or in dB.

    Attributes:
        modulator: loss of a modulator.
        ring: loss of each of the two rings that add and drop a wavelength.
        splitter: loss of one division in two.
        shifter: loss of the phase shifter before the coupler.
        coupler: loss of the coupler in which the operands interfere.
    """

    modulator: PowerRatio = 1.0
    ring: PowerRatio = 1.0
    splitter: PowerRatio = 1.0
    shifter: PowerRatio = 1.0
    coupler: PowerRatio = 1.0

    def longest(self, array: Array) -> float:
        """Return the loss of the longest path, as power ratio, division among cells left out.

        A modulator, two rings, ceil(log2(max(rows, columns))) splitters along the crossbar, and one
        splitter, phase shifter and coupler in a cell.
        """
        splitters = ceil(log2(max(array.rows, array.columns))) + 1
        cell = self.shifter * self.coupler
        return self.modulator * self.ring**2 * self.splitter**splitters * cell


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Laser:
    """The laser of a core; its power follows from what the detectors need.

    Attributes:
        wall_plug_efficiency: light over the electrical power that it takes.
    """

    wall_plug_efficiency: Share


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Modulator:
    """The modulators, with the rings that join and part wavelengths.

    Attributes:
        energy_j: energy of encoding one element, in joules.
        ring_w: power that keeps one ring tuned, in watts; each modulator has two.
    """

    energy_j: Joules
    ring_w: Watts = 0.0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Photodiodes and what adds up behind them.

    Attributes:
        power_w: power of one photodiode, in watts; a cell has two.
        sensitivity_w: light that one must get, in watts.
        amplifier_w: power of the amplifier behind them, in watts.
        adder_w: power of adding its partial sums, in watts.
    """

    power_w: Watts
    sensitivity_w: Annotated[Watts, Field(gt=0.0)]
    amplifier_w: Watts = 0.0
    adder_w: Watts = 0.0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """A converter at full rate and bits.

    Attributes:
        bits: bits of a conversion.
        rate_hz: conversions a second.
        power_w: power at that rate, in watts.
    """

    bits: Count
    rate_hz: Rate
    power_w: Watts


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What operands pass.

    Attributes:
        energy_j_byte: energy of a passage, in joules per byte.
    """

    energy_j_byte: JoulesPerByte


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStore(Wire):
    """A store of operands that keeps up with the array; energy is of one access to a byte.

    Attributes:
        energy_j_byte: energy of an access, in joules per byte.
        capacity_bytes: size of the store, in bytes.
    """

    capacity_bytes: PositiveBytes = inf


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Store(LocalStore):
    """A store of operands; energy is of one access to a byte.

    Attributes:
        energy_j_byte: energy of an access, in joules per byte.
        capacity_bytes: size in bytes.
        bandwidth_byte_s: rate of reading, in bytes per second.
    """

    bandwidth_byte_s: Bandwidth = inf


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Digital:
    """Units for what is no product, and the clock of all that is digital.

    Attributes:
        clock_hz: clock in whose whole cycles a transfer ends, in hertz.
        operation_j: energy of one arithmetic operation, in joules.
        softmax_j_byte: energy of a softmax, in joules per byte.
        operations: arithmetic operations on each element, by operator kind.
    """

    clock_hz: Rate
    operation_j: Joules
    softmax_j_byte: JoulesPerByte
    operations: dict[OpKind, Number]


@spec
@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """All parts of a photonic crossbar.

    Attributes:
        array: tiles and cores.
        laser: one for each core.
        loss: power lost from the laser to the detector, as a ratio.
        modulator: modulator of a waveguide, with its rings.
        dac: one for each modulator.
        detector: photodiodes, amplifiers and adders.
        adc: one for each cell of a tile.
        registers: next to the converters.
        network: network that carries partial sums to the adder.
        local: buffer of a tile, for the first operand.
        buffer: global buffer of all tiles.
        memory: memory of weights, and of activations that the global buffer cannot hold.
        digital: units for operators that are no products.
    """

    array: Array
    laser: Laser
    loss: Loss = Loss()
    modulator: Modulator
    dac: Converter
    detector: Detector
    adc: Converter
    registers: Wire
    network: Wire
    local: LocalStore
    buffer: Store
    memory: Store
    digital: Digital

    def laser_w(self, bits: int) -> float:
        """Return the electrical power of the laser of one core.

        sensitivity x loss x cells / efficiency x 2^bits: each level needs the detector's least.
        """
        array = self.array
        light_w = (
            self.detector.sensitivity_w * self.loss.longest(array) * array.rows * array.columns
        )
        return light_w * float(2**bits) / self.laser.wall_plug_efficiency

    def shot_j(self, bits: int) -> float:
        """Return the joules of one core's laser in one clock cycle."""
        return self.laser_w(bits) / self.array.clock_hz

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
        return 2 * self.array.modulators * self.modulator.ring_w

    def transfer_s(self, size_bytes: float, store: Store) -> float:
        """Return the time of one transfer from a store, in whole digital cycles."""
        clock_hz = self.digital.clock_hz
        return ceil(size_bytes / store.bandwidth_byte_s * clock_hz) / clock_hz

    def full_power_w(self, bits: int) -> dict[str, float]:
        """Return each part's draw while all cores make, read and convert a shot in every cycle.

        Without buffers and memory, whose draw goes with what moves.
        """
        array = self.array
        cells = array.rows * array.columns
        encoded_s = array.modulators * array.clock_hz
        return {
            "laser": array.cores * self.laser_w(bits),
            "dac": encoded_s * self.dac_j(bits),
            "modulator": encoded_s * self.modulator.energy_j,
            "rings": self.rings_w,
            "detector": 2 * array.cores * cells * self.detector.power_w,
            "tia": array.tiles * cells * self.detector.amplifier_w,
            "adc": array.tiles * cells * array.clock_hz * self.adc_j(bits),
            "adder": array.tiles * cells * self.detector.adder_w,
        }
