"""Play flows in SimGrid: a JSON document of links and flows in, the ends of the flows out.

Run by a Python that has SimGrid, which is seldom the one that runs the tests. SimGrid's model is
set to the plain fluid one: no TCP window, no cross traffic, no correction factors.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from simgrid import Actor, Engine, LinkInRoute, Mailbox, NetZone, this_actor

CONFIGURATION = (
    "network/model:CM02",
    "network/bandwidth-factor:1",
    "network/latency-factor:1",
    "network/weight-S:0",
    "network/TCP-gamma:0",
    "network/crosstraffic:0",
    "surf/precision:1e-12",
    "maxmin/precision:1e-12",
)


def plain_engine(name: str) -> Any:
    """Return SimGrid's engine with the plain fluid model."""
    quiet = "--log=root.thresh:error"
    return Engine([name, quiet, *(f"--cfg={one}" for one in CONFIGURATION)])


def main() -> None:
    """Play what stands on standard input."""
    given: dict[str, Any] = json.load(sys.stdin)
    engine = plain_engine("flows")
    zone = NetZone.create_full_zone("zone")
    links = {
        name: zone.create_link(name, bandwidth).set_latency(given["latency_s"] or 0.0).seal()
        for name, bandwidth in given["links"].items()
    }
    ends: dict[int, float] = {}

    def send(number: int, start_s: float, size: int) -> None:
        this_actor.sleep_for(start_s)
        Mailbox.by_name(str(number)).put(number, size)

    def receive(number: int) -> None:
        Mailbox.by_name(str(number)).get()
        ends[number] = Engine.clock

    hosts = []
    for number, (start_s, size, route) in enumerate(given["flows"]):
        # A pair of hosts for each flow, so that its route is its own.
        source, target = (zone.create_host(f"{end}{number}", 1e9).seal() for end in "st")
        crossed = [LinkInRoute(links[name]) for name in route]
        zone.add_route(source.netpoint, target.netpoint, None, None, crossed, True)
        hosts.append((source, target, number, start_s, size))
    zone.seal()
    for source, target, number, start_s, size in hosts:
        Actor.create(f"send{number}", source, send, number, start_s, size)
        Actor.create(f"receive{number}", target, receive, number)
    engine.run()
    json.dump([ends[number] for number in range(len(hosts))], sys.stdout)


if __name__ == "__main__":
    main()
