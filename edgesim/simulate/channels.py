"""Channels, the routes over them, and max-min fair rates computed from the start.

A channel is what flows share: one direction of a full-duplex link, a whole half-duplex link or
medium. `edgesim.simulate.sharing` keeps the rates up to date as flows come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from edgesim.simulate.kernel import Call
from edgesim.simulate.routes import Activity

Flow = tuple[float, int, float, Any]
"""Progress of its route at which a flow ends, serial, bytes, token."""


@dataclass(eq=False, slots=True)
class Channel:
    """One direction of a full-duplex link, or a whole half-duplex link or medium.

    Attributes:
        capacity: bytes per second.
        elastic: the capacity is that of one flow times the number of flows.
        active: routes with at least one flow, in order of arrival.
        bytes: bytes carried so far.
        known: number of routes that cross it; the busier of two equal channels is the bottleneck.
        count: flows whose bottleneck it is, each as often as it crosses it.
        rate: bytes per second of each of them.
        progress: bytes that each of them has moved since the clock was last zero.
        updated_s: time to which ``progress`` belongs.
        heads: heap of the next flow of each route, with the progress at which it ends.
        end: event at which the first of them ends.
        crossings: flows that cross it and have their bottleneck elsewhere, by bottleneck.
        spread: crossings of its own flows at other bottlenecks.
        limits: heap of rates from which channels that are not full must be looked at.
        used: bytes per second of all flows in ``crossings``, while it is a bottleneck.
        reserved: bytes per second that they can take without a look, while it is none.
        fastest: at least the rate of the fastest of them.
        changes: number of updates of ``used`` since it was last computed anew.
        left: capacity that is not yet shared out, while rates are computed anew.
        open: number of flows without a rate yet, while rates are computed anew.
    """

    capacity: float
    elastic: bool = False
    active: dict[Route, None] = field(default_factory=dict)
    bytes: float = 0.0
    known: int = 0
    count: int = 0
    rate: float = 0.0
    progress: float = 0.0
    updated_s: float = 0.0
    heads: list[tuple[float, int, Route]] = field(default_factory=list)
    end: End | None = None
    crossings: dict[Channel, Crossing] = field(default_factory=dict)
    spread: dict[Crossing, None] = field(default_factory=dict)
    limits: list[tuple[float, int, Crossing]] = field(default_factory=list)
    used: float = 0.0
    reserved: float = 0.0
    fastest: float = 0.0
    changes: int = 0
    left: float = 0.0
    open: int = 0

    @property
    def bound(self) -> float:
        """What all its own flows can take together, whatever their number: bytes per second."""
        return inf if self.elastic else self.capacity

    def moved(self, now: float) -> float:
        """Return its progress at a time."""
        return self.progress + self.rate * (now - self.updated_s)

    def advance(self, now: float) -> None:
        """Bring its clock to a time."""
        self.progress += self.rate * (now - self.updated_s)
        self.updated_s = now


@dataclass(eq=False, slots=True)
class Crossing:
    """Flows of one bottleneck that cross another channel.

    Attributes:
        bottleneck: that sets their rate.
        channel: that they cross.
        count: number of them.
        watched: the channel is a bottleneck too, or suffices only up to ``ceiling``.
        ceiling: rate of each flow up to which the channel is known to suffice.
        reserved: what is set aside for them in a channel that suffices for any number of them.
    """

    bottleneck: Channel
    channel: Channel
    count: int = 0
    watched: bool = False
    ceiling: float = inf
    reserved: float = 0.0


@dataclass(eq=False, slots=True)
class Route:
    """The channels from one node to another, and the flows on them now.

    Attributes:
        channels: channels that it crosses.
        latency_s: sum of the latencies of its links.
        source: what the sending node sends.
        target: what the receiving node receives.
        links: names of the links that it crosses, once for each crossing.
        limit: channel that limits its flows where packets are lost; None where none is lost.
        weight: times that it crosses each of its channels: 2 of a medium by its access point.
        flows: heap of the flows under way.
        count: number of flows under way, times ``weight``: each takes its rate so many times.
        bottleneck: of its flows; None until rates are computed at the end of an instant.
        origin: progress of the bottleneck at which the route's own progress was zero.
        crossings: of its flows, at its other channels.
        narrowest: its bottleneck where nothing else flows.
        extra_s: latency that faults add, in seconds.
        loss: share of packets that are lost.
        flow_byte_s: highest rate of one flow with this loss.
    """

    channels: tuple[Channel, ...]
    latency_s: float
    source: Activity
    target: Activity
    links: tuple[str, ...] = ()
    limit: Channel | None = None
    weight: int = 1
    flows: list[Flow] = field(default_factory=list)
    count: int = 0
    bottleneck: Channel | None = None
    origin: float = 0.0
    crossings: list[Crossing] = field(default_factory=list)
    narrowest: Channel | None = None
    extra_s: float = 0.0
    loss: float = 0.0
    flow_byte_s: float = inf

    @property
    def rate(self) -> float:
        """Bytes per second of each flow; 0 until rates are computed."""
        return 0.0 if self.bottleneck is None else self.bottleneck.rate

    def moved(self, now: float) -> float:
        """Return the bytes that a flow moved that was there since the route was last empty."""
        return 0.0 if self.bottleneck is None else self.bottleneck.moved(now) - self.origin

    def push_head(self) -> None:
        """Enter the flow that ends next with its bottleneck."""
        assert self.bottleneck is not None
        finish, serial, _, _ = self.flows[0]
        heappush(self.bottleneck.heads, (self.origin + finish, serial, self))


class End(Call):
    """The end of a bottleneck's next flow; it is ignored once the bottleneck has a newer one."""

    __slots__ = ("channel", "rate", "serial")

    def __init__(self, act: Callable[[End], None], channel: Channel) -> None:
        self.act = act
        self.channel = channel
        self.rate = channel.rate
        self.serial = channel.heads[0][1]


def fill(channels: Iterable[Channel]) -> dict[Route, tuple[Channel, float]]:
    """Return the bottleneck and the max-min fair rate of the flows of every route on channels.

    All rates grow together until a channel is full; flows that cross it keep their rate, the
    others grow on. The set must be closed: it has every channel of each route on its channels.
    O(n log n) for n channels on all routes.
    """
    agenda = []
    for index, channel in enumerate(channels):
        channel.left = channel.capacity
        channel.open = sum(route.count for route in channel.active)
        if channel.open:
            share = channel.left / channel.open
            agenda.append((share, -channel.known, index, channel))
    heapify(agenda)
    found: dict[Route, tuple[Channel, float]] = {}
    while agenda:
        share, known, index, channel = heappop(agenda)
        if not channel.open:
            continue
        left = channel.left / channel.open
        if left > share:
            heappush(agenda, (left, known, index, channel))
            continue
        for route in channel.active:
            if route in found:
                continue
            found[route] = channel, left
            for other in route.channels:
                # Rounding may leave slightly less than zero.
                other.left = max(0.0, other.left - left * route.count)
                other.open -= route.count
    return found
