"""Max-min fair rates by progressive filling."""

from __future__ import annotations

from collections.abc import Iterable

from edgesim.simulate.routes import Channel, Route


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
