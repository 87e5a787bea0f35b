"""Channels and routes: what flows share, how fairly they share it, and when the next one ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from simpy.events import Event

from edgesim.simulate.kernel import Kernel
from edgesim.simulate.ports import Port

Flow = tuple[float, int, float, Any]
"""Progress of its route at which a flow ends, serial, bytes, token."""


@dataclass(eq=False, slots=True)
class Channel:
    """One direction of a full-duplex link, or a whole half-duplex link or medium.

    Attributes:
        capacity: bytes per second.
        active: routes with at least one flow, in order of arrival.
        bytes: carried so far.
        left: capacity not yet given away, while rates are found.
        open: flows without a rate yet, while rates are found.
    """

    capacity: float
    active: dict[Route, None] = field(default_factory=dict)
    left: float = 0.0
    open: int = 0
    bytes: float = 0.0


@dataclass(eq=False, slots=True)
class Route:
    """The channels from one node to another, and the flows on them now.

    Attributes:
        channels: the channels that it crosses.
        latency_s: sum over its links.
        source: port of the sending node.
        target: port of the receiving node.
        links: names of the links that it crosses.
        limit: holds its flows to what packet loss lets one of them have; None where none is lost.
        flows: heap of those now.
        count: flows now.
        progress: bytes moved by each flow present since the route was last empty.
        updated_s: when ``progress`` was true.
        rate: bytes per second of each flow.
        new_rate: the rate just found.
        serial: of the last flow.
        end: the event at which the next flow ends.
        extra_s: latency that faults add.
        loss: share of packets that are lost on the way.
        flow_byte_s: that one flow may have at most.
    """

    channels: tuple[Channel, ...]
    latency_s: float
    source: Port
    target: Port
    links: tuple[str, ...] = ()
    limit: Channel | None = None
    flows: list[Flow] = field(default_factory=list)
    count: int = 0
    progress: float = 0.0
    updated_s: float = 0.0
    rate: float = 0.0
    new_rate: float = 0.0
    serial: int = 0
    end: End | None = None
    extra_s: float = 0.0
    loss: float = 0.0
    flow_byte_s: float = inf


class End(Event):
    """The end of a route's next flow; void once the route holds another."""

    def __init__(self, kernel: Kernel, callback: Callable[[End], None], route: Route) -> None:
        self.env = kernel
        self.callbacks = [callback]
        self._ok = True
        self._value = None
        self.route = route
        self.head = route.flows[0][1]


def fill(routes: Iterable[Route], channels: Iterable[Channel]) -> None:
    """Set ``new_rate`` of every route to the max-min fair share of each of its flows.

    All flows grow together until a channel is exhausted; flows that cross it keep what they have,
    the others grow on (Bertsekas and Gallager, Data Networks, 2nd ed., section 6.5.2). The two
    sets must be closed: every route on each channel, every channel of each route.
    """
    for route in routes:
        route.new_rate = -1.0
    unfilled = []
    for channel in channels:
        channel.left = channel.capacity
        channel.open = 0
        for route in channel.active:
            channel.open += route.count
        unfilled.append(channel)
    while unfilled:
        tightest = min(unfilled, key=_share)
        share = tightest.left / tightest.open
        for route in tightest.active:
            if route.new_rate >= 0.0:
                continue
            route.new_rate = share
            for channel in route.channels:
                channel.left -= share * route.count
                channel.open -= route.count
        unfilled = [channel for channel in unfilled if channel.open > 0]
        for channel in unfilled:
            # Rounding may leave a little less than nothing.
            channel.left = max(channel.left, 0.0)


def _share(channel: Channel) -> float:
    return channel.left / channel.open
