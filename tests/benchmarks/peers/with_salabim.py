"""The models in salabim: a component for each request, and a Resource for each queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import salabim

from tests.benchmarks.peers.shared import FairLink, LeastLoaded

salabim.yieldless(False)


def queues(given: dict[str, Any]) -> list[float]:
    """Return the wait of each request; each joins the least loaded of the queues."""
    arrivals, services = given["arrivals_s"], [iter(one) for one in given["services_s"]]
    waits = [0.0] * len(arrivals)
    env = salabim.Environment(trace=False)
    servers = [salabim.Resource() for _ in services]
    loads = LeastLoaded(len(services))

    class Request(salabim.Component):  # type: ignore[misc]
        def process(self, index: int) -> Iterator[Any]:
            number = loads.take()
            arrived_s = env.now()
            yield self.request(servers[number])
            waits[index] = env.now() - arrived_s
            yield self.hold(next(services[number]))
            self.release(servers[number])
            loads.give_back(number)

    class Source(salabim.Component):  # type: ignore[misc]
        def process(self) -> Iterator[Any]:
            for index, arrival_s in enumerate(arrivals):
                yield self.hold(till=arrival_s)
                Request(index=index)

    Source()
    env.run()
    return waits


def flows(given: dict[str, Any]) -> list[float]:
    """Return the time of each flow over one link, whose sharing is written by hand."""
    starts, size = given["starts_s"], given["size"]
    times = [0.0] * len(starts)
    env = salabim.Environment(trace=False)
    link = FairLink(given["capacity"])
    running: dict[int, Any] = {}

    class Share(salabim.Component):  # type: ignore[misc]
        def process(self) -> Iterator[Any]:
            while True:
                next_s = link.next_end()
                self.due = False
                if next_s == float("inf"):
                    yield self.passivate()
                    continue
                self.due = True
                yield self.hold(till=max(next_s, env.now()))
                if self.due:
                    running.pop(link.end(env.now())).activate()

    share = Share()

    class Flow(salabim.Component):  # type: ignore[misc]
        def process(self, index: int) -> Iterator[Any]:
            running[index] = self
            link.begin(env.now(), index, size)
            share.due = False
            share.activate()
            yield self.passivate()
            times[index] = env.now() - starts[index]

    class Source(salabim.Component):  # type: ignore[misc]
        def process(self) -> Iterator[Any]:
            for index, start_s in enumerate(starts):
                yield self.hold(till=start_s)
                Flow(index=index)

    Source()
    env.run()
    return times
