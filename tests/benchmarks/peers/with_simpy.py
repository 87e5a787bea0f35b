"""The models in SimPy: a process for each request, and a Resource for each queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import simpy

from tests.benchmarks.peers.shared import FairLink, LeastLoaded


def queues(given: dict[str, Any]) -> list[float]:
    """Return the wait of each request; each joins the least loaded of the queues."""
    arrivals, services = given["arrivals_s"], [iter(one) for one in given["services_s"]]
    waits = [0.0] * len(arrivals)
    env = simpy.Environment()
    servers = [simpy.Resource(env) for _ in services]
    loads = LeastLoaded(len(services))

    def request(index: int) -> Iterator[simpy.Event]:
        number = loads.take()
        arrived_s = env.now
        with servers[number].request() as turn:
            yield turn
            waits[index] = env.now - arrived_s
            yield env.timeout(next(services[number]))
        loads.give_back(number)

    def source() -> Iterator[simpy.Event]:
        for index, arrival_s in enumerate(arrivals):
            yield env.timeout(arrival_s - env.now)
            env.process(request(index))

    env.process(source())
    env.run()
    return waits


def flows(given: dict[str, Any]) -> list[float]:
    """Return the time of each flow over one link, whose sharing is written by hand."""
    starts, size = given["starts_s"], given["size"]
    times = [0.0] * len(starts)
    env = simpy.Environment()
    link = FairLink(given["capacity"])
    ends = [env.event() for _ in starts]
    changed = env.event()

    def share() -> Iterator[simpy.Event]:
        nonlocal changed
        while True:
            changed = env.event()
            next_s = link.next_end()
            if next_s == float("inf"):
                yield changed
                continue
            due = env.timeout(max(0.0, next_s - env.now))
            yield due | changed
            if due.processed:
                ends[link.end(env.now)].succeed()

    def flow(index: int) -> Iterator[simpy.Event]:
        link.begin(env.now, index, size)
        if not changed.triggered:
            changed.succeed()
        yield ends[index]
        times[index] = env.now - starts[index]

    def source() -> Iterator[simpy.Event]:
        for index, start_s in enumerate(starts):
            yield env.timeout(start_s - env.now)
            env.process(flow(index))

    env.process(share())
    env.process(source())
    env.run()
    return times
