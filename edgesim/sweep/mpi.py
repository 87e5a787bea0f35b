"""Ranks of MPI that play points: ``mpiexec -n N edgesim sweep FILE``, on one machine or many.

Rank 0 leads, and plays too while it has few others; they take points in parcels through
mpi4py.futures. No rank but the first reads the study or writes anything.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Self

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import missing
from edgesim.sweep.crew import Task
from edgesim.sweep.mpi_watch import Watch
from edgesim.sweep.player import Check, Player, payload, player
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Study

PARCEL_S = 0.2
"""What a parcel of points is to take for up to `FEW` ranks; a point that takes longer is alone."""
FEW = 100
"""More ranks have larger parcels, each of which costs rank 0 some 0.2 ms."""
MOST_POINTS = 256
MANY = 32
"""With so many others rank 0 only leads: what it plays would keep them waiting."""
_PARCELS = 2
"""For each rank: one that it plays, and one that waits for it."""
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
Played = tuple[float, list[Row]]
"""Seconds that a parcel took, and its rows."""
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks beside this one, as rank 0 has them."""

    executor: Any
    others: int


def started_by_mpi() -> bool:
    """Whether a launcher of MPI started this process, by what it puts in the environment."""
    return any(name in os.environ for name in _RANKS)


def leads() -> bool:
    """Whether this process is the one that speaks for all."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


@contextmanager
def ranks() -> Iterator[Ranks | None]:
    """Give rank 0 the others; every other rank plays until rank 0 is done, and is given None.

    Raises:
        InputError: mpi4py is not installed, or is of another MPI than the launcher.
    """
    try:
        mpi = import_module("mpi4py.MPI")
        futures = import_module("mpi4py.futures")
    except (ImportError, RuntimeError) as error:
        raise missing(
            "MPI",
            f"mpi4py and an MPI library ({error})",
            "mpi",
            otherwise="start it without mpiexec, with --workers N",
        ) from None
    world = mpi.COMM_WORLD
    size = world.Get_size()
    told = next((os.environ[name] for name in _SIZES if name in os.environ), None)
    if told is not None and told != str(size):
        raise InputError(
            f"the launcher started {told} processes and mpi4py sees {size}: it is of another MPI; "
            "use the mpiexec that came with it"
        )
    if size == 1:
        yield Ranks(None, 0)
        return
    with futures.MPICommExecutor(world, root=0) as executor:
        yield None if executor is None else Ranks(executor, size - 1)


class OverRanks:
    """Plays on this rank and on all others.

    Args:
        study: whose points.
        ranks: the others.
        check: called while a point is played; what it raises ends the sweep.
        directory: of the results, for messages.
    """

    def __init__(self, study: Study, ranks: Ranks, check: Check, directory: Path) -> None:
        self._watch = Watch(
            f"a rank ended, and the launcher killed the others; what was finished is kept in "
            f"{directory}, the same command goes on"
        )
        self._player = Player(study)
        self._payload = payload(study)
        self._ranks = ranks
        self._check = check
        self._parcels: _Parcels | None = None

    def play(self, tasks: Iterator[Task]) -> Iterator[Row]:
        """Yield the row of each task, in the order in which they are finished."""
        parcels = self._parcels = _Parcels(self._ranks, self._payload, tasks)
        parcels.begin()
        wait_s = 0.0
        while True:
            self._check()
            yield from parcels.finished(wait_s)
            task = parcels.take_one() if self._ranks.others < MANY else None
            if task is not None:
                began_s = time.monotonic()
                yield self._player.row(task.point, task.settings, self._check)
                parcels.learn(1, time.monotonic() - began_s)
            elif parcels.under_way():
                wait_s = 0.5
            else:
                yield from parcels.finished(0.0)
                return

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._watch.__exit__(*error)
        if self._parcels is not None:
            self._parcels.stop()
        if any(error) and self._ranks.executor is not None:
            self._ranks.executor.shutdown(wait=False, cancel_futures=True)


class _Parcels:
    """Parcels of points under way to other ranks; each that comes back sends the next."""

    def __init__(self, ranks: Ranks, text: str, tasks: Iterator[Task]) -> None:
        self._ranks = ranks
        self._text = text
        self._tasks = tasks
        self._lock = Lock()
        self._under_way: set[Future[Played]] = set()
        self._finished: SimpleQueue[Future[Played] | None] = SimpleQueue()
        self._points, self._spent_s = 0, 0.0
        self._wrong: BaseException | None = None

    def begin(self) -> None:
        for _ in range(_PARCELS * self._ranks.others):
            self._send()

    def stop(self) -> None:
        """Send no more."""
        with self._lock:
            self._tasks = iter(())

    def learn(self, points: int, spent_s: float) -> None:
        self._points += points
        self._spent_s += spent_s

    def _length(self) -> int:
        if not self._points or not self._spent_s:
            return 1
        larger = max(1.0, self._ranks.others / FEW)
        most = int(MOST_POINTS * larger)
        return max(1, min(most, int(PARCEL_S * larger * self._points / self._spent_s)))

    def _send(self) -> None:
        try:
            with self._lock:
                parcel = list(islice(self._tasks, self._length()))
                if not parcel:
                    return
                future = self._ranks.executor.submit(play_parcel, self._text, parcel)
                self._under_way.add(future)
        except BaseException as error:
            # Of the tasks, which are made as they are taken.
            self._wrong = error
            return
        future.add_done_callback(self._back)

    def _back(self, future: Future[Played]) -> None:
        """Called by the thread that talks to the ranks."""
        self._finished.put(future)
        if not future.cancelled() and future.exception() is None:
            self._send()
        with self._lock:
            self._under_way.discard(future)
        # Whoever waits for one that is no more under way looks again.
        self._finished.put(None)

    def take_one(self) -> Task | None:
        with self._lock:
            return next(self._tasks, None)

    def under_way(self) -> bool:
        with self._lock:
            return bool(self._under_way)

    def finished(self, wait_s: float) -> Iterator[Row]:
        """Yield the rows that have come back, after a wait for the first."""
        while True:
            if self._wrong is not None:
                raise self._wrong
            try:
                future = (
                    self._finished.get(timeout=wait_s) if wait_s else self._finished.get_nowait()
                )
            except Empty:
                return
            wait_s = 0.0
            if future is None:
                continue
            error = future.exception()
            if error is not None:
                raise EdgesimError(f"a rank failed: {error}") from error
            spent_s, rows = future.result()
            self.learn(len(rows), spent_s)
            yield from rows


def play_parcel(text: str, parcel: Sequence[Task]) -> Played:
    """Return how long a parcel took, and its rows; called on other ranks."""
    began_s = time.monotonic()
    playing = _player(text)
    rows = [playing.row(task.point, task.settings) for task in parcel]
    return time.monotonic() - began_s, rows


@lru_cache(maxsize=1)
def _player(text: str) -> Player:
    return player(text)
