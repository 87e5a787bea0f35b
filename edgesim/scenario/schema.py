"""The scenario file as pydantic models: what may stand where, with units."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from edgesim.hardware.processor_spec import Precision
from edgesim.quantities import (
    Bandwidth,
    Bytes,
    Flop,
    JoulesPerByte,
    PositiveBytes,
    PositiveSeconds,
    Rate,
    Ratio,
    Seconds,
    Watts,
)
from edgesim.validation import described

Count = Annotated[StrictInt, Field(ge=1)]
Text = Annotated[StrictStr, Field(min_length=1)]
FileName = Annotated[StrictStr, Field(min_length=1, max_length=100, pattern=r"^\w[\w .+-]*$")]
"""A name that becomes part of a file name."""


class Strict(BaseModel):
    """Unknown keys are errors; nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _device(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, dict) and value):
        return value
    raise ValueError(f"expected a device's name or an inline device, got {described(value)}")


DeviceField = Annotated[
    Any,
    BeforeValidator(_device),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "object"}],
            "description": "catalog name (`edgesim devices` lists them), or an inline device",
        }
    ),
]


class TaskSpec(Strict):
    """A task of an explicit task graph; it takes flop / peak of its node."""

    flop: Flop
    node: Text
    memory: Bytes = 0.0
    cores: Count | None = Field(default=None, description="of the node; all unless given")
    priority: StrictInt = Field(default=0, description="lower runs first under queue: priority")
    optional: StrictBool = Field(
        default=False, description="the answer is only degraded without it"
    )


class TransferSpec(Strict):
    """Bytes from one task to another."""

    source: Text = Field(alias="from")
    target: Text = Field(alias="to")
    bytes: Bytes


