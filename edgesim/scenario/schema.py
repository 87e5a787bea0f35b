"""The scenario file: what may stand where, with units.

Each section that the code computes with is a class of the room whose idea it is; here they are
put together, with what only a file has. Each value stands for itself. What must go together is
checked by the resolvers, which know the line of each key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from edgesim.common.fields import NAMED, WHOLE, Count, FileName, Name, Text, short
from edgesim.common.text import described
from edgesim.common.validation import key, spec
from edgesim.graph.sources import SourceKeys
from edgesim.hardware import Fault, Link, Medium, NodeOptions
from edgesim.hardware.device import Precision
from edgesim.hardware.runtimes import RuntimeChoice
from edgesim.hardware.topology import NO_ACCESS_POINT, ROUTER
from edgesim.placement.plan import ExplicitTask, Transfer
from edgesim.simulate.recovery import Recovery

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+(%\w+)?\]|[\w.-]+):([0-9]{1,5})")
_ADDRESS_SCHEMA = {"type": "string", "pattern": ":[0-9]{1,5}$", "examples": ["pi-0.local:50051"]}


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or not 1 <= int(match[3]) <= 65535:
        raise ValueError(f"expected host:port such as 'pi-0.local:50051', got {described(value)}")
    return value


def _device(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, dict) and value):
        return value
    raise ValueError(f"expected a device's name or an inline device, got {described(value)}")


Addresses = Annotated[
    list[Annotated[StrictStr, AfterValidator(_address)]],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_ADDRESS_SCHEMA, {"type": "array", "items": _ADDRESS_SCHEMA}]}),
]
DeviceField = Annotated[Any, BeforeValidator(_device), WithJsonSchema({"x-device": True})]
"""Resolved later, by the catalog; `json_schema` puts in what may stand there."""


@spec
@dataclass(frozen=True, kw_only=True)
class ModelSpec(SourceKeys):
    """A model: of the catalog, from elsewhere, an `artifact`, or an explicit task graph.

    Attributes:
        precision: number format of weights, activations and arithmetic.
        tasks: tasks of an explicit task graph, by name.
        transfers: transfers between the tasks of an explicit task graph.
        artifact: path of a folder that `edgesim partition` wrote; relative to this file.
        training: recipe of `edgesim partition`, which trains and splits a model by it.
    """

    precision: Precision = "fp32"
    tasks: Annotated[dict[Name, ExplicitTask], Field(min_length=1)] | None = None
    transfers: tuple[Transfer, ...] = ()
    artifact: Annotated[Text | None, Field(examples=["fashion-5"])] = None
    training: dict[str, Any] | None = None


class PlacementSpec(BaseModel):
    """How the model is placed; a strategy from a plug-in may have keys of its own."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    strategy: Text | None = Field(None, description="name of the placement strategy")


