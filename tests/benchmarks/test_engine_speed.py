"""How fast the engine plays one queue, beside three others in the same run; prints ratios.

``make bench`` plays 200,000 requests five times and prints the medians; as a plain test a tenth of
it is played once, so that the code here stays true.
"""

from __future__ import annotations

import heapq
import itertools
import statistics
import time
from array import array
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
import simpy

from edgesim.simulate.arrivals import Poisson
from edgesim.simulate.recovery import Recovery, Retry
from tests.benchmarks import ratios
from tests.benchmarks.scale import FULL
from tests.edgesim.simulate.models import cluster, node, plan, play, task

REQUESTS = 200_000 if FULL else 20_000
ROUNDS = 5 if FULL else 1
LOAD = 0.8


def with_edgesim(seed: int, recovery: Recovery | None = None) -> float:
    traffic = Poisson(requests=REQUESTS, rate_per_s=LOAD)
    where = cluster([node(variability="exponential")])
    recording = play(plan([task("t", "A", 1.0)]), where, traffic, seed=seed, recovery=recovery)
    quantiles = np.quantile(recording.latency_s, [0.5, 0.9, 0.95, 0.99, 0.999])
    assert np.isfinite(quantiles).all()
    assert sum(recording.outcome == 1) == REQUESTS
    return float(recording.breakdown_s["queue"].mean())


def with_retries(seed: int) -> float:
    """The same queue where a task may be attempted again, which none needs."""
    return with_edgesim(seed, Recovery(retry=Retry(attempts=2)))


def with_processes(seed: int) -> float:
    """The same queue as SimPy's own examples model it: a process each, and a Resource."""
    generator = np.random.default_rng(seed)
    gaps = generator.exponential(1 / LOAD, REQUESTS).tolist()
    services = generator.exponential(1.0, REQUESTS).tolist()
    waits: list[float] = []
    latencies: list[float] = []
    environment = simpy.Environment()
    server = simpy.Resource(environment, capacity=1)

    def customer(service_s: float):  # type: ignore[no-untyped-def]
        arrived = environment.now
        with server.request() as turn:
            yield turn
            waits.append(environment.now - arrived)
            yield environment.timeout(service_s)
        latencies.append(environment.now - arrived)

    def source():  # type: ignore[no-untyped-def]
        for gap, service_s in zip(gaps, services, strict=True):
            yield environment.timeout(gap)
            environment.process(customer(service_s))

    environment.process(source())
    environment.run()
    np.quantile(latencies, [0.5, 0.9, 0.95, 0.99, 0.999])
    return float(np.mean(waits))


def with_heapq(seed: int) -> float:
    """The same queue and nothing else: a heap, a deque, a clock."""
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1 / LOAD, REQUESTS)).tolist()
    services = generator.exponential(1.0, REQUESTS).tolist()
    waits = [0.0] * REQUESTS
    latencies = [0.0] * REQUESTS
    agenda: list[tuple[float, int, int]] = [(arrivals[0], 0, 0)]
    queue: deque[int] = deque()
    busy = False
    serial = 0
    while agenda:
        now, _, index = heapq.heappop(agenda)
        if index >= 0:
            serial += 1
            if index + 1 < REQUESTS:
                heapq.heappush(agenda, (arrivals[index + 1], serial, index + 1))
            if busy:
                queue.append(index)
                continue
            busy = True
            started = index
        else:
            latencies[-index - 1] = now - arrivals[-index - 1]
            if not queue:
                busy = False
                continue
            started = queue.popleft()
        waits[started] = now - arrivals[started]
        serial += 1
        heapq.heappush(agenda, (now + services[started], serial, -started - 1))
    np.quantile(latencies, [0.5, 0.9, 0.95, 0.99, 0.999])
    return float(np.mean(waits))


class Event:
    """A function to call at a time, and the request that it ends."""

    __slots__ = ("act", "index", "start_s")

    def __init__(self, act: Callable[[Event], None]) -> None:
        self.act = act
        self.index = 0
        self.start_s = 0.0


