"""The YAML mapping of a photonic crossbar, in the catalog or inline in a scenario."""

from __future__ import annotations

from math import inf
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgesim.common.quantities import (
    Bandwidth,
    Joules,
    JoulesPerByte,
    PositiveBytes,
    Rate,
    Ratio,
    Watts,
)
from edgesim.graph import OpKind
from edgesim.hardware.crossbar.parts import BITS, Array, Converter, Digital, Light, Parts, Storage
from edgesim.hardware.device import Messaging
from edgesim.hardware.host import HostSpec
from edgesim.hardware.processor_spec import Count, Published, Share

Precision = Literal["int4", "int8"]
Loss = Annotated[Ratio, Field(ge=1.0)]
PositiveWatts = Annotated[Watts, Field(gt=0.0)]
Number = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
assert set(Precision.__args__) == set(BITS)  # type: ignore[attr-defined]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ArraySpec(_Strict):
    """Tiles of cores."""

    tiles: Count
    cores: Count = Field(description="of a tile")
    rows: Count = Field(description="of the first operand in a core")
    columns: Count = Field(description="of the second operand in a core")
    wavelengths: Count = Field(description="elements of a dot product in one shot")
    clock: Rate
    accumulation: Count = Field(default=1, description="shots that add up before a readout")


class LossSpec(_Strict):
    """Losses on the way of the light, as power ratios of 1 or more, or in dB."""

    modulator: Loss = 1.0
    ring: Loss = 1.0
    splitter: Loss = 1.0
    shifter: Loss = 1.0
    coupler: Loss = 1.0


class LaserSpec(_Strict):
    """The laser of a core; its power follows from what the detectors need."""

    wall_plug_efficiency: Share


class ModulatorSpec(_Strict):
    """The modulators, with the rings that join and part wavelengths."""

    energy: Joules = Field(description="of encoding one element")
    ring: Watts = Field(default=0.0, description="that keeps one ring tuned")


class DetectorSpec(_Strict):
    """Photodiodes and what adds up behind them."""

    power: Watts = Field(description="of one photodiode; a cell has two")
    sensitivity: PositiveWatts = Field(description="light that one must get")
    amplifier: Watts = 0.0
    adder: Watts = 0.0


class ConverterSpec(_Strict):
    """A converter at full rate and bits."""

    bits: Count
    rate: Rate
    power: Watts


class StoreSpec(_Strict):
    """A store of operands; energy is of one access to a byte."""

    energy: JoulesPerByte
    capacity: PositiveBytes = inf
    bandwidth: Bandwidth = inf


class WireSpec(_Strict):
    """What operands pass; energy is of a byte."""

    energy: JoulesPerByte


class DigitalSpec(_Strict):
    """Units for what is no product, and the clock of all that is digital."""

    clock: Rate
    operation: Joules
    softmax: JoulesPerByte
    operations: dict[OpKind, Number] = Field(description="on each element")


class StatesSpec(_Strict):
    """Draw in each state, in watts; idle is that of the tuned rings unless given."""

    idle: Watts | None = None
    sending: Watts | None = None
    receiving: Watts | None = None


class CrossbarSpec(_Strict):
    """A photonic crossbar: an array of cells in which two beams interfere, and its electronics."""

    kind: Literal["photonic-crossbar"] = "photonic-crossbar"
    description: str = ""
    precision: Annotated[list[Precision], Field(min_length=1)]
    array: ArraySpec
    laser: LaserSpec
    loss: LossSpec = LossSpec()
    modulator: ModulatorSpec
    dac: ConverterSpec
    detector: DetectorSpec
    adc: ConverterSpec
    registers: WireSpec
    network: WireSpec
    local: StoreSpec
    buffer: StoreSpec
    memory: StoreSpec
    digital: DigitalSpec
    host: HostSpec | None = Field(
        None, description="a processor for what is no product, instead of the digital units"
    )
    link: Bandwidth = Field(default=inf, description="between the crossbar and its host")
    power: StatesSpec = StatesSpec()
    messaging: Messaging = Messaging()
    source: dict[str, str] = Field(default_factory=dict)
    published: tuple[Published, ...] = ()

    @model_validator(mode="after")
    def _converters_keep_up(self) -> CrossbarSpec:
        bits = max(BITS[one] for one in self.precision)
        for name, one in (("dac", self.dac), ("adc", self.adc)):
            if one.rate < self.array.clock:
                raise ValueError(
                    f"{name}.rate: expected at least the array's clock "
                    f"({self.array.clock:g} Hz), got {one.rate:g} Hz"
                )
            if one.bits < bits:
                raise ValueError(
                    f"{name}.bits: expected at least the {bits} bits of a precision, got {one.bits}"
                )
        for index, row in enumerate(self.published):
            if row.precision not in self.precision:
                raise ValueError(
                    f"published.{index}.precision: expected one of {', '.join(self.precision)}, "
                    f"got {row.precision}"
                )
        return self

    @model_validator(mode="after")
    def _ordered(self) -> CrossbarSpec:
        least = self.parts().rings_w
        if self.power.idle is not None and self.power.idle < least * (1 - 1e-9):
            raise ValueError(
                f"power.idle: expected at least the {least:.4g} W that keep the rings tuned, "
                f"got {self.power.idle} W"
            )
        for state in ("sending", "receiving"):
            watts, idle = getattr(self.power, state), self.power.idle or least
            if watts is not None and watts < idle:
                raise ValueError(f"power.{state}: expected at least idle ({idle} W), got {watts} W")
        return self

    def parts(self) -> Parts:
        """Return the parts that the mapping describes."""
        return Parts(
            array=Array(
                tiles=self.array.tiles,
                cores_per_tile=self.array.cores,
                rows=self.array.rows,
                columns=self.array.columns,
                wavelengths=self.array.wavelengths,
                clock_hz=self.array.clock,
                accumulation=self.array.accumulation,
            ),
            light=Light(
                wall_plug_efficiency=self.laser.wall_plug_efficiency,
                sensitivity_w=self.detector.sensitivity,
                modulator_loss=self.loss.modulator,
                ring_loss=self.loss.ring,
                splitter_loss=self.loss.splitter,
                shifter_loss=self.loss.shifter,
                coupler_loss=self.loss.coupler,
            ),
            modulator_j=self.modulator.energy,
            ring_w=self.modulator.ring,
            dac=_converter(self.dac),
            detector_w=self.detector.power,
            tia_w=self.detector.amplifier,
            adc=_converter(self.adc),
            adder_w=self.detector.adder,
            storage=Storage(
                register_j_byte=self.registers.energy,
                network_j_byte=self.network.energy,
                local_j_byte=self.local.energy,
                local_bytes=self.local.capacity,
                buffer_j_byte=self.buffer.energy,
                buffer_bytes=self.buffer.capacity,
                buffer_byte_s=self.buffer.bandwidth,
                memory_j_byte=self.memory.energy,
                memory_bytes=self.memory.capacity,
                memory_byte_s=self.memory.bandwidth,
                clock_hz=self.digital.clock,
            ),
            digital=Digital(
                operation_j=self.digital.operation,
                softmax_j_byte=self.digital.softmax,
                operations=self.digital.operations,
            ),
        )


def _converter(spec: ConverterSpec) -> Converter:
    return Converter(bits=spec.bits, rate_hz=spec.rate, power_w=spec.power)
