"""Flows over routes: fluid, max-min fair, latency first, cut-through.

A flow of n bytes that starts when its route has moved p bytes ends when the route has moved p + n.
The clock that moves routes is that of their bottleneck: `edgesim.simulate.sharing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from edgesim.hardware import Cluster, Duplex
from edgesim.simulate.channels import Channel, End, Flow, Route
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.routes import LinkState, Port, tcp_byte_s
from edgesim.simulate.sharing import PRECISE, Sharing

Delivery = Callable[[Any], None]


class Flows:
    """All flows of a network.

    Args:
        kernel: the clock.
        cluster: links and routes, and their faults.
        ports: of every node, for the time that it sends and receives.
        deliver: called with the token of each flow when its last byte arrives.
    """

    def __init__(
        self, kernel: Kernel, cluster: Cluster, ports: dict[str, Port], deliver: Delivery
    ) -> None:
        self._kernel = kernel
        self._network = network = cluster.network
        self._lossy = {name for name, link in network.links.items() if link.loss > 0.0}
        self._lossy |= {fault.target for fault in cluster.faults if fault.loss > 0.0}
        self._state: dict[str, LinkState] = {}
        self._ports = ports
        self._deliver = deliver
        self._routes: dict[tuple[str, str], Route] = {}
        self._sharing = Sharing(kernel, self._finish)
        self._serial = 0
        self.channels: dict[tuple[str, bool], Channel] = {}

    def route(self, source: str, target: str) -> Route:
        """Return the route between two nodes, made at first use."""
        route = self._routes.get((source, target))
        if route is None:
            hops = self._network.route(source, target)
            assert hops, f"placement checked that {source} reaches {target}"
            channels = {self._channel(hop.link, hop.forward): None for hop in hops}
            latency = sum(self._network.links[hop.link].latency_s for hop in hops)
            names = tuple(hop.link for hop in hops)
            # Only a medium is crossed more than once, and then nothing else is.
            weight = len(hops) // len(channels)
            limit = None
            if not self._lossy.isdisjoint(names):
                limit = Channel(inf, elastic=True)
                channels[limit] = None
            ends = (self._ports[source].sending, self._ports[target].receiving)
            route = Route(tuple(channels), latency, *ends, names, limit, weight)
            self._update_state(route)
            self._routes[source, target] = route
        return route

    def _channel(self, link: str, forward: bool) -> Channel:
        full = self._network.links[link].duplex is Duplex.FULL
        key = (link, forward or not full)
        channel = self.channels.get(key)
        if channel is None:
            state = self._state.get(link)
            own = self._network.links[link].bandwidth_byte_s
            channel = Channel(own if state is None else state.bandwidth_byte_s)
            self.channels[key] = channel
        channel.known += 1
        return channel

    def begin(self, route: Route, size: float, token: Any) -> None:
        """Start a flow of ``size`` bytes now; the route's latency has already passed."""
        if size <= 0.0:
            self._deliver(token)
            return
        now = self._kernel.time_s
        route.source.start(now)
        route.target.start(now)
        weight = route.weight
        route.count += weight
        if route.limit is not None:
            route.limit.capacity = route.flow_byte_s * route.count
        self._serial += 1
        flow = (size, self._serial, size, token)
        if route.count == weight:
            route.flows.append(flow)
            self._sharing.start(route, now)
            return
        bottleneck = route.bottleneck
        if bottleneck is None:
            heappush(route.flows, flow)
            return
        bottleneck.advance(now)
        if bottleneck.progress > PRECISE * size:
            self._sharing.rebase(bottleneck, now)
        flow = (bottleneck.progress - route.origin + size, self._serial, size, token)
        heappush(route.flows, flow)
        if route.flows[0] is flow:
            route.push_head()
        self._sharing.grow(route, weight)

    def _finish(self, end: End) -> None:
        bottleneck = end.channel
        if bottleneck.end is not end:
            return
        bottleneck.end = None
        now = self._kernel.time_s
        heads = bottleneck.heads
        reached, _, route = heads[0]
        bottleneck.progress = reached
        bottleneck.updated_s = now
        # Flows that end together differ by rounding only.
        limit = reached + 1e-12 * max(abs(reached), route.flows[0][2] if route.flows else 0.0)
        ended: list[tuple[Route, list[Flow]]] = []
        while heads and heads[0][0] <= limit:
            _, serial, route = heappop(heads)
            flows = route.flows
            if route.bottleneck is not bottleneck or not flows or flows[0][1] != serial:
                continue
            first = [heappop(flows)]
            while flows and route.origin + flows[0][0] <= limit:
                first.append(heappop(flows))
            if flows:
                route.push_head()
            ended.append((route, first))
        for route, first in ended:
            self._release(route, len(first), now)
        for route, first in ended:
            weight = route.weight
            for _, _, size, token in first:
                carried = size * weight
                for channel in route.channels:
                    channel.bytes += carried
                self._deliver(token)

    def _release(self, route: Route, ended: int, now: float) -> None:
        route.count -= ended * route.weight
        if route.limit is not None and route.count:
            route.limit.capacity = route.flow_byte_s * route.count
        for _ in range(ended):
            route.source.stop(now)
            route.target.stop(now)
        self._sharing.grow(route, -ended * route.weight)
        if not route.count:
            self._sharing.stop(route)

    def set_link(self, link: str, state: LinkState) -> None:
        """Change the bandwidth, latency and loss of a link, for flows in progress too."""
        self._state[link] = state
        for forward in (True, False):
            channel = self.channels.get((link, forward))
            if channel is not None:
                channel.capacity = state.bandwidth_byte_s
                if channel.active:
                    self._sharing.change(channel)
        for route in self._routes.values():
            if link in route.links:
                route.narrowest = None
                self._update_state(route)

    def _update_state(self, route: Route) -> None:
        """Set the added latency, the loss and the rate limit of a route from its links."""
        links = self._network.links
        states = [self._state.get(name) for name in route.links]
        route.extra_s = sum(state.latency_s for state in states if state is not None)
        if route.limit is None:
            return
        delivered = 1.0
        for name, state in zip(route.links, states, strict=True):
            delivered *= 1.0 - (links[name].loss if state is None else state.loss)
        route.loss = 1.0 - delivered
        route.flow_byte_s = tcp_byte_s(route.loss, 2.0 * (route.latency_s + route.extra_s))
        route.limit.capacity = route.flow_byte_s * route.count
        if route.count:
            self._sharing.change(route.limit)

    def withdraw(self, route: Route, token: Any) -> None:
        """Remove a flow from its route, if it is there; the bytes that it carried are counted."""
        place = next((n for n, flow in enumerate(route.flows) if flow[3] is token), None)
        if place is None:
            return
        now = self._kernel.time_s
        _count_carried(route, route.flows[place : place + 1], now)
        route.flows[place] = route.flows[-1]
        route.flows.pop()
        heapify(route.flows)
        if route.flows and route.bottleneck is not None:
            route.push_head()
        self._release(route, 1, now)

    def cut(self, node: str) -> list[Any]:
        """Drop every flow to or from ``node``; return their tokens."""
        now = self._kernel.time_s
        dropped: list[Any] = []
        for ends, route in self._routes.items():
            if node not in ends or not route.count:
                continue
            _count_carried(route, route.flows, now)
            dropped += [token for _, _, _, token in route.flows]
            count = len(route.flows)
            route.flows.clear()
            self._release(route, count, now)
        return dropped

    def close(self, now: float) -> None:
        """Count the bytes that flows in progress have carried by the end of the run."""
        for route in self._routes.values():
            _count_carried(route, route.flows, now)


def _count_carried(route: Route, flows: Iterable[Flow], now: float) -> None:
    """Count the bytes that flows in progress on a route have carried until ``now``."""
    moved = route.moved(now)
    for finish, _, size, _ in flows:
        for channel in route.channels:
            channel.bytes += max(0.0, size - (finish - moved)) * route.weight
