"""Flows over routes: fluid, max-min fair, latency first, cut-through.

Flows of one route have the same rate, so a route keeps one clock for all of them: ``progress`` is
the bytes that each flow present since the beginning would have moved, and a flow of n bytes that
starts at progress p ends at p + n. A change of rate touches routes, not flows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from simpy.events import Event

from edgesim.hardware import Duplex, Network
from edgesim.simulate.fairness import fill
from edgesim.simulate.kernel import AFTER, Kernel
from edgesim.simulate.ports import Port
from edgesim.simulate.routes import Channel, End, Route

Delivery = Callable[[Any], None]


class Flows:
    """All flows of a network.

    Args:
        kernel: the clock.
        network: links and routes.
        ports: of every node, for the time that it sends and receives.
        deliver: called with the token of each flow when its last byte arrives.
    """

    def __init__(
        self, kernel: Kernel, network: Network, ports: dict[str, Port], deliver: Delivery
    ) -> None:
        self._kernel = kernel
        self._network = network
        self._ports = ports
        self._deliver = deliver
        self._routes: dict[tuple[str, str], Route] = {}
        self._dirty: dict[Channel, None] = {}
        self._flush: Event | None = None
        self.channels: dict[tuple[str, bool], Channel] = {}

    def route(self, source: str, target: str) -> Route:
        """Return the route between two nodes, made at first use."""
        route = self._routes.get((source, target))
        if route is None:
            hops = self._network.route(source, target)
            assert hops, f"placement checked that {source} reaches {target}"
            channels = {self._channel(hop.link, hop.forward): None for hop in hops}
            latency = sum(self._network.links[hop.link].latency_s for hop in hops)
            route = Route(tuple(channels), latency, self._ports[source], self._ports[target])
            self._routes[source, target] = route
        return route

    def _channel(self, link: str, forward: bool) -> Channel:
        full = self._network.links[link].duplex is Duplex.FULL
        key = (link, forward or not full)
        channel = self.channels.get(key)
        if channel is None:
            channel = Channel(self._network.links[link].bandwidth_byte_s)
            self.channels[key] = channel
        return channel

    def begin(self, route: Route, size: float, token: Any) -> None:
        """Start a flow of ``size`` bytes now; its latency is already behind it."""
        if size <= 0.0:
            self._deliver(token)
            return
        now = self._kernel.time_s
        if route.count:
            progress = route.progress + route.rate * (now - route.updated_s)
            route.progress = progress
        else:
            route.progress = progress = 0.0
        route.updated_s = now
        route.serial += 1
        heapq.heappush(route.flows, (progress + size, route.serial, size, token))
        route.count += 1
        route.source.start_sending(now)
        route.target.start_receiving(now)
        if route.count > 1:
            self._mark(route)
            return
        alone = True
        for channel in route.channels:
            if channel.active:
                alone = False
            channel.active[route] = None
        if alone:
            route.rate = min(channel.capacity for channel in route.channels)
            self._schedule(route)
        else:
            route.rate = 0.0
            self._mark(route)

    def _schedule(self, route: Route) -> None:
        route.end = end = End(self._kernel, self._finish, route)
        left = route.flows[0][0] - route.progress
        self._kernel.at(self._kernel.time_s + left / route.rate, end)

    def _mark(self, route: Route) -> None:
        """Have rates found anew at the end of this instant, once for all that happens in it."""
        for channel in route.channels:
            self._dirty[channel] = None
        if self._flush is None:
            self._flush = self._kernel.call_at(self._kernel.time_s, self._settle, AFTER)

    def _finish(self, end: End) -> None:
        route = end.route
        if route.end is not end:
            return
        now = self._kernel.time_s
        flows = route.flows
        route.progress = reached = flows[0][0]
        route.updated_s = now
        route.end = None
        ended = []
        # Flows that end together differ by rounding only.
        limit = reached + 1e-12 * reached
        while flows and flows[0][0] <= limit:
            ended.append(heapq.heappop(flows))
        self._release(route, len(ended), now)
        for _, _, size, token in ended:
            for channel in route.channels:
                channel.bytes += size
            self._deliver(token)

    def _release(self, route: Route, ended: int, now: float) -> None:
        route.count -= ended
        for _ in range(ended):
            route.source.stop_sending(now)
            route.target.stop_receiving(now)
        if route.count:
            self._mark(route)
            return
        route.end = None
        for channel in route.channels:
            del channel.active[route]
            if channel.active:
                self._mark(route)

    def _settle(self, _: Event) -> None:
        """Find the rates of every flow that shares, directly or through others, what changed."""
        self._flush = None
        now = self._kernel.time_s
        channels: dict[Channel, None] = {}
        routes: dict[Route, None] = {}
        frontier = [channel for channel in self._dirty if channel.active]
        self._dirty.clear()
        channels.update(dict.fromkeys(frontier))
        while frontier:
            for route in frontier.pop().active:
                if route not in routes:
                    routes[route] = None
                    for channel in route.channels:
                        if channel not in channels:
                            channels[channel] = None
                            frontier.append(channel)
        fill(routes, channels)
        for route in routes:
            end = route.end
            if end is not None and route.new_rate == route.rate and end.head == route.flows[0][1]:
                continue
            route.progress += route.rate * (now - route.updated_s)
            route.updated_s = now
            route.rate = route.new_rate
            self._schedule(route)

    def cut(self, node: str) -> list[Any]:
        """Drop every flow to or from ``node``; return their tokens."""
        now = self._kernel.time_s
        dropped: list[Any] = []
        for ends, route in self._routes.items():
            if node not in ends or not route.count:
                continue
            moved = route.progress + route.rate * (now - route.updated_s)
            for finish, _, size, token in route.flows:
                carried = max(0.0, size - (finish - moved))
                for channel in route.channels:
                    channel.bytes += carried
                dropped.append(token)
            count = route.count
            route.flows.clear()
            self._release(route, count, now)
        return dropped

    def close(self, now: float) -> None:
        """Count the bytes that flows still under way have carried by the end of the run."""
        for route in self._routes.values():
            moved = route.progress + route.rate * (now - route.updated_s)
            for finish, _, size, _ in route.flows:
                for channel in route.channels:
                    channel.bytes += max(0.0, size - (finish - moved))
