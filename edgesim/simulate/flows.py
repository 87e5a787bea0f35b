"""Flows over routes: fluid, max-min fair, latency first, cut-through.

Flows of one route have the same rate, so a route keeps one clock for all of them: ``progress`` is
the bytes that each flow present since the beginning would have moved, and a flow of n bytes that
starts at progress p ends at p + n. A change of rate touches routes, not flows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from simpy.events import Event

from edgesim.hardware import Cluster, Duplex
from edgesim.simulate.kernel import AFTER, Kernel
from edgesim.simulate.routes import Channel, End, Flow, LinkState, Port, Route, fill, tcp_byte_s

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
            names = tuple(dict.fromkeys(hop.link for hop in hops))
            limit = None
            if not self._lossy.isdisjoint(names):
                limit = Channel(inf)
                channels[limit] = None
            ends = (self._ports[source].sending, self._ports[target].receiving)
            route = Route(tuple(channels), latency, *ends, names, limit)
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
        return channel

    def begin(self, route: Route, size: float, token: Any) -> None:
        """Start a flow of ``size`` bytes now; the route's latency has already passed."""
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
        if route.limit is not None:
            route.limit.capacity = route.flow_byte_s * route.count
        route.source.start(now)
        route.target.start(now)
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
        if route.rate > 0.0:
            self._kernel.at(self._kernel.time_s + left / route.rate, end)

    def _mark(self, route: Route) -> None:
        """Compute rates again at the end of this instant, once for all events of the instant."""
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
        if route.limit is not None and route.count:
            route.limit.capacity = route.flow_byte_s * route.count
        for _ in range(ended):
            route.source.stop(now)
            route.target.stop(now)
        if route.count:
            self._mark(route)
            return
        route.end = None
        for channel in route.channels:
            del channel.active[route]
            if channel.active:
                self._mark(route)

    def _settle(self, _: Event) -> None:
        """Compute the rates of all flows that share a changed channel, directly or not."""
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

    def set_link(self, link: str, state: LinkState) -> None:
        """Change the bandwidth, latency and loss of a link, for flows in progress too."""
        self._state[link] = state
        for forward in (True, False):
            channel = self.channels.get((link, forward))
            if channel is not None:
                channel.capacity = state.bandwidth_byte_s
                for route in channel.active:
                    self._mark(route)
        for route in self._routes.values():
            if link in route.links:
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
            self._mark(route)

    def withdraw(self, route: Route, token: Any) -> None:
        """Remove a flow from its route, if it is there; the bytes that it carried are counted."""
        place = next((n for n, flow in enumerate(route.flows) if flow[3] is token), None)
        if place is None:
            return
        now = self._kernel.time_s
        _count_carried(route, route.flows[place : place + 1], now)
        route.flows[place] = route.flows[-1]
        route.flows.pop()
        heapq.heapify(route.flows)
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
            count = route.count
            route.flows.clear()
            self._release(route, count, now)
        return dropped

    def close(self, now: float) -> None:
        """Count the bytes that flows in progress have carried by the end of the run."""
        for route in self._routes.values():
            _count_carried(route, route.flows, now)


def _count_carried(route: Route, flows: Iterable[Flow], now: float) -> None:
    """Count the bytes that flows in progress on a route have carried until ``now``."""
    moved = route.progress + route.rate * (now - route.updated_s)
    for finish, _, size, _ in flows:
        for channel in route.channels:
            channel.bytes += max(0.0, size - (finish - moved))
