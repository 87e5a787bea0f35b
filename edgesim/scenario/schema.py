"""The scenario file as pydantic models: what may stand where, with units.

Here each value stands for itself. What must go together is checked by the resolvers, which know
the line of each key.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from edgesim.common.fields import WHOLE, Count, FileName, Name, Text
from edgesim.common.quantities import PositiveBytes, PositiveSeconds, Rate, Seconds
from edgesim.hardware import Fault
from edgesim.hardware.device import Precision
from edgesim.scenario.fields import DeviceField, Strict
from edgesim.scenario.schema_cluster import HostSpec, NetworkSpec, NodeSpec
from edgesim.scenario.schema_model import ModelSpec
from edgesim.simulate.recovery import Recovery


class PlacementSpec(BaseModel):
    """How the model is placed; a strategy from a plug-in may have keys of its own."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    strategy: Text | None = Field(
        default=None, description="single, replicate, pipeline, class-wise, manual, or a plug-in's"
    )
    input: Name | None = Field(
        default=None, description="node where requests enter and answers return"
    )
    nodes: list[Name] = Field(
        default_factory=list, description="to place on, in order; all but input and fusion if none"
    )
    objective: Literal["latency", "bottleneck"] | None = Field(
        default=None, description="pipeline: what the cuts minimise"
    )
    fusion: Name | None = Field(None, description="class-wise: node where parts are fused")
    submodels: Count | None = Field(None, description="class-wise: how many")
    heads: Count | None = Field(
        default=None, description="class-wise: kept in each sub-model; the most that fits if none"
    )
    memory_budget: PositiveBytes | None = Field(
        default=None, description="class-wise: of one sub-model; its node's memory if none"
    )


Arrival = Literal[
    "closed", "poisson", "periodic", "trace", "single-stream", "multi-stream", "server", "offline"
]


class TrafficSpec(Strict):
    """What is asked of the cluster."""

    arrivals: Arrival = Field(description="the last four are MLPerf Inference's scenarios")
    requests: Annotated[StrictInt, Field(ge=1, le=100_000_000), WHOLE] | None = Field(
        default=None, description="offered; of a trace: all its times unless given"
    )
    rate: Rate | None = Field(None, description="poisson, periodic, server")
    concurrency: Annotated[StrictInt, Field(ge=1, le=10_000_000), WHOLE] | None = Field(
        default=None, description="closed: requests in flight; 1 unless given"
    )
    times: Annotated[list[Seconds], Field(min_length=1)] | None = Field(
        default=None, description="trace: arrival times, ascending"
    )
    file: Text | None = Field(
        default=None,
        description="trace: a file of arrival times, one a line, ascending; relative to this file",
    )
    samples: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE] | None = Field(
        default=None, description="that each request carries; multi-stream: 8 by definition"
    )
    warmup: Annotated[StrictInt, Field(ge=0), WHOLE] = Field(
        default=0, description="leading requests left out of the statistics"
    )
    latency_bound: PositiveSeconds | None = Field(
        default=None, description="server, multi-stream: of the 99th percentile"
    )
    min_duration: Seconds | None = Field(None, description="that an MLPerf run must last")


class ScheduleSpec(Strict):
    """Faults at known times, of nodes and links."""

    schedule: Annotated[tuple[Fault, ...], Field(min_length=1)] | None = None
    file: Text | None = Field(
        default=None,
        description="a CSV file of faults, with the keys of `schedule` as its columns; relative "
        "to this file",
    )


class BaselineSpec(Strict):
    """One device that runs the whole model."""

    device: DeviceField
    name: Name | None = Field(None, description="in tables; the device's unless given")
    precision: Precision | None = Field(None, description="the model's unless given")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"device": value} if isinstance(value, str) else value


class ScenarioSpec(Strict):
    """A scenario of edgesim: a model, its placement, nodes, a network and traffic."""

    name: FileName | None = Field(None, description="of results; the file's unless given")
    seed: Annotated[StrictInt, Field(ge=0, lt=1 << 64), WHOLE] = Field(
        default=0, description="of every random draw"
    )
    model: ModelSpec
    placement: PlacementSpec = PlacementSpec()
    nodes: Annotated[dict[Name, NodeSpec], Field(min_length=1)] = Field(
        description="of the cluster, by name"
    )
    hosts: dict[Name, HostSpec] = Field(
        default_factory=dict, description="machines that several nodes share, by name"
    )
    network: NetworkSpec | None = Field(
        default=None, description="between the nodes; a lone node needs none"
    )
    faults: ScheduleSpec | None = Field(
        default=None, description="of nodes and links, at known times"
    )
    recovery: Recovery = Recovery()
    traffic: TrafficSpec
    baselines: list[BaselineSpec] = Field(
        default_factory=list, description="single devices that run the whole model, to compare with"
    )
    replications: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] = Field(
        default=1, description="repetitions with independent random streams"
    )
