"""Channels and routes: what flows share, and the event at which one ends."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from simpy.events import Event

from edgesim.simulate.kernel import Kernel
from edgesim.simulate.ports import Port


class Channel:
    """One direction of a full-duplex link, or a whole half-duplex link or medium.

    Attributes:
        capacity: bytes per second.
        active: routes with at least one flow, in order of arrival.
        bytes: carried so far.
        left: capacity not yet given away, while rates are found.
        open: flows without a rate yet, while rates are found.
    """

    __slots__ = ("active", "bytes", "capacity", "left", "open")

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.active: dict[Route, None] = {}
        self.left = 0.0
        self.open = 0
        self.bytes = 0.0


class Route:
    """The channels from one node to another, and the flows on them now.

    Attributes:
        channels: the channels that it crosses.
        latency_s: sum over its links.
        source: port of the sending node.
        target: port of the receiving node.
        flows: heap of (progress at which the flow ends, serial, bytes, token).
        count: flows now.
        progress: bytes moved by each flow present since the route was last empty.
        updated_s: when ``progress`` was true.
        rate: bytes per second of each flow.
        new_rate: the rate just found.
        serial: of the last flow.
        end: the event at which the next flow ends.
        links: names of the links that it crosses.
        limit: holds its flows to what packet loss lets one of them have; None where none is lost.
        extra_s: latency that faults add.
        loss: share of packets that are lost on the way.
        flow_byte_s: that one flow may have at most.
    """

    __slots__ = (
        "channels",
        "count",
        "end",
        "extra_s",
        "flow_byte_s",
        "flows",
        "latency_s",
        "limit",
        "links",
        "loss",
        "new_rate",
        "progress",
        "rate",
        "serial",
        "source",
        "target",
        "updated_s",
    )

    def __init__(
        self,
        channels: tuple[Channel, ...],
        latency_s: float,
        source: Port,
        target: Port,
        links: tuple[str, ...] = (),
        limit: Channel | None = None,
    ) -> None:
        self.channels = channels
        self.latency_s = latency_s
        self.source = source
        self.target = target
        self.flows: list[tuple[float, int, float, Any]] = []
        self.count = 0
        self.progress = 0.0
        self.updated_s = 0.0
        self.rate = 0.0
        self.new_rate = 0.0
        self.serial = 0
        self.end: End | None = None
        self.links = links
        self.limit = limit
        self.extra_s = 0.0
        self.loss = 0.0
        self.flow_byte_s = inf


class End(Event):
    """The end of a route's next flow; void once the route holds another."""

    def __init__(self, kernel: Kernel, callback: Callable[[End], None], route: Route) -> None:
        self.env = kernel
        self.callbacks = [callback]
        self._ok = True
        self._value = None
        self.route = route
        self.head = route.flows[0][1]
