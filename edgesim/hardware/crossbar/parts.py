"""The parts of a photonic crossbar, and what each event in them costs at a number of bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf, log2
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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
    SquareMetres,
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
        inputs: modulators of a core for the second operand, columns x wavelengths unless given.
            With fewer, columns share those inputs that neighbouring windows of a convolution of
            stride 1 have in common; other products fill only inputs / wavelengths columns.
        rings: rings of the whole array, two for each modulator unless given.
    """

    tiles: Count
    cores_per_tile: Annotated[Count, key("cores")]
    rows: Count
    columns: Count
    wavelengths: Count
    clock_hz: Rate
    accumulation: Count = 1
    inputs: Count | None = None
    rings: Count | None = None

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
        """Rows have one for each core and wavelength, inputs one for all tiles together."""
        return self.cores * self.rows * self.wavelengths + self.cores_per_tile * self.core_inputs

    @property
    def core_inputs(self) -> int:
        """Modulators of a core for the second operand."""
        return self.inputs or self.columns * self.wavelengths

    @property
    def all_rings(self) -> int:
        """Rings of the whole array."""
        return 2 * self.modulators if self.rings is None else self.rings

    def filled(self, windows: bool) -> int:
        """Return the columns that a product may fill, ``windows`` of a convolution of stride 1."""
        if windows:
            return self.columns
        return max(1, min(self.columns, self.core_inputs // self.wavelengths))


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
    """The laser of a core, whose power follows from what the detectors need, or one of each input.

    Attributes:
        wall_plug_efficiency: light over the electrical power that it takes.
        power_w: electrical power of one laser of a modulator of the second operand, in watts, in
            place of the efficiency.
    """

    wall_plug_efficiency: Share | None = None
    power_w: Watts | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.wall_plug_efficiency is None) == (self.power_w is None):
            raise ValueError("expected either wall_plug_efficiency or power")
        return self


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Modulator:
    """The modulators, with the rings that join and part wavelengths.

    Attributes:
        energy_j: energy of encoding one element, in joules.
        power_w: power of one modulator while the array computes, in watts.
        ring_w: power that keeps one ring tuned, in watts.
    """

    energy_j: Joules = 0.0
    power_w: Watts = 0.0
    ring_w: Watts = 0.0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Photodiodes and what adds up behind them.

    Attributes:
        power_w: power of one photodiode, in watts; a cell has two.
        sensitivity_w: light that one must get, in watts; lasers of a given power need none.
        amplifier_w: power of the amplifier behind them, in watts.
        adder_w: power of adding its partial sums, in watts.
    """

    power_w: Watts
    sensitivity_w: Annotated[Watts, Field(gt=0.0)] | None = None
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


AreaPart = Literal[
    "awg", "coupler", "detector", "laser", "modulator", "ring", "amplifier", "dac", "adc", "buffer"
]
"""Parts that have an area: arrayed waveguide gratings, star couplers and photodiodes of one core,
all buffers, and one of each other part."""


@spec
@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """All parts of a photonic crossbar.

    Attributes:
        array: tiles and cores.
        laser: laser of each core, or of each input.
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
        area_m2: areas, in square metres: of the gratings (``awg``), star couplers and photodiodes
            of one core, of all buffers, and of one of each other part.
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
    area_m2: Mapping[AreaPart, SquareMetres] = field(default_factory=dict)

    @model_validator(mode="after")
    def _enough_light(self) -> Self:
        if self.laser.power_w is None and self.detector.sensitivity_w is None:
            raise ValueError(
                "detector.sensitivity: expected the light that a photodiode must get, from which "
                "the laser's power follows, or laser.power"
            )
        return self

    @property
    def areas_m2(self) -> dict[str, float]:
        """Area of all parts of a kind, in square metres, where it is given."""
        array = self.array
        cells = array.tiles * array.rows * array.columns
        count: dict[AreaPart, int] = {
            "awg": array.cores,
            "coupler": array.cores,
            "detector": array.cores,
            "laser": array.cores_per_tile * array.core_inputs,
            "modulator": array.modulators,
            "ring": array.all_rings,
            "amplifier": cells,
            "dac": array.modulators,
            "adc": cells,
            "buffer": 1,
        }
        return {part: count[part] * area_m2 for part, area_m2 in self.area_m2.items()}

    def laser_w(self, bits: int) -> float:
        """Return the electrical power of lasers by core.

        As given, of each input; else sensitivity x loss x cells / efficiency x 2^bits: each level
        needs the detector's least.
        """
        array = self.array
        if self.laser.power_w is not None:
            return self.laser.power_w * array.core_inputs / array.tiles
        assert self.detector.sensitivity_w is not None
        assert self.laser.wall_plug_efficiency is not None
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
        return self.array.all_rings * self.modulator.ring_w

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
            "modulator": encoded_s * self.modulator.energy_j
            + array.modulators * self.modulator.power_w,
            "rings": self.rings_w,
            "detector": 2 * array.cores * cells * self.detector.power_w,
            "tia": array.tiles * cells * self.detector.amplifier_w,
            "adc": array.tiles * cells * array.clock_hz * self.adc_j(bits),
            "adder": array.tiles * cells * self.detector.adder_w,
        }