class BareQueue:
    """The same queue by hand: events call functions, which record what the engine records.

    That is the least that an engine in Python can cost whose events call functions.
    """

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.arrivals = np.cumsum(generator.exponential(1 / LOAD, REQUESTS)).tolist()
        self.draw = iter(generator.exponential(1.0, REQUESTS).tolist()).__next__
        self.agenda: list[tuple[float, int, int, Event]] = []
        self.serial = itertools.count()
        self.now = self.busy_s = self.joules = 0.0
        self.offered = 0
        self.queue: deque[int] = deque()
        self.idle = [Event(self.finish)]
        self.latency_s, self.queue_s, self.compute_s = (
            array("d", bytes(8 * REQUESTS)) for _ in range(3)
        )
        self.outcome = bytearray(REQUESTS)

    def run(self) -> float:
        agenda, pop = self.agenda, heapq.heappop
        agenda.append((self.arrivals[0], 1, next(self.serial), Event(self.admit)))
        while agenda:
            self.now, _, _, event = pop(agenda)
            event.act(event)
        assert sum(self.outcome) == REQUESTS
        np.quantile(self.latency_s, [0.5, 0.9, 0.95, 0.99, 0.999])
        return float(np.mean(self.queue_s))

    def admit(self, event: Event) -> None:
        index = self.offered
        self.offered = after = index + 1
        if self.idle:
            self.start(index, self.idle.pop())
        else:
            self.queue.append(index)
        if after < REQUESTS:
            heapq.heappush(self.agenda, (self.arrivals[after], 1, next(self.serial), event))

    def start(self, index: int, event: Event) -> None:
        event.index = index
        event.start_s = now = self.now
        heapq.heappush(self.agenda, (now + self.draw(), 1, next(self.serial), event))

    def finish(self, event: Event) -> None:
        now, index, start_s = self.now, event.index, event.start_s
        time_s = now - start_s
        self.busy_s += time_s
        self.joules += 4.0 * time_s - 2.0 * time_s
        if self.queue:
            self.start(self.queue.popleft(), event)
        else:
            self.idle.append(event)
        arrival_s = self.arrivals[index]
        self.latency_s[index] = now - arrival_s
        self.queue_s[index] = start_s - arrival_s
        self.compute_s[index] = time_s
        self.outcome[index] = 1


def with_calls(seed: int) -> float:
    return BareQueue(seed).run()


def seconds(play_one: Callable[[int], float], seed: int) -> float:
    begin = time.process_time()
    wait_s = play_one(seed)
    elapsed = time.process_time() - begin
    # All play the same queue: mean wait 3.2 at this load, within its own noise.
    assert wait_s == pytest.approx(LOAD * LOAD / (1 - LOAD) / LOAD, rel=0.35)
    return elapsed


def test_one_queue_beside_simpy_and_a_bare_loop() -> None:
    models = {
        "edgesim": with_edgesim,
        "retries": with_retries,
        "processes": with_processes,
        "calls": with_calls,
        "heapq": with_heapq,
    }
    taken: dict[str, list[float]] = {name: [] for name in models}
    for round_ in range(ROUNDS):
        for name, model in models.items():
            taken[name].append(seconds(model, round_))
    rate = {name: REQUESTS / statistics.median(times) for name, times in taken.items()}
    print(f"\nM/M/1, load {LOAD}, {REQUESTS:,} requests, median of {ROUNDS}")
    for name, value in rate.items():
        print(f"  {name:<10} {value:>12,.0f} requests/s")
    ratios.check(
        {
            "M/M/1, edgesim beside processes of SimPy": rate["edgesim"] / rate["processes"],
            "M/M/1, edgesim beside a bare heap loop": rate["edgesim"] / rate["heapq"],
            "M/M/1, edgesim beside events that call and record": rate["edgesim"] / rate["calls"],
            "M/M/1, a run with retries beside one without": rate["retries"] / rate["edgesim"],
        }
    )
