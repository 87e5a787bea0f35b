"""Plays points: in this process, and in others that take calls through an executor.

Points go to the others in parcels of about `PARCEL_S`, so that a message costs little beside what
is in it. It is the same crew for processes of this machine and for ranks of MPI.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Self

from edgesim.common.errors import EdgesimError
from edgesim.sweep.player import Check, Player, payload, player
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Study

PARCEL_S = 0.2
"""Target duration of a parcel for up to `FEW` others; a point that takes longer is one alone."""
FEW = 100
"""More others get larger parcels: each costs this process some 0.2 ms."""
MOST_POINTS = 256
"""Points of a parcel for up to `FEW` others."""
_PARCELS = 2
"""Parcels for each of the others: one that it plays, and one that waits for it."""
_CHECK_S = 0.5
Played = tuple[float, list[Row]]
"""Duration of a parcel, in seconds, and its rows."""


@dataclass(frozen=True, slots=True)
class Task:
    """A point to play.

    Attributes:
        point: number.
        settings: of a search's trial: a setting and a cell by key path. None: the study's own.
    """

    point: int
    settings: Mapping[str, tuple[Any, Any]] | None = None


class Crew:
    """Plays the points of a study; a context that ends the executor.

    Args:
        study: whose points.
        check: called twice a second at least; what it raises ends the sweep.
        executor: calls functions in other processes; None where there are none.
        others: number of processes that the executor has.
        joins: whether this process plays too.
    """

    def __init__(
        self,
        study: Study,
        check: Check,
        executor: Executor | None = None,
        others: int = 0,
        *,
        joins: bool = True,
    ) -> None:
        self._player = Player(study)
        self._payload = payload(study)
        self._check = check
        self._executor = executor
        self._others = others
        self._joins = joins
        self._tasks: Iterator[Task] = iter(())
        self._lock = Lock()
        self._pending: set[Future[Played]] = set()
        self._finished: SimpleQueue[Future[Played] | BaseException | None] = SimpleQueue()
        self._points, self._spent_s = 0, 0.0

    def play(self, tasks: Iterator[Task]) -> Iterator[Row]:
        """Yield the row of each task, in the order in which they end.

        Tasks are taken as they are needed.

        Raises:
            EdgesimError: one of the others has ended.
            KeyboardInterrupt: an interrupt came.
        """
        self._tasks = tasks
        for _ in range(_PARCELS * self._others):
            self._send()
        wait_s = 0.0
        while True:
            self._check()
            yield from self._received(wait_s)
            with self._lock:
                task = next(self._tasks, None) if self._joins else None
                pending = bool(self._pending)
            if task is not None:
                began_s = time.monotonic()
                yield self._player.row(task.point, task.settings, self._check)
                self._learn(1, time.monotonic() - began_s)
            elif pending:
                wait_s = _CHECK_S
            else:
                yield from self._received(0.0)
                return

    def _send(self) -> None:
        """Send the next parcel; called at first, and by the thread that took one back."""
        assert self._executor is not None
        try:
            with self._lock:
                parcel = list(islice(self._tasks, self._length()))
                if not parcel:
                    return
                future = self._executor.submit(play_parcel, self._payload, parcel)
                self._pending.add(future)
        except BaseException as error:
            # Of the tasks, which are made as they are taken.
            self._finished.put(error)
            return
        future.add_done_callback(self._take_back)

    def _take_back(self, future: Future[Played]) -> None:
        self._finished.put(future)
        if not future.cancelled() and future.exception() is None:
            self._send()
        with self._lock:
            self._pending.discard(future)
        # Whoever waits for one that is no longer pending looks again.
        self._finished.put(None)

    def _received(self, wait_s: float) -> Iterator[Row]:
        """Yield the rows that have come back, after a wait for the first."""
        while True:
            try:
                found = self._finished.get(wait_s > 0.0, wait_s)
            except Empty:
                return
            wait_s = 0.0
            if isinstance(found, BaseException):
                raise found
            if found is not None:
                error = found.exception()
                if isinstance(error, EdgesimError):
                    raise error
                if error is not None:
                    raise EdgesimError(f"a process that plays points failed: {error}") from error
                spent_s, rows = found.result()
                self._learn(len(rows), spent_s)
                yield from rows

    def _learn(self, points: int, spent_s: float) -> None:
        self._points += points
        self._spent_s += spent_s

    def _length(self) -> int:
        """Return the number of points of the next parcel."""
        if not self._points or not self._spent_s:
            return 1
        larger = max(1.0, self._others / FEW)
        most = int(MOST_POINTS * larger)
        return max(1, min(most, int(PARCEL_S * larger * self._points / self._spent_s)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._tasks = iter(())
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)


def play_parcel(text: str, parcel: Sequence[Task]) -> Played:
    """Return the duration of a parcel and its rows; called in another process.

    Args:
        text: from `edgesim.sweep.player.payload`.
        parcel: tasks.
    """
    playing = _player(text)
    began_s = time.monotonic()
    rows = [playing.row(task.point, task.settings) for task in parcel]
    return time.monotonic() - began_s, rows


@lru_cache(maxsize=1)
def _player(text: str) -> Player:
    return player(text)
