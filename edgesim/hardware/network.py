"""Links, routes, and the nodes that they join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edgesim.hardware.device import Device
from edgesim.hardware.faults import Battery, Exhaustion, Fault, Faults


class Duplex(StrEnum):
    """How the two directions of a link share its bandwidth."""

    FULL = "full"
    """Each direction has the whole bandwidth."""
    HALF = "half"
    """Both directions together have the bandwidth."""
    SHARED = "shared"
    """A medium: every flow of every station together has the bandwidth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link or medium.

    Attributes:
        name: unique in its network.
        bandwidth_byte_s: bytes per second (of each direction where the link is full duplex).
        latency_s: one way.
        duplex: how the directions share the bandwidth.
        ends: names of the nodes or switches that it joins, where known.
        power_w: constant draw of the link's own equipment.
        energy_per_byte_j: joules for each byte carried.
        loss: share of packets that it loses.
        faults: cut and repair.
    """

    name: str
    bandwidth_byte_s: float
    latency_s: float = 0.0
    duplex: Duplex = Duplex.FULL
    ends: tuple[str, str] | None = None
    power_w: float = 0.0
    energy_per_byte_j: float = 0.0
    loss: float = 0.0
    faults: Faults | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of a route, and the direction in which the route crosses it."""

    link: str
    forward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Links by name, and the route between each ordered pair of nodes that can talk."""

    links: Mapping[str, Link]
    routes: Mapping[tuple[str, str], tuple[Hop, ...]]

    def route(self, source: str, target: str) -> tuple[Hop, ...] | None:
        """Return the hops from ``source`` to ``target``; () within a node, None if unreachable."""
        if source == target:
            return ()
        return self.routes.get((source, target))


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A device in the cluster, and how it queues and serves.

    Attributes:
        name: unique in the cluster.
        device: what it computes with.
        queue: ``fifo`` or ``priority`` (lower number first, FIFO within one priority).
        batch_max: largest number of requests that one execution takes together.
        batch_wait_s: how long an idle node waits for a fuller batch.
        variability: ``none``, ``lognormal`` or ``exponential`` service time, mean as modelled, or
            ``measured``: drawn from the device's spread.
        cv: coefficient of variation of the lognormal.
        address: host:port of a real node.
        faults: crash and repair.
        host: machine whose cores it shares with others; None where it has one to itself.
        restart_s: from a repair until it answers again: it boots and loads its weights.
        ambient_c: temperature around it, which turns on its device's thermal model.
        battery: that it lives on; None where it is on the mains.
        exhaustion: how its memory fills up; None where it does not.
    """

    name: str
    device: Device
    queue: str = "fifo"
    batch_max: int = 1
    batch_wait_s: float = 0.0
    variability: str = "none"
    cv: float = 0.0
    address: str | None = None
    faults: Faults | None = None
    host: str | None = None
    restart_s: float = 0.0
    ambient_c: float | None = None
    battery: Battery | None = None
    exhaustion: Exhaustion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster.

    Attributes:
        nodes: by name.
        network: between them.
        hosts: cores of machines that nodes share, by name.
        faults: scheduled faults of nodes and links, beside those of their own.
    """

    nodes: Mapping[str, Node]
    network: Network
    hosts: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
