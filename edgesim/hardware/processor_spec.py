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
    FlopRate,
    Joules,
    PositiveBytes,
    PositiveSeconds,
    Ratio,
    Seconds,
)
from edgesim.graph import BYTES_PER_ELEMENT, OpKind
from edgesim.hardware.device import Cooling, Messaging, Power
from edgesim.hardware.faults import Thermal

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
    power: Power = Power()
    messaging: Messaging = Messaging()
    measured: tuple[MeasuredSpec, ...] = ()
    cooling: Cooling = Cooling()
    thermal: Thermal | None = None
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
