"""One replication on real nodes, from its first request to its last answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgesim.common.errors import EdgesimError, InputError
from edgesim.hardware import Cluster
from edgesim.serve import machine
from edgesim.serve.access import Access
from edgesim.serve.coordinator.asking import Coordinator, RequestResult
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.peer import Outage, Peer
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.recorder import Calls, Recorder, right_answers
from edgesim.serve.coordinator.work import Work
from edgesim.serve.faults.driver import Driver
from edgesim.simulate import Recording
from edgesim.simulate.traffic import Traffic, arrivals, think_times

_LOOK_S = 0.1
"""Interval of progress reports and of checks for an interrupt."""

ReportProgress = Callable[[int], None]
"""Called with the number of ended requests; a KeyboardInterrupt that it raises ends the run."""
ShowResult = Callable[[int, RequestResult], None]
"""Called with the number and the result of every request that ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """Result of one replication.

    Attributes:
        recording: the recording, in the form of a simulation's.
        reasons: reasons for requests without an answer, with counts.
        calls: calls by name of the part, or of the fusion.
        answered: number of requests by which parts answered.
        right: images answered rightly, by which parts answered; None where labels are not known.
        outages: outages of nodes, by their begin.
        queues: queue of each node in words, by name; None where it does not tell.
        failure: unexpected error that ended it, with the recording of what was done by then; empty
            without one.
    """

    recording: Recording
    reasons: Counter[str]
    calls: Mapping[str, Calls]
    answered: Counter[tuple[bool, ...]]
    right: Counter[tuple[bool, ...]] | None
    outages: tuple[Outage, ...]
    queues: Mapping[str, str | None]
    failure: str


def run_replication(
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
    progress: ReportProgress = lambda done: None,
    seen: ShowResult = lambda number, found: None,
) -> Replication:
    """Send traffic to real nodes, and record the answers.

    Args:
        work: models of every request, and their nodes.
        cluster: nodes and network of the scenario; bytes are counted on its links.
        traffic: the arrivals.
        images: images to send.
        access: keys of the coordinator.
        policy: deadlines, attempts and health checks.
        seed: seed of the arrival times.
        replication: number of the repetition.
        trace_requests: number of first requests that leave spans.
        driver: causes the scheduled faults; None without any.
        progress: called now and then with the number of ended requests.
        seen: called with every request that ended.

    Raises:
        InputError: without TLS, a node is another machine.
        EdgesimError: a node is not ready, or the driver failed.
    """
    recorder = Recorder(work, cluster, traffic.requests, trace_requests)

    recordings: list[Recording] = []
    outages: list[Outage] = []
    queues: dict[str, str | None] = {}

    failure = ""

    async def run() -> None:
        nonlocal failure
        clock = _Clock()
        peers = _peers(work, access, policy, clock, traffic.samples)
        try:
            await _all_ready(peers)
            queues.update({name: await peer.told_queue() for name, peer in peers.items()})
            if driver is not None:
                await driver.start()
            # Nothing depends on these pauses but when a node is asked again.
            generator = random.Random(os.getpid())
            coordinator = Coordinator(work, peers, policy, generator)

            async def serve(number: int, due_s: float, source: int) -> None:
                recorder.begin(number, due_s, source)
                rows = images.rows(number, traffic.samples)
                found = await coordinator.answer(number, images.input(rows), due_s, source)
                end_s = clock()
                labels = None if images.labels is None else images.labels[rows]
                recorder.end(number, found, end_s, right_answers(found.logits, labels))
                seen(number, found)

            # The first report loads modules, which must not delay the first requests.
            progress(0)
            machine.freeze_objects()
            clock.start()
            paced = pace(traffic, serve, clock, seed=seed, replication=replication)
            faults = None if driver is None else asyncio.ensure_future(driver.run(clock))
            try:
                whole = await _until_over(paced, peers, recorder, progress, faults)
            except EdgesimError:
                raise
            except Exception as error:
                whole, failure = False, _described(error)
            recordings.append(recorder.recording(peers, clock(), partial=not whole))
            outages.extend(out for peer in peers.values() for out in peer.all_outages())
        finally:
            if driver is not None:
                await driver.close()
            await asyncio.gather(*(peer.close() for peer in peers.values()))

    # It returns nothing: Python 3.11 formats the result of the main task, and discards the text.
    asyncio.run(run())
    return Replication(
        recording=recordings[0],
        reasons=recorder.reasons,
        calls=recorder.calls,
        answered=recorder.answered,
        right=None if images.labels is None else recorder.right,
        failure=failure,
        queues=queues,
        outages=tuple(sorted(outages, key=lambda out: out.begin_s)),
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
    work: Work, access: Access, policy: Policy, clock: Callable[[], float], samples: int
) -> dict[str, Peer]:
    return {
        node: Peer(
            node,
            address,
            [piece for piece in work.pieces if piece.node == node],
            access,
            policy,
            clock,
            samples,
        )
        for node, address in work.addresses.items()
    }


