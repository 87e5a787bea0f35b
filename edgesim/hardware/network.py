"""Links, routes, and the nodes that they join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edgesim.hardware.device import Device


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
    """

    name: str
    bandwidth_byte_s: float
    latency_s: float = 0.0
    duplex: Duplex = Duplex.FULL
    ends: tuple[str, str] | None = None
    power_w: float = 0.0
    energy_per_byte_j: float = 0.0


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
class Outage:
    """One scheduled failure: the node is down from ``at_s`` for ``duration_s`` seconds."""

    at_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Crash and repair of a node: exponential times, or a schedule."""

    mtbf_s: float | None = None
    mttr_s: float | None = None
    schedule: tuple[Outage, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Nodes by name, the network between them, and the cores of machines that nodes share."""

    nodes: Mapping[str, Node]
    network: Network
    hosts: Mapping[str, int] = field(default_factory=dict)
