"""When requests are sent: at the scenario's times, whatever became of those before, or in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from edgesim.simulate.traffic import Traffic, arrival_times, in_flight

Serve = Callable[[int, float], Awaitable[None]]
"""Answers the request of a number, meant to be sent at a time."""


async def pace(
    traffic: Traffic,
    serve: Serve,
    clock: Callable[[], float],
    *,
    seed: int,
    replication: int,
) -> None:
    """Send all requests and wait for their ends.

    Times are those of the simulation of the same scenario, seed and replication. In an open loop a
    request is sent when its time has come, or as soon as this process gets to it; either way it is
    told the time that was meant, so that no lateness of ours goes uncounted.

    Args:
        traffic: of the scenario.
        serve: answers one request.
        clock: seconds, 0 when the run begins.
        seed: of the scenario.
        replication: number of the repetition.
    """
    times = arrival_times(traffic, seed, replication)
    if times is None:
        numbers = iter(range(traffic.requests))
        loops = min(in_flight(traffic), traffic.requests)
        async with asyncio.TaskGroup() as group:
            for _ in range(loops):
                group.create_task(_turns(numbers, serve, clock))
        return
    async with asyncio.TaskGroup() as group:
        for number, time_s in enumerate(times.tolist()):
            await asyncio.sleep(max(0.0, time_s - clock()))
            group.create_task(_one(serve, number, time_s))


async def _turns(numbers: Iterator[int], serve: Serve, clock: Callable[[], float]) -> None:
    for number in numbers:
        await serve(number, clock())


async def _one(serve: Serve, number: int, time_s: float) -> None:
    await serve(number, time_s)
