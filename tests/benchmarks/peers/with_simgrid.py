"""The models in SimGrid: an actor for each queue, and two for each flow. Run by its own Python."""

from __future__ import annotations

from collections import deque
from typing import Any

from shared import LeastLoaded
from simgrid import Actor, Engine, LinkInRoute, Mailbox, NetZone, Semaphore, this_actor
from simgrid_flows import plain_engine

SPEED = 1e9


def queues(given: dict[str, Any]) -> list[float]:
    """Return the wait of each request; each joins the least loaded of the queues."""
    arrivals, services = given["arrivals_s"], [iter(one) for one in given["services_s"]]
    waits = [0.0] * len(arrivals)
    engine = plain_engine("models")
    zone = NetZone.create_full_zone("zone")
    hosts = [zone.create_host(f"host{number}", SPEED).seal() for number in range(len(services))]
    zone.seal()
    loads = LeastLoaded(len(services))
    queued: list[deque[int]] = [deque() for _ in services]
    tokens = [Semaphore(0) for _ in services]

    def serve(number: int) -> None:
        while True:
            tokens[number].acquire()
            index = queued[number].popleft()
            if index < 0:
                return
            waits[index] = Engine.clock - arrivals[index]
            this_actor.execute(next(services[number]) * SPEED)
            loads.give_back(number)

    def source() -> None:
        for index, arrival_s in enumerate(arrivals):
            this_actor.sleep_until(arrival_s)
            number = loads.take()
            queued[number].append(index)
            tokens[number].release()
        for number, token in enumerate(tokens):
            queued[number].append(-1)
            token.release()

    for number, host in enumerate(hosts):
        Actor.create(f"serve{number}", host, serve, number)
    Actor.create("source", hosts[0], source)
    engine.run()
    return waits


def flows(given: dict[str, Any]) -> list[float]:
    """Return the time of each flow over one link."""
    starts, size = given["starts_s"], given["size"]
    times = [0.0] * len(starts)
    engine = plain_engine("models")
    zone = NetZone.create_full_zone("zone")
    ends = [zone.create_host(name, SPEED).seal() for name in "AB"]
    wire = zone.create_link("wire", given["capacity"]).set_latency(0.0).seal()
    points = [end.netpoint for end in ends]
    zone.add_route(*points, None, None, [LinkInRoute(wire)], False)
    zone.seal()

    def send(index: int) -> None:
        Mailbox.by_name(str(index)).put(index, round(size))

    def receive(index: int) -> None:
        Mailbox.by_name(str(index)).get()
        times[index] = Engine.clock - starts[index]

    def source() -> None:
        for index, start_s in enumerate(starts):
            this_actor.sleep_until(start_s)
            Actor.create(f"receive{index}", ends[1], receive, index)
            Actor.create(f"send{index}", ends[0], send, index)

    Actor.create("source", ends[0], source)
    engine.run()
    return times
