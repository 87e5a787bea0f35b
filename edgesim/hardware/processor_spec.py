"""The YAML mapping of a processor, in the catalog or inline in a scenario."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from edgesim.common.quantities import (
    Bandwidth,
    Celsius,
    FlopRate,
    Joules,
    KelvinPerWatt,
    PositiveBytes,
    PositiveSeconds,
    Ratio,
    Seconds,
    SecondsPerByte,
    Watts,
)
from edgesim.graph import BYTES_PER_ELEMENT, OpKind

Precision = Literal["fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4"]
Share = Annotated[Ratio, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1, strict=True)]
assert set(Precision.__args__) == set(BYTES_PER_ELEMENT)  # type: ignore[attr-defined]


ByKind = dict[OpKind, Share]
ByPrecision = dict[Precision, ByKind]


def _written(value: object) -> str:
    nested = isinstance(value, dict) and any(isinstance(item, dict) for item in value.values())
    return "precisions" if nested else "kinds"


EfficiencySpec = Annotated[
    Annotated[ByKind, Tag("kinds")] | Annotated[ByPrecision, Tag("precisions")],
    Discriminator(_written),
]


Quantile = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


def _ascending(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    if len(quantiles) == 1 or any(one > other for one, other in pairwise(quantiles)):
        raise ValueError("expected two or more quantiles of time over its mean, ascending")
    return quantiles


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MemorySpec(_Strict):
    """Memory of a device."""

    capacity: PositiveBytes = inf
    bandwidth: Bandwidth = inf


class PowerSpec(_Strict):
    """Draw in each state, in watts, idle included."""

    idle: Watts = 0.0
    busy: Watts = 0.0
    sending: Watts | None = None
    receiving: Watts | None = None

    @model_validator(mode="after")
    def _ordered(self) -> PowerSpec:
        for state in ("busy", "sending", "receiving"):
            watts = getattr(self, state)
            if watts is not None and watts < self.idle:
                raise ValueError(
                    f"expected {state} of at least idle ({self.idle} W), got {watts} W"
                )
        return self


class CoolingSpec(_Strict):
    """Longer after a rest: time x (1 + share x (1 - exp(-rest / time)))."""

    share: Ratio = 0.0
    time: PositiveSeconds = 1.0


class ThermalSpec(_Strict):
    """How the device warms up, and how it throttles; see `edgesim.hardware.Thermal`."""

    resistance: KelvinPerWatt
    time_constant: PositiveSeconds
    limit: Celsius
    release: Celsius
    speed: Annotated[Ratio, Field(gt=0.0, lt=1.0)]

    @model_validator(mode="after")
    def _ordered(self) -> ThermalSpec:
        if self.release >= self.limit:
            raise ValueError(
                f"expected release of less than limit ({self.limit:g} °C), got {self.release:g} °C"
            )
        return self


class AskingSpec(_Strict):
    """Processor time of a coordinator, for a request and for each message of it."""

    per_request: Seconds = 0.0
    per_message: Seconds = 0.0
    per_byte: SecondsPerByte = 0.0


class MessagingSpec(_Strict):
    """Software cost of a message at each of its ends; `edgesim profile` measures it.

    ``per_message`` and ``per_byte`` are processor time of a node; ``delay`` passes on no processor
    between a message's arrival and its handling; ``asking`` is of a coordinator on this device.
    """

    per_message: Seconds = 0.0
    per_byte: SecondsPerByte = 0.0
    delay: Seconds = 0.0
    asking: AskingSpec = AskingSpec()
    cooling: CoolingSpec = CoolingSpec()


class MeasuredSpec(_Strict):
    """A whole model that was timed on the device, in place of the roofline.

    ``operators`` is the SHA-256 of its operators (`edgesim.graph.fingerprint`), so that the time
    counts for just this model; ``time`` is of an execution of the ``batch``, the mean of ``runs``.
    """

    model: str
    operators: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    precision: Precision
    batch: Count = 1
    time: PositiveSeconds
    runs: Count


class Published(_Strict):
    """One published latency or throughput of a model on a device; latency is of the batch.

    ``energy`` is too, where it is known. ``clock_ratio`` is the clock of the device that was
    measured over the entry's. Rows that are not to ``fit`` say why in ``note``.
    """

    model: str
    precision: Precision
    batch: Count = 1
    image_size: Count | None = None
    classes: Count | None = None
    latency: PositiveSeconds | None = None
    samples_per_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    energy: Annotated[Joules, Field(gt=0.0)] | None = None
    clock_ratio: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    runtime: str = ""
    source: str
    fit: bool = True
    note: str = ""

    @model_validator(mode="after")
    def _one_figure(self) -> Published:
        if (self.latency is None) == (self.samples_per_s is None):
            raise ValueError("expected either latency or samples_per_s")
        return self

    @property
    def latency_s(self) -> float:
        """Seconds of one execution of the batch."""
        if self.latency is not None:
            return self.latency
        assert self.samples_per_s is not None
        return self.batch / self.samples_per_s


class ProcessorSpec(_Strict):
    """A processor."""

    kind: Literal["processor"] = "processor"
    description: str = ""
    peak: Annotated[dict[Precision, FlopRate], Field(min_length=1)]
    cores: Count = 1
    efficiency: EfficiencySpec = Field(default_factory=dict)
    half_saturation: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    launch_overhead: Seconds = 0.0
    memory: MemorySpec = MemorySpec()
    fused: tuple[OpKind, ...] = ()
    power: PowerSpec = PowerSpec()
    messaging: MessagingSpec = MessagingSpec()
    measured: tuple[MeasuredSpec, ...] = ()
    cooling: CoolingSpec = CoolingSpec()
    thermal: ThermalSpec | None = None
    spread: Annotated[tuple[Quantile, ...], AfterValidator(_ascending)] = ()
    source: dict[str, str] = Field(default_factory=dict)
    published: tuple[Published, ...] = ()

    @model_validator(mode="after")
    def _known_precisions(self) -> ProcessorSpec:
        has = f"the device computes in {', '.join(self.peak)}"
        for key, value in self.efficiency.items():
            if isinstance(value, dict) and key not in self.peak:
                raise ValueError(f"efficiency.{key}: expected a precision with a peak, {has}")
        for index, row in enumerate(self.published):
            if row.precision not in self.peak:
                raise ValueError(
                    f"published.{index}.precision: expected one with a peak, "
                    f"got {row.precision}; {has}"
                )
        for index, timed in enumerate(self.measured):
            if timed.precision not in self.peak:
                raise ValueError(
                    f"measured.{index}.precision: expected one with a peak, "
                    f"got {timed.precision}; {has}"
                )
        return self

    def by_precision(self) -> dict[str, dict[str, float]]:
        """Return the efficiency by precision and kind, whichever way it was written."""
        table: dict[str, dict[str, float]] = {}
        for key, value in self.efficiency.items():
            if isinstance(value, dict):
                table[str(key)] = {str(kind): share for kind, share in value.items()}
            else:
                for precision in self.peak:
                    table.setdefault(precision, {})[str(key)] = value
        return table