class TrafficSpec(BaseModel):
    """Requests to the cluster: an arrival process, whose own keys stand beside its name."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    arrivals: Text = Field(description="name of the arrival process")


@spec
@dataclass(frozen=True, kw_only=True)
class NodeSpec(NodeOptions):
    """One node, or `count` alike: `pi` becomes `pi-0`, `pi-1`, …

    Attributes:
        device: device that the node computes with: name, file, inline, or one of the catalog with
            changes.
        runtime: software that runs the model, where it is not the device's usual one.
        count: number of nodes alike: `pi` becomes `pi-0`, `pi-1`, …; without it the name stays.
        address: address of a real node, host:port; a list of them with `count`.
    """

    device: DeviceField
    runtime: Annotated[RuntimeChoice, short("name")] | None = None
    count: Annotated[StrictInt, Field(ge=1, le=100_000), WHOLE] | None = None
    address: Addresses | None = None


@spec
@dataclass(frozen=True, kw_only=True)
class HostSpec:
    """A machine on which several nodes run; what runs shares its cores equally.

    Attributes:
        cores: number of cores of the machine.
    """

    cores: Count


@spec
@dataclass(frozen=True, kw_only=True)
class SwitchSpec(Medium):
    """A star: one link of these figures from every node to one switch.

    Attributes:
        duplex: sharing of a link's bandwidth: each direction has all of it (full), or both together
            have it (half).
    """

    duplex: Literal["full", "half"] = "full"


@spec
@dataclass(frozen=True, kw_only=True)
class WifiSpec(Medium):
    """A wireless medium that all nodes share.

    Attributes:
        access_point: device through which stations talk: `router` (no node of the cluster) or a
            node, so that two stations cross the medium twice; `none` where nodes talk to each other
            directly.
    """

    access_point: Annotated[Name, Field(examples=[ROUTER, NO_ACCESS_POINT, "hub"])] = ROUTER


@spec
@dataclass(frozen=True, kw_only=True)
class RouteSpec:
    """The links from one node to another, in order; the reverse route too unless it is given.

    Attributes:
        source: node where the route begins.
        target: node where the route ends.
        links: links of the route, in order, by name.
    """

    source: Annotated[Name, key("from")]
    target: Annotated[Name, key("to")]
    links: Annotated[tuple[Name, ...], Field(min_length=1)]


@spec
@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A switch, a wireless medium, or links by name: one of the three.

    Attributes:
        switch: switch that every node has a link to.
        wifi: wireless medium that all nodes share.
        links: links by name; names at their ends that are no nodes are switches.
        routes: routes over `links`; where none is given, the shortest is found.
    """

    switch: SwitchSpec | None = None
    wifi: WifiSpec | None = None
    links: Annotated[dict[Name, Link], Field(min_length=1), NAMED] | None = None
    routes: tuple[RouteSpec, ...] = ()


@spec
@dataclass(frozen=True, kw_only=True)
class ScheduleSpec:
    """Faults at known times, of nodes and links.

    Attributes:
        schedule: faults of nodes and links, each with its time.
        file: path of a CSV file of faults, with the keys of `schedule` as its columns; relative to
            this file.
    """

    schedule: Annotated[tuple[Fault, ...], Field(min_length=1)] | None = None
    file: Text | None = None


@spec
@dataclass(frozen=True, kw_only=True)
class BaselineSpec:
    """One device that runs the whole model.

    Attributes:
        device: device that runs the whole model: name, file, or inline.
        name: name of the baseline in tables; the device's unless given.
        precision: number format of the arithmetic; the model's unless given.
        runtime: software that runs the model; unless given, the device's usual one, and beside it
            the fastest that times are published with.
        batch: largest number of requests in one execution.
    """

    device: DeviceField
    name: Name | None = None
    precision: Precision | None = None
    runtime: Annotated[RuntimeChoice, short("name")] | None = None
    batch: Count = 1


@spec
@dataclass(frozen=True, kw_only=True)
class ScenarioSpec:
    """A scenario of edgesim: a model, its placement, nodes, a network and traffic.

    Attributes:
        name: name of the results; the file's unless given.
        seed: seed of every random draw.
        model: model that is run.
        placement: placement of the model on the nodes.
        nodes: nodes of the cluster, by name.
        hosts: machines that several nodes share, by name.
        network: network between the nodes; a lone node needs none.
        faults: faults of nodes and links at known times.
        recovery: reaction to parts that do not answer.
        traffic: requests that are offered to the cluster.
        baselines: single devices that run the whole model, to compare with.
        replications: number of repetitions, each with independent random numbers.
    """

    name: FileName | None = None
    seed: Annotated[StrictInt, Field(ge=0, lt=1 << 64), WHOLE] = 0
    model: ModelSpec
    placement: PlacementSpec = field(default_factory=PlacementSpec)
    nodes: Annotated[dict[Name, NodeSpec], Field(min_length=1)]
    hosts: dict[Name, HostSpec] = field(default_factory=dict)
    network: NetworkSpec | None = None
    faults: ScheduleSpec | None = None
    recovery: Recovery = field(default_factory=Recovery)
    traffic: TrafficSpec
    baselines: tuple[Annotated[BaselineSpec, short("device")], ...] = ()
    replications: Annotated[StrictInt, Field(ge=1, le=10_000), WHOLE] = 1
