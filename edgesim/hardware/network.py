"""Links, routes, and the nodes that they join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edgesim.common.fields import Count, Name, choices, short
from edgesim.common.quantities import (
    Bandwidth,
    Bytes,
    Celsius,
    JoulesPerByte,
    Ratio,
    Seconds,
    Watts,
)
from edgesim.common.validation import NOT_WRITTEN, key, spec
from edgesim.hardware.device import Device
from edgesim.hardware.faults import Battery, Exhaustion, Fault, Faults, Loss


class Duplex(StrEnum):
    """How the two directions of a link share its bandwidth."""

    FULL = "full"
    """Each direction has the whole bandwidth."""
    HALF = "half"
    """Both directions together have the bandwidth."""
    SHARED = "shared"
    """A medium: every flow of every station together has the bandwidth."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """Figures of a link, or of a medium that all nodes share.

    Attributes:
        bandwidth_byte_s: bandwidth, in bytes per second; of each direction where a link is full
            duplex.
        latency_s: delay in one direction, in seconds.
        energy_per_byte_j: energy of each byte carried, in joules.
        power_w: constant power of the link's equipment, in watts.
        loss: share of packets that are lost.
        faults: cuts of the link, of each link by itself.
    """

    bandwidth_byte_s: Bandwidth
    latency_s: Seconds = 0.0
    energy_per_byte_j: JoulesPerByte = 0.0
    power_w: Watts = 0.0
    loss: Loss = 0.0
    faults: Faults | None = None


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Medium):
    """One link.

    Attributes:
        name: name, unique in its network.
        duplex: sharing of the bandwidth: each direction has all of it (full), both together have it
            (half), or all flows of the medium together (shared).
        ends: two nodes or switches that the link joins; routes are found over them.
    """

    name: Annotated[str, key(NOT_WRITTEN)]
    duplex: Annotated[Duplex, choices(Duplex)] = Duplex.FULL
    ends: Annotated[tuple[Name, ...], Field(min_length=2, max_length=2)] | None = None


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


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Dynamic batching: an execution takes up to `max` requests.

    Attributes:
        max: largest number of requests in one execution.
        wait_s: longest wait of an idle node for a fuller batch, in seconds.
    """

    max: Count = 1
    wait_s: Seconds = 0.0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Variability:
    """Variation of service times around the modelled mean.

    Attributes:
        kind: distribution of service times about their mean; measured: that of the device's
            profile.
        cv: coefficient of variation of the lognormal distribution.
    """

    kind: Literal["none", "lognormal", "exponential", "measured"]
    cv: Ratio | None = None


Order = Literal["fifo", "priority", "edf"]
WhenFull = Literal["reject", "drop-oldest", "keep-latest"]


def _with_its_limit(queue: Queue) -> Queue:
    """Return a queue whose keys go together.

    Raises:
        ValueError: they do not.
    """
    if queue.full == "keep-latest" and queue.limit is not None:
        raise ValueError(
            "keep-latest lets one request of each workload and source wait; leave out 'limit'"
        )
    if queue.full in ("reject", "drop-oldest") and queue.limit is None:
        raise ValueError(f"'{queue.full}' needs a 'limit', as in {{limit: 64, full: {queue.full}}}")
    return queue


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The queue of a node: what is served next, and what becomes of work where it is full.

    Attributes:
        order: order of service; with `priority` the lower number first, with `edf` the earliest
            deadline, first come first served among equals.
        limit: number of executions that may wait; those in service do not count. Without it, any
            number.
        full: execution that leaves a full queue: the one that comes (reject), the one that has
            waited longest (drop-oldest), or all that wait of the same task but the newest
            (keep-latest, which has no limit). reject unless given.
        skip_late: whether work is dropped that cannot end by the deadline of its request any more,
            when its turn comes.
    """

    order: Order = "fifo"
    limit: Count | None = None
    full: WhenFull | None = None
    skip_late: bool = False

    @property
    def drops(self) -> bool:
        """Whether it may drop work."""
        return self.limit is not None or self.full is not None or self.skip_late


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """Queue, batches, faults and battery of a node.

    Attributes:
        queue: order of service, and what becomes of work where the queue is full.
        batch: limits of a batch of requests.
        variability: distribution of service times.
        faults: crash and repair of the node.
        reserve_bytes: memory that the operating system and the runtime take, which models cannot
            have; the device's usual unless given.
        host: name of the machine of `hosts` whose cores the node shares with other nodes.
        restart_s: time from a repair to the first answer (boot, loading of weights), in seconds.
        ambient_c: temperature of the surroundings, in °C; with it the device warms up and
            throttles.
        battery: battery that feeds the node; without it the node is on the mains.
        exhaustion: growth of the memory in use; without it memory is not exhausted.
    """

    queue: Annotated[Queue, short("order"), AfterValidator(_with_its_limit)] = Queue()
    batch: Batch = Batch()
    variability: Annotated[Variability, short("kind")] = Variability(kind="none")
    faults: Faults | None = None
    reserve_bytes: Bytes | None = None
    host: Name | None = None
    restart_s: Seconds = 0.0
    ambient_c: Celsius | None = None
    battery: Battery | None = None
    exhaustion: Exhaustion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(NodeOptions):
    """A device in the cluster, and how it queues and serves.

    Attributes:
        name: name, unique in the cluster.
        device: device that computes.
        address: host:port of a real node.
    """

    name: str
    device: Device
    address: str | None = None

    @property
    def model_memory_bytes(self) -> float:
        """Memory that models may use: the device's less what is reserved."""
        reserve = self.device.reserve_bytes if self.reserve_bytes is None else self.reserve_bytes
        return max(0.0, self.device.memory_capacity_bytes - reserve)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster.

    Attributes:
        nodes: nodes by name.
        network: network between them.
        hosts: number of cores of each machine that nodes share, by name.
        faults: scheduled faults of nodes and links, beside those of their own.
    """

    nodes: Mapping[str, Node]
    network: Network
    hosts: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
