"""The sections ``nodes`` and ``network``: what may stand where."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, model_validator

from edgesim.common.fields import WHOLE, Count, Name
from edgesim.common.quantities import Bandwidth, Celsius, JoulesPerByte, Ratio, Seconds, Watts
from edgesim.hardware.faults import Battery, Exhaustion, Faults, Loss
from edgesim.scenario.fields import Addresses, DeviceField, Strict


class BatchSpec(Strict):
    """Dynamic batching: an execution takes up to `max` requests."""

    max: Count = Field(default=1, description="requests in one execution")
    wait: Seconds = Field(default=0.0, description="of an idle node for a fuller batch")


class VariabilitySpec(Strict):
    """How service times vary around the modelled mean."""

    kind: Literal["none", "lognormal", "exponential", "measured"] = Field(
        description="measured: as the device's profile found"
    )
    cv: Ratio | None = Field(None, description="coefficient of variation of the lognormal")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


class NodeSpec(Strict):
    """One node, or `count` alike: `pi` becomes `pi-0`, `pi-1`, …"""

    device: DeviceField
    count: Annotated[StrictInt, Field(ge=1, le=100_000), WHOLE] | None = Field(
        default=None, description="`pi` becomes `pi-0`, `pi-1`, …; without it the name stays"
    )
    queue: Literal["fifo", "priority"] = Field(default="fifo", description="order of service")
    batch: BatchSpec = BatchSpec()
    variability: VariabilitySpec = VariabilitySpec(kind="none")
    address: Addresses | None = Field(
        default=None, description="host:port of a real node; a list of them with `count`"
    )
    faults: Faults | None = None
    host: Name | None = Field(
        default=None, description="machine of `hosts` whose cores it shares with other nodes"
    )
    restart: Seconds = Field(
        default=0.0, description="from a repair until it answers: it boots and loads its weights"
    )
    ambient: Celsius | None = Field(
        default=None, description="temperature around it; its device then warms up and throttles"
    )
    battery: Battery | None = None
    exhaustion: Exhaustion | None = None


class HostSpec(Strict):
    """A machine on which several nodes run; what runs shares its cores equally."""

    cores: Count


class WifiSpec(Strict):
    """One medium that all nodes share."""

    bandwidth: Bandwidth
    latency: Seconds = Field(default=0.0, description="one way")
    energy_per_byte: JoulesPerByte = 0.0
    power: Watts = Field(default=0.0, description="constant draw of the link's equipment")
    loss: Loss = Field(default=0.0, description="share of packets that get lost")
    faults: Faults | None = Field(default=None, description="cuts, of each link by itself")


class SwitchSpec(WifiSpec):
    """A star: one link of these figures from every node to one switch."""

    duplex: Literal["full", "half"] = "full"


class LinkSpec(WifiSpec):
    """One link."""

    duplex: Literal["full", "half", "shared"] = "full"
    ends: Annotated[list[Name], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="the nodes or switches that it joins; routes are found over them"
    )


class RouteSpec(Strict):
    """The links from one node to another, in order; the way back too unless it is given."""

    source: Name = Field(alias="from", description="a node")
    target: Name = Field(alias="to", description="a node")
    links: Annotated[list[Name], Field(min_length=1)]


class NetworkSpec(Strict):
    """A switch, a wireless medium, or links by name: one of the three."""

    switch: SwitchSpec | None = None
    wifi: WifiSpec | None = None
    links: Annotated[dict[Name, LinkSpec], Field(min_length=1)] | None = Field(
        default=None, description="by name; other names than nodes at their ends are switches"
    )
    routes: list[RouteSpec] = Field(
        default_factory=list, description="over `links`; others are found where links name ends"
    )
