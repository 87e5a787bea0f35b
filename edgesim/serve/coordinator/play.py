"""One real run, from the first question to the last answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass

from edgesim.common.errors import EdgesimError, InputError
from edgesim.hardware import Cluster
from edgesim.serve import machine
from edgesim.serve.access import Access
from edgesim.serve.coordinator.asking import Answered, Coordinator
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.peer import Out, Peer
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.recorder import Recorder, right_answers
from edgesim.serve.coordinator.work import Work
from edgesim.serve.faults.driver import Driver
from edgesim.simulate import Recording
from edgesim.simulate.traffic import Traffic, arrival_times

_LOOK_S = 0.1
"""Between two looks at how far the run is, and whether it was interrupted."""

Told = Callable[[int], None]
"""Told how many requests ended; a KeyboardInterrupt that it raises ends the run."""
Seen = Callable[[int, Answered], None]
"""Shown the number of every request that ended, and what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run.

    Attributes:
        recording: as of a simulation.
        reasons: why requests have no answer, and how many.
        answered: requests by which parts answered.
        right: images answered rightly, by which parts answered; None where nobody knows.
        outs: every time in which a node was not asked, by when it began.
    """

    recording: Recording
    reasons: Counter[str]
    answered: Counter[tuple[bool, ...]]
    right: Counter[tuple[bool, ...]] | None
    outs: tuple[Out, ...]


def play(
    work: Work,
    cluster: Cluster,
    traffic: Traffic,
    images: Images,
    access: Access,
    policy: Policy,
    *,
    seed: int,
    replication: int = 0,
    trace_requests: int = 1000,
    driver: Driver | None = None,
    progress: Told = lambda done: None,
    seen: Seen = lambda number, found: None,
) -> Played:
    """Play traffic on real nodes.

    Args:
        work: what every request asks.
        cluster: nodes and network of the scenario; bytes are counted on its links.
        traffic: what is asked.
        images: that are sent.
        access: what the coordinator proves itself with.
        policy: how patient it is.
        seed: of the arrival times.
        replication: number of the repetition.
        trace_requests: how many leading requests leave spans.
        driver: breaks nodes and links meanwhile; None where nothing is to be broken.
        progress: told now and then how many requests ended.
        seen: shown every request that ended.

    Raises:
        InputError: without TLS, a node is another machine.
        EdgesimError: a node is not ready, or the driver failed.
    """
    recorder = Recorder(work, cluster, traffic.requests, trace_requests)

    recordings: list[Recording] = []
    outs: list[Out] = []

    async def run() -> None:
        clock = _Clock()
        peers = _peers(work, access, policy, clock)
        try:
            await _all_ready(peers)
            if driver is not None:
                await driver.start()
            # Nothing depends on these pauses but when a node is asked again.
            generator = random.Random(os.getpid())
            coordinator = Coordinator(work, peers, policy, generator, clock)

            async def serve(number: int, meant_s: float) -> None:
                recorder.begin(number, meant_s)
                rows = images.rows(number, traffic.samples)
                found = await coordinator.answer(number, images.pixels[rows])
                end_s = clock()
                labels = None if images.labels is None else images.labels[rows]
                recorder.end(number, found, end_s, right_answers(found.logits, labels))
                seen(number, found)

            # What its first call loads shall not hold up the first requests.
            progress(0)
            machine.settle()
            clock.start()
            paced = pace(traffic, serve, clock, seed=seed, replication=replication)
            breaking = None if driver is None else asyncio.ensure_future(driver.play(clock))
            whole = await _until_over(paced, peers, recorder, progress, breaking)
            recordings.append(recorder.recording(peers, clock(), partial=not whole))
            outs.extend(out for peer in peers.values() for out in peer.all_outs())
        finally:
            if driver is not None:
                await driver.close()
            await asyncio.gather(*(peer.close() for peer in peers.values()))

    # It gives nothing back: Python 3.11 writes out what the main task gave, and throws that away.
    asyncio.run(run())
    return Played(
        recording=recordings[0],
        reasons=recorder.reasons,
        answered=recorder.answered,
        right=None if images.labels is None else recorder.right,
        outs=tuple(sorted(outs, key=lambda out: out.begin_s)),
    )


class _Clock:
    """Seconds since the run began."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._zero_s = time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() - self._zero_s


def _peers(
    work: Work, access: Access, policy: Policy, clock: Callable[[], float]
) -> dict[str, Peer]:
    return {
        node: Peer(
            node,
            address,
            [piece for piece in work.pieces if piece.node == node],
            access,
            policy,
            clock,
        )
        for node, address in work.addresses.items()
    }


async def _all_ready(peers: dict[str, Peer]) -> None:
    lacking = await asyncio.gather(*(peer.await_ready() for peer in peers.values()))
    told = [one for one in lacking if one is not None]
    if told:
        # Keys of another cluster are wrong input; a node that does not run is a failure.
        kind = InputError if any(peer.untrusted for peer in peers.values()) else EdgesimError
        raise kind(
            f"not every node is ready: {'; '.join(told)}; start nodes with `edgesim node`, "
            "and give them their parts with `edgesim deploy`"
        )


async def _until_over(
    paced: Coroutine[None, None, None],
    peers: dict[str, Peer],
    recorder: Recorder,
    progress: Told,
    breaking: asyncio.Future[None] | None,
) -> bool:
    """Wait for the end of all requests, or an interrupt; return whether it was the end.

    ``breaking`` is what breaks nodes meanwhile; if it fails, so does the run.
    """
    run = asyncio.ensure_future(paced)
    watches: list[asyncio.Future[None]] = [
        asyncio.ensure_future(peer.watch()) for peer in peers.values()
    ]
    try:
        while not run.done():
            await asyncio.wait((run,), timeout=_LOOK_S)
            if breaking is not None and breaking.done():
                await breaking
            try:
                progress(recorder.ended)
            except KeyboardInterrupt:
                return False
        await run
        return True
    finally:
        tasks = [run, *watches, *([] if breaking is None or breaking.done() else [breaking])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


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
        loops = min(traffic.in_flight, traffic.requests)
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
