"""Max-min fair rates of flows, updated in logarithmic time as flows come and go.

Every flow has a *bottleneck*: a full channel on its route where no other flow is faster. The flows
of one bottleneck have one rate, so it keeps one clock for all of them: ``progress`` is the bytes
that each of its flows would have moved. A flow that comes or goes changes the rate of its
bottleneck, and of other bottlenecks only where flows of this one cross them. A channel that is not
full is looked at only when a bottleneck passes a rate up to which it is known to suffice. Only
where this shows that a flow must get another bottleneck, all rates of the channels that are
connected by flows are computed anew.

Max-min fairness and bottlenecks: Bertsekas and Gallager, Data Networks, 2nd ed., section 6.5.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from math import inf

from edgesim.simulate.channels import Channel, Crossing, End, Route, fill
from edgesim.simulate.kernel import AFTER, Call, Kernel

_TOLERANCE = 1e-12
"""Relative difference between two rates that is rounding."""
_MOST_UPDATES = 4
"""Updates of one bottleneck in one instant; more of them are a circle of equal bottlenecks."""
_REFRESH = 64
"""Sums are updated by differences this often, then computed anew."""
PRECISE = 2.0**20
"""Ratio of a clock to the bytes of a new flow from which the clock is set back to zero."""


class Sharing:
    """Bottlenecks and rates of all flows, and the event at which the next one of each ends.

    Args:
        kernel: the clock.
        ended: called with the event at which the first flow of a bottleneck ends.
    """

    def __init__(self, kernel: Kernel, ended: Callable[[End], None]) -> None:
        self._kernel = kernel
        self._ended = ended
        self._flush: Call | None = None
        self._new: list[Route] = []
        self._changed: dict[Channel, None] = {}
        self._doubtful: dict[Channel, None] = {}
        self._wrong: dict[Channel, None] = {}
        self._serial = 0

    def start(self, route: Route, now: float) -> None:
        """Give the first flow of a route that was empty its rate; it stands in ``route.flows``."""
        alone = route.limit is None
        for channel in route.channels:
            alone = alone and not channel.active
            channel.active[route] = None
        if not alone:
            self._new.append(route)
            self._settle_later()
            return
        bottleneck = route.narrowest
        if bottleneck is None:
            bottleneck = min(route.channels, key=lambda channel: (channel.capacity, -channel.known))
            route.narrowest = bottleneck
        for channel in route.channels:
            # Nothing else crosses it: what was known of others is of no use.
            if channel.crossings and not (
                len(channel.crossings) == 1
                and bottleneck in channel.crossings
                and not channel.crossings[bottleneck].watched
            ):
                self._forget(channel)
        self._join(route, bottleneck, now)
        bottleneck.rate = bottleneck.capacity / route.weight
        self._schedule(bottleneck)

    def grow(self, route: Route, flows: int) -> None:
        """Take note that a route has so many flows more, or fewer where negative."""
        bottleneck = route.bottleneck
        if bottleneck is None:
            return
        bottleneck.count += flows
        self._cross(route.crossings, flows)
        if bottleneck.count:
            self._changed[bottleneck] = None
            self._settle_later()
        elif self._changed or self._doubtful:
            self._settle_later()

    def stop(self, route: Route) -> None:
        """Take note that a route is empty."""
        for channel in route.channels:
            del channel.active[route]
        bottleneck, route.bottleneck = route.bottleneck, None
        if bottleneck is not None and not bottleneck.count:
            self._relax(bottleneck)

    def change(self, channel: Channel) -> None:
        """Take note that a channel with flows has another capacity."""
        self._wrong[channel] = None
        self._settle_later()

    def _settle_later(self) -> None:
        """Compute rates at the end of this instant, once for all events of the instant."""
        if self._flush is None:
            self._flush = self._kernel.call_at(self._kernel.time_s, self._settle, AFTER)

    def _join(self, route: Route, bottleneck: Channel, now: float) -> None:
        """Give the flows of a route their bottleneck; its rate is computed later."""
        if bottleneck.count:
            bottleneck.advance(now)
        else:
            self._saturate(bottleneck, now)
        bottleneck.count += route.count
        route.bottleneck = bottleneck
        route.origin = bottleneck.progress
        route.crossings = [
            self._crossing(channel, bottleneck)
            for channel in route.channels
            if channel is not bottleneck
        ]
        self._cross(route.crossings, route.count)
        route.push_head()

    def _saturate(self, channel: Channel, now: float) -> None:
        """Make a channel a bottleneck, with its clock at zero and no flow of its own yet."""
        channel.rate = channel.progress = channel.fastest = 0.0
        channel.updated_s = now
        channel.end = None
        for crossing in tuple(channel.crossings.values()):
            if crossing.count:
                crossing.watched = True
                crossing.ceiling = inf
                crossing.bottleneck.spread[crossing] = None
                channel.fastest = max(channel.fastest, crossing.bottleneck.rate)
            else:
                del channel.crossings[crossing.bottleneck]
        _refresh(channel)

    def _relax(self, channel: Channel) -> None:
        """Make a bottleneck that lost its last flow a channel like others."""
        channel.heads.clear()
        channel.end = None
        channel.rate = 0.0
        if not channel.crossings:
            channel.reserved = 0.0
            return
        for crossing in channel.crossings.values():
            crossing.bottleneck.spread.pop(crossing, None)
        self._doubtful[channel] = None
        self._settle_later()

    def _forget(self, channel: Channel) -> None:
        """Remove all crossings of a channel without flows."""
        for crossing in channel.crossings.values():
            crossing.bottleneck.spread.pop(crossing, None)
            crossing.ceiling = inf
        channel.crossings.clear()
        channel.reserved = 0.0

    def _crossing(self, channel: Channel, bottleneck: Channel) -> Crossing:
        """Return the crossing of a bottleneck's flows at a channel, made where there is none."""
        crossing = channel.crossings.get(bottleneck)
        if crossing is None:
            crossing = channel.crossings[bottleneck] = Crossing(bottleneck, channel)
            if channel.count:
                crossing.watched = True
                bottleneck.spread[crossing] = None
        if channel.count:
            channel.fastest = max(channel.fastest, bottleneck.rate)
        elif not crossing.watched:
            bound = bottleneck.bound
            if bound != crossing.reserved:
                channel.reserved += bound - crossing.reserved
                crossing.reserved = bound
            if channel.elastic or channel.reserved > channel.capacity:
                self._doubtful[channel] = None
                self._settle_later()
        return crossing

    def _cross(self, crossings: list[Crossing], flows: int) -> None:
        """Count flows that cross other channels than their bottleneck."""
        for crossing in crossings:
            crossing.count += flows
            if not crossing.watched:
                continue
            channel = crossing.channel
            if channel.count:
                channel.used += flows * crossing.bottleneck.rate
                channel.changes += 1
                self._changed[channel] = None
            elif crossing.ceiling < inf:
                channel.reserved += flows * crossing.ceiling
                channel.changes += 1
                if channel.reserved > channel.capacity or channel.changes > _REFRESH:
                    self._doubtful[channel] = None

    def _place(self, route: Route, now: float) -> None:
        """Give a route the bottleneck that it seems to have; `_settle` finds out if it is wrong."""
        best, least = None, (inf, 0)
        for channel in route.channels:
            if channel.count:
                share = (channel.capacity - channel.used) / (channel.count + route.count)
            else:
                share = (channel.capacity - _use(channel)) / route.count
            if best is None or (share, -channel.known) < least:
                best, least = channel, (share, -channel.known)
        assert best is not None
        self._join(route, best, now)
        self._changed[best] = None

    def _settle(self, event: Call) -> None:
        """Compute the rates that changed in this instant."""
        self._flush = None
        now = self._kernel.time_s
        for route in self._new:
            if route.count and route.bottleneck is None:
                self._place(route, now)
        self._new.clear()
        touched = self._update(now)
        wrong = self._wrong
        for channel in touched:
            if not channel.count:
                continue
            if channel.fastest > channel.rate * (1.0 + _TOLERANCE):
                channel.fastest = max(
                    (each.rate for each, crossing in channel.crossings.items() if crossing.count),
                    default=0.0,
                )
                if channel.fastest > channel.rate * (1.0 + _TOLERANCE):
                    wrong[channel] = None
            limits = channel.limits
            while limits and limits[0][0] < channel.rate:
                ceiling, _, limited = heappop(limits)
                if limited.ceiling == ceiling:
                    self._doubtful[limited.channel] = None
        for channel in self._doubtful:
            if not channel.count and not self._suffices(channel):
                wrong[channel] = None
        self._doubtful.clear()
        if wrong:
            touched.update(self._solve(wrong, now))
            wrong.clear()
        for channel in touched:
            self._schedule(channel)

    def _update(self, now: float) -> dict[Channel, int]:
        """Compute the rates of bottlenecks whose flows changed, and of those that they cross."""
        touched: dict[Channel, int] = {}
        changed = self._changed
        while changed:
            channel = next(iter(changed))
            del changed[channel]
            if not channel.count:
                continue
            updates = touched[channel] = touched.get(channel, 0) + 1
            if updates > _MOST_UPDATES:
                self._wrong[channel] = None
                continue
            if channel.changes > _REFRESH + len(channel.crossings):
                _refresh(channel)
            rate = (channel.capacity - channel.used) / channel.count
            if rate == channel.rate:
                continue
            channel.advance(now)
            more = rate - channel.rate
            channel.rate = rate
            for crossing in channel.spread:
                if crossing.count:
                    other = crossing.channel
                    other.used += crossing.count * more
                    other.changes += 1
                    other.fastest = max(other.fastest, rate)
                    changed[other] = None
        return touched

    def _suffices(self, channel: Channel, *, surely: bool = False) -> bool:
        """Tell whether a channel that is no bottleneck suffices, and note up to which rates.

        Args:
            surely: it does, but for rounding.
        """
        for crossing in tuple(channel.crossings.values()):
            if not crossing.count:
                crossing.ceiling = inf
                del channel.crossings[crossing.bottleneck]
        crossings = channel.crossings.values()
        channel.changes = 0
        channel.reserved = sum(crossing.bottleneck.bound for crossing in crossings)
        elastic = channel.elastic and channel.capacity < inf
        if not crossings or (channel.reserved <= channel.capacity and not elastic):
            for crossing in crossings:
                crossing.watched = False
                crossing.ceiling = inf
                crossing.reserved = crossing.bottleneck.bound
            return True
        use = _use(channel)
        if use > channel.capacity * (1.0 + _TOLERANCE) and not surely:
            return False
        factor = channel.capacity / use if use > 0.0 else 0.0
        least = 0.0 if use > 0.0 else channel.capacity / sum(each.count for each in crossings)
        channel.reserved = 0.0
        for crossing in crossings:
            rate = crossing.bottleneck.rate
            crossing.watched = True
            crossing.reserved = 0.0
            crossing.ceiling = max(rate, rate * factor, least)
            channel.reserved += crossing.count * crossing.ceiling
            self._watch(crossing)
        return True

    def _watch(self, crossing: Crossing) -> None:
        """Let a channel be looked at when a bottleneck passes the rate up to which it suffices."""
        limits = crossing.bottleneck.limits
        self._serial += 1
        heappush(limits, (crossing.ceiling, self._serial, crossing))
        if len(limits) > 2 * len(crossing.bottleneck.active) * _REFRESH:
            newest = {each[2]: each for each in sorted(limits, key=lambda each: each[1])}
            limits[:] = [each for each in newest.values() if each[0] == each[2].ceiling]
            heapify(limits)

    def _solve(self, seeds: Iterable[Channel], now: float) -> dict[Channel, int]:
        """Compute all rates anew that have to do with some channels; return the channels."""
        channels = dict.fromkeys(seeds, 0)
        routes: dict[Route, None] = {}
        frontier = list(channels)
        while frontier:
            for route in frontier.pop().active:
                if route not in routes:
                    routes[route] = None
                    for channel in route.channels:
                        if channel not in channels:
                            channels[channel] = 0
                            frontier.append(channel)
        for route in routes:
            # The new clocks begin at zero now.
            route.origin = -route.moved(now)
        found = fill(channels)
        for channel in channels:
            for gone in (*channel.spread, *(limit[2] for limit in channel.limits)):
                # A channel outside keeps nothing of flows that left it.
                other = gone.channel
                if other not in channels and other.crossings.get(channel) is gone:
                    del other.crossings[channel]
                    gone.ceiling = inf
            channel.crossings.clear()
            channel.spread.clear()
            channel.limits.clear()
            channel.heads.clear()
            channel.count = 0
            channel.rate = channel.progress = channel.fastest = channel.reserved = 0.0
            channel.updated_s = now
        for route, (bottleneck, rate) in found.items():
            bottleneck.count += route.count
            bottleneck.rate = rate
            route.bottleneck = bottleneck
            route.crossings = []
            for channel in route.channels:
                if channel is not bottleneck:
                    crossing = channel.crossings.get(bottleneck)
                    if crossing is None:
                        crossing = channel.crossings[bottleneck] = Crossing(bottleneck, channel)
                    crossing.count += route.count
                    route.crossings.append(crossing)
            route.push_head()
        for channel in channels:
            if not channel.count:
                channel.end = None
                self._suffices(channel, surely=True)
                continue
            for crossing in channel.crossings.values():
                crossing.watched = True
                crossing.bottleneck.spread[crossing] = None
                channel.fastest = max(channel.fastest, crossing.bottleneck.rate)
            _refresh(channel)
        return channels

    def rebase(self, channel: Channel, now: float) -> None:
        """Set a bottleneck's clock to zero, and those of its routes: large clocks round."""
        channel.advance(now)
        channel.heads.clear()
        for route in channel.active:
            if route.bottleneck is channel:
                moved = channel.progress - route.origin
                # The order of the heap stays.
                route.flows[:] = [
                    (finish - moved, serial, size, token)
                    for finish, serial, size, token in route.flows
                ]
                route.origin = 0.0
                if route.flows:
                    finish, serial, _, _ = route.flows[0]
                    channel.heads.append((finish, serial, route))
        heapify(channel.heads)
        channel.progress = 0.0

    def _schedule(self, channel: Channel) -> None:
        """Schedule the end of the first flow of a bottleneck, unless it stands there already."""
        heads = channel.heads
        while heads:
            _, serial, route = heads[0]
            if route.bottleneck is channel and route.flows and route.flows[0][1] == serial:
                break
            heappop(heads)
        else:
            channel.end = None
            return
        end = channel.end
        if end is not None and end.rate == channel.rate and end.serial == heads[0][1]:
            return
        channel.end = end = End(self._ended, channel)
        if channel.rate > 0.0:
            now = self._kernel.time_s
            self._kernel.at(now + (heads[0][0] - channel.moved(now)) / channel.rate, end)


def _use(channel: Channel) -> float:
    """Return what the flows take that cross a channel and have their bottleneck elsewhere."""
    return sum(crossing.count * each.rate for each, crossing in channel.crossings.items())


def _refresh(channel: Channel) -> None:
    """Compute the sum anew that is otherwise updated by differences."""
    channel.used = _use(channel)
    channel.changes = 0