class ModelSpec(Strict):
    """A model of the catalog, or an explicit task graph (`tasks` and `transfers`)."""

    name: Text | None = Field(None, description="catalog name; `edgesim models` lists them")
    classes: Count | None = None
    precision: Precision = "fp32"
    image_size: Count | None = None
    channels: Count | None = None
    patch_size: Count | None = None
    width: Count | None = None
    depth: Count | None = None
    heads: Count | None = None
    head_width: Count | None = None
    mlp_width: Count | None = None
    tasks: dict[Text, TaskSpec] | None = None
    transfers: list[TransferSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of(self) -> ModelSpec:
        if (self.name is None) == (self.tasks is None):
            raise ValueError("expected either 'name' (of the catalog) or 'tasks', and not both")
        if self.tasks is None and self.transfers:
            raise ValueError("'transfers' belong to 'tasks', which are not given")
        if self.tasks is not None:
            given = [key for key in BUILD_OPTIONS if getattr(self, key) is not None]
            if given:
                raise ValueError(f"'{given[0]}' belongs to a model of the catalog, not to 'tasks'")
            if not self.tasks:
                raise ValueError("expected at least one task")
        return self

    def options(self) -> dict[str, int]:
        """Return the catalog model's options that are given."""
        given = {key: getattr(self, key) for key in BUILD_OPTIONS}
        return {key: value for key, value in given.items() if value is not None}


BUILD_OPTIONS = (
    "classes", "image_size", "channels", "patch_size", "width", "depth", "heads", "head_width",
    "mlp_width",
)  # fmt: skip


class PlacementSpec(BaseModel):
    """How the model is placed; a strategy from a plug-in may have keys of its own."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    strategy: Text | None = Field(
        default=None, description="single, replicate, pipeline, class-wise, manual, or a plug-in's"
    )
    input: Text | None = Field(
        default=None, description="node where requests enter and answers return"
    )
    fusion: Text | None = Field(None, description="class-wise: node where parts are fused")
    nodes: list[Text] = Field(default_factory=list, description="nodes to place on, in order")
    objective: Literal["latency", "bottleneck"] | None = Field(None, description="pipeline")
    submodels: Count | None = Field(None, description="class-wise")
    heads: Count | None = Field(
        default=None, description="class-wise: heads kept in each sub-model"
    )
    memory_budget: PositiveBytes | None = Field(
        default=None, description="class-wise: of one sub-model"
    )


class BatchSpec(Strict):
    """Dynamic batching."""

    max: Count = 1
    wait: Seconds = 0.0


class VariabilitySpec(Strict):
    """How service times vary around the modelled mean."""

    kind: Literal["none", "lognormal", "exponential"]
    cv: Ratio | None = Field(None, description="coefficient of variation of the lognormal")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _cv_of_lognormal(self) -> VariabilitySpec:
        if (self.kind == "lognormal") != (self.cv is not None):
            raise ValueError(
                "lognormal needs 'cv', as in {kind: lognormal, cv: 0.2}"
                if self.cv is None
                else f"'cv' belongs to lognormal, not to {self.kind}"
            )
        return self


class OutageSpec(Strict):
    """A failure at a known time."""

    at: Seconds
    duration: PositiveSeconds


class FaultsSpec(Strict):
    """Crash and repair: exponential times, or a schedule."""

    mtbf: PositiveSeconds | None = None
    mttr: PositiveSeconds | None = None
    schedule: list[OutageSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _pair(self) -> FaultsSpec:
        if (self.mtbf is None) != (self.mttr is None):
            raise ValueError("'mtbf' and 'mttr' go together")
        if self.mtbf is None and not self.schedule:
            raise ValueError("expected 'mtbf' and 'mttr', or a 'schedule'")
        return self


class NodeSpec(Strict):
    """One node, or `count` alike: `pi` becomes `pi-0`, `pi-1`, …"""

    device: DeviceField
    count: Count | None = Field(None, le=100_000)
    queue: Literal["fifo", "priority"] = "fifo"
    batch: BatchSpec = BatchSpec()
    variability: VariabilitySpec = VariabilitySpec(kind="none")
    address: Text | None = Field(None, description="host:port of a real node")
    faults: FaultsSpec | None = None


class MediumSpec(Strict):
    """The links of a star, or a shared medium."""

    bandwidth: Bandwidth
    latency: Seconds = 0.0
    duplex: Literal["full", "half"] = "full"
    energy_per_byte: JoulesPerByte = 0.0
    power: Watts = 0.0


class WifiSpec(Strict):
    """One medium that all nodes share."""

    bandwidth: Bandwidth
    latency: Seconds = 0.0
    energy_per_byte: JoulesPerByte = 0.0
    power: Watts = 0.0


class LinkSpec(Strict):
    """One link."""

    bandwidth: Bandwidth
    latency: Seconds = 0.0
    duplex: Literal["full", "half", "shared"] = "full"
    ends: tuple[Text, Text] | None = Field(
        default=None, description="the nodes or switches that it joins"
    )
    energy_per_byte: JoulesPerByte = 0.0
    power: Watts = 0.0


class RouteSpec(Strict):
    """The links from one node to another, in order; the way back too unless it is given."""

    source: Text = Field(alias="from")
    target: Text = Field(alias="to")
    links: Annotated[list[Text], Field(min_length=1)]


class NetworkSpec(Strict):
    """A switch, a wireless medium, or links by name."""

    switch: MediumSpec | None = None
    wifi: WifiSpec | None = None
    links: dict[Text, LinkSpec] | None = None
    routes: list[RouteSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of(self) -> NetworkSpec:
        given = [key for key in ("switch", "wifi", "links") if getattr(self, key) is not None]
        if len(given) != 1:
            told = " and ".join(f"'{key}'" for key in given) or "none of them"
            raise ValueError(f"expected one of 'switch', 'wifi' or 'links', got {told}")
        if self.routes and self.links is None:
            raise ValueError("'routes' belong to 'links'")
        return self


Arrival = Literal[
    "closed", "poisson", "periodic", "trace", "single-stream", "multi-stream", "server", "offline"
]


class TrafficSpec(Strict):
    """What is asked of the cluster."""

    arrivals: Arrival
    requests: Count | None = Field(None, le=100_000_000)
    rate: Rate | None = Field(None, description="poisson, periodic, server")
    concurrency: Count | None = Field(None, description="closed")
    times: list[Seconds] | None = Field(None, description="trace: arrival times")
    file: Text | None = Field(
        default=None, description="trace: a file of arrival times, one a line"
    )
    samples: Count | None = Field(None, description="that each request carries")
    warmup: Annotated[StrictInt, Field(ge=0)] = Field(
        default=0, description="leading requests left out of the statistics"
    )
    latency_bound: PositiveSeconds | None = Field(None, description="server, multi-stream")
    min_duration: Seconds | None = Field(None, description="of a valid MLPerf run")

    @model_validator(mode="after")
    def _goes_together(self) -> TrafficSpec:
        for key, kinds in _KINDS.items():
            if getattr(self, key) is not None and self.arrivals not in kinds:
                raise ValueError(f"'{key}' belongs to {' or '.join(kinds)}, not to {self.arrivals}")
        if self.arrivals in _KINDS["rate"] and self.rate is None:
            raise ValueError(f"{self.arrivals} needs a 'rate', such as 0.5/s")
        if self.arrivals == "server" and self.latency_bound is None:
            raise ValueError("server needs a 'latency_bound' for its 99th percentile")
        if self.arrivals == "trace":
            if (self.times is None) == (self.file is None):
                raise ValueError("trace needs either 'times' or a 'file' of them")
        elif self.requests is None:
            raise ValueError(f"{self.arrivals} needs 'requests'")
        if self.requests is not None and self.warmup >= self.requests:
            raise ValueError(
                f"a warmup of {self.warmup} leaves nothing of {self.requests} requests"
            )
        return self


_KINDS = {
    "rate": ("poisson", "periodic", "server"),
    "concurrency": ("closed",),
    "times": ("trace",),
    "file": ("trace",),
    "latency_bound": ("server", "multi-stream"),
    "min_duration": ("single-stream", "multi-stream", "server", "offline"),
}


class BaselineSpec(Strict):
    """One device that runs the whole model."""

    device: DeviceField
    name: Text | None = None
    precision: Precision | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"device": value} if isinstance(value, str) else value


class ScenarioSpec(Strict):
    """A scenario file."""

    name: FileName | None = None
    seed: Annotated[StrictInt, Field(ge=0, lt=1 << 64)] = 0
    model: ModelSpec
    placement: PlacementSpec = PlacementSpec()
    nodes: Annotated[dict[Text, NodeSpec], Field(min_length=1)]
    network: NetworkSpec | None = None
    traffic: TrafficSpec
    baselines: list[BaselineSpec] = Field(default_factory=list)
    replications: Annotated[StrictInt, Field(ge=1, le=10_000)] = 1