async def _all_ready(peers: dict[str, Peer]) -> None:
    results = await asyncio.gather(*(peer.await_ready() for peer in peers.values()))
    reasons = [one for one in results if one is not None]
    if reasons:
        # Keys of another cluster are wrong input; a node that does not run is a failure.
        kind = InputError if any(peer.untrusted for peer in peers.values()) else EdgesimError
        raise kind(
            f"not every node is ready: {'; '.join(reasons)}; start nodes with `edgesim node`, "
            "and put their parts on them with `edgesim deploy`"
        )


async def _until_over(
    requests: Coroutine[None, None, None],
    peers: dict[str, Peer],
    recorder: Recorder,
    progress: ReportProgress,
    faults: asyncio.Future[None] | None,
) -> bool:
    """Wait for the end of all requests, or an interrupt; return whether it was the end.

    ``faults`` causes the scheduled faults meanwhile; if it fails, so does the run.
    """
    run = asyncio.ensure_future(requests)
    beside: list[asyncio.Future[None]] = [
        asyncio.ensure_future(peer.watch()) for peer in peers.values()
    ]
    beside += [] if faults is None else [faults]
    try:
        while not run.done():
            await asyncio.wait((run,), timeout=_LOOK_S)
            for task in beside:
                if task.done():
                    await task
            try:
                progress(recorder.ended)
            except KeyboardInterrupt:
                return False
        await run
        return True
    finally:
        tasks = [task for task in (run, *beside) if not task.done()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _described(error: Exception) -> str:
    """Return an unexpected error in one line: kind, text, and the line of code that raised it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"internal error: {type(error).__name__} at {where}: {str(error)[:200]}"


Serve = Callable[[int, float, int], Coroutine[None, None, None]]
"""Answers the request of a number, whose arrival is due at a time, of the source of a number."""


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
    request is sent at its arrival time, or as soon as this process can. Its latency counts from the
    arrival time, so that lateness of this process is counted.

    Args:
        traffic: traffic of the scenario.
        serve: answers one request.
        clock: seconds, 0 when the run begins.
        seed: seed of the scenario.
        replication: number of the repetition.
    """
    times, sources = arrivals(traffic, seed, replication)
    if times is None:
        numbers = iter(range(traffic.requests))
        loops = min(traffic.in_flight, traffic.requests)
        think = think_times(traffic, seed, replication)
        async with asyncio.TaskGroup() as group:
            for client in range(loops):
                source = client % traffic.sources
                group.create_task(_turns(numbers, serve, clock, think, source))
        return
    async with asyncio.TaskGroup() as group:
        for number, time_s in enumerate(times.tolist()):
            await asyncio.sleep(max(0.0, time_s - clock()))
            source = 0 if sources is None else int(sources[number])
            group.create_task(serve(number, time_s, source))


async def _turns(
    numbers: Iterator[int],
    serve: Serve,
    clock: Callable[[], float],
    think: Callable[[], float] | None,
    source: int,
) -> None:
    """Send the requests of one client; it thinks before each, so numbers are in order of time."""
    while True:
        if think is not None:
            await asyncio.sleep(think())
        number = next(numbers, None)
        if number is None:
            return
        await serve(number, clock(), source)
