"""Play a fork of parts and their fusion in SimGrid: a JSON document in, ends of the requests out.

One hub sends every request to each part's host, which computes one at a time in order of arrival,
and fuses what they send back. Run by a Python that has SimGrid.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from simgrid import Actor, Engine, LinkInRoute, Mailbox, Mutex, NetZone, Semaphore, this_actor
from simgrid_flows import plain_engine


def main() -> None:
    """Play what stands on standard input."""
    given: dict[str, Any] = json.load(sys.stdin)
    engine = plain_engine("cluster")
    zone = NetZone.create_full_zone("zone")
    hub = zone.create_host("hub", given["hub_flops"]).seal()
    parts = [
        zone.create_host(f"part{index}", speed).seal()
        for index, speed in enumerate(given["part_flops"])
    ]
    latency_s = given["latency_s"]

    def wires(name: str) -> list[Any]:
        """Return the two directions of a full-duplex link, away from the switch and back."""
        return [
            zone.create_link(f"{name}-{way}", given["bandwidth"][name])
            .set_latency(latency_s)
            .seal()
            for way in ("down", "up")
        ]

    hub_down, hub_up = wires("hub")
    for host in parts:
        down, up = wires(host.name)
        for ends, crossed in (((hub, host), (hub_up, down)), ((host, hub), (up, hub_down))):
            points = [end.netpoint for end in ends]
            zone.add_route(*points, None, None, [LinkInRoute(one) for one in crossed], False)
    zone.seal()
    turns = {host.name: Mutex() for host in [hub, *parts]}
    ends: dict[int, float] = {}

    def compute(name: str, flop: float) -> None:
        with turns[name]:
            this_actor.execute(flop)

    def ask(number: int) -> None:
        this_actor.sleep_until(given["arrivals_s"][number])
        for host in parts:
            Mailbox.by_name(f"{number} to {host.name}").put_async(number, given["input_bytes"])
        # Every answer has somebody who waits for it: without one, SimGrid sends nothing.
        came = Semaphore(0)
        for host in parts:
            Actor.create(f"take {number}", hub, take, f"{number} from {host.name}", came)
        for _ in parts:
            came.acquire()
        compute("hub", given["fusion_flop"])
        ends[number] = Engine.clock

    def take(name: str, came: Semaphore) -> None:
        Mailbox.by_name(name).get()
        came.release()

    def answer(number: int, name: str) -> None:
        Mailbox.by_name(f"{number} to {name}").get()
        compute(name, given["part_flop"])
        Mailbox.by_name(f"{number} from {name}").put(number, given["feature_bytes"])

    for number in range(len(given["arrivals_s"])):
        Actor.create(f"ask {number}", hub, ask, number)
        for host in parts:
            Actor.create(f"answer {number}", host, answer, number, host.name)
    engine.run()
    json.dump([ends[number] for number in range(len(ends))], sys.stdout)


if __name__ == "__main__":
    main()
