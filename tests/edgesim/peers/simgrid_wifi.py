"""Play flows in SimGrid's Wi-Fi zone: a JSON document in, the ends of the flows out.

All stations have one rate, and talk through the zone's access point: a router, or one of them.
SimGrid's Wi-Fi has no latency. Run by a Python that has SimGrid.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from simgrid import Actor, Engine, Mailbox, NetZone, this_actor
from simgrid_flows import CONFIGURATION


def main() -> None:
    """Play what stands on standard input."""
    given: dict[str, Any] = json.load(sys.stdin)
    quiet = ["--log=root.thresh:error"]
    engine = Engine(["wifi", *quiet, *(f"--cfg={one}" for one in CONFIGURATION)])
    zone = NetZone.create_wifi_zone("zone")
    zone.set_property("access_point", given["access_point"])
    hosts = {name: zone.create_host(name, 1e9).seal() for name in given["stations"]}
    if given["access_point"] not in hosts:
        zone.create_router(given["access_point"])
    medium = zone.create_link("wifi", [given["bandwidth"]]).seal()
    zone.seal()
    for host in hosts.values():
        medium.set_host_wifi_rate(host, 0)
    ends: dict[int, float] = {}

    def send(number: int, start_s: float, size: int) -> None:
        this_actor.sleep_for(start_s)
        Mailbox.by_name(str(number)).put(number, size)

    def receive(number: int) -> None:
        Mailbox.by_name(str(number)).get()
        ends[number] = Engine.clock

    for number, (start_s, size, source, target) in enumerate(given["flows"]):
        Actor.create(f"send{number}", hosts[source], send, number, start_s, size)
        Actor.create(f"receive{number}", hosts[target], receive, number)
    engine.run()
    json.dump([ends[number] for number in range(len(ends))], sys.stdout)


if __name__ == "__main__":
    main()
