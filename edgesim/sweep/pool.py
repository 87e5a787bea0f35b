"""The workers of a sweep: this process, and others that take calls through an executor.

Points go to the others in chunks of about `CHUNK_S`, so that the cost of a message is small beside
that of its points. Processes of this machine and ranks of MPI are used in the same way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Self

from edgesim import api
from edgesim.common.errors import EdgesimError
from edgesim.scenario.document import Document
from edgesim.sweep.axes import Value
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.results import SETTLED
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Settings, Study
from edgesim.sweep.table import Cell

CHUNK_S = 0.2
"""Target duration of a chunk for up to `FEW` workers; a point that takes longer is one alone."""
FEW = 100
"""More workers get larger chunks: each chunk costs this process some 0.2 ms."""
MOST_POINTS = 256
"""Points of a chunk for up to `FEW` workers."""
LONGEST_ERROR = 1_000
"""Characters of a row's error."""
_CHUNKS = 2
"""Chunks for each worker: one that it simulates, and one that waits for it."""
_CHECK_S = 0.5
Check = Callable[[], None]
"""Called now and then while a point is simulated; what it raises ends the simulation."""
Simulated = tuple[float, list[Row]]
"""Duration of a chunk, in seconds, and its rows."""


@dataclass(frozen=True, slots=True)
class Task:
    """A point to simulate.

    Attributes:
        point: number of the point.
        values: values of a search's trial, one for each axis; None for those of the study's point.
    """

    point: int
    values: Sequence[Value] | None = None


class PointSimulator:
    """Simulates points of a study.

    Args:
        study: study of the points.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        # Every worker reports the same error of a point that fails, wherever the file is.
        name = Path(study.base.document.name).name
        self._base = replace(study.base, document=Document(study.base.document.data, name))
        self._baselines = any(one.of_baselines for one in study.results)
        self._ranges = any(one.of_ranges for one in study.results)

    def row(self, task: Task, check: Check | None = None) -> Row:
        """Return the row of a point: its number, the axes' cells, the results, and the error.

        Args:
            task: the point.
            check: called while the point is simulated.

        Raises:
            KeyboardInterrupt: ``check`` did.
        """
        values = self._study.points.at(task.point) if task.values is None else task.values
        cells: list[Cell] = [None if one is None else one.cell for one in values]
        results, error = self._simulate(self._study.settings(values), check)
        return (task.point, *cells, *results, error)

    def _simulate(self, settings: Settings, check: Check | None) -> tuple[list[Cell], str | None]:
        try:
            scenario = self._base.scenario(settings)
            if not self._baselines:
                scenario = replace(scenario, baselines=())
            progress = None if check is None else lambda *report: check()
            result = api.run(scenario, trace_requests=0, progress=progress, ranges=self._ranges)
            if result.partial:
                raise KeyboardInterrupt
            summary = {**result.summary, SETTLED: result.settled}
            return [one.of(summary) for one in self._study.results], None
        except EdgesimError as error:
            message = str(error)
        except MemoryError:
            message = "out of memory"
        except RecursionError:
            message = "nested too deeply"
        except SystemExit as error:
            message = f"a plug-in called sys.exit({error.code!r})"
        except Exception as error:
            # A plug-in's strategy or device may raise anything: of this point, not of the sweep.
            message = f"{type(error).__name__}: {error}"
        return [None] * len(self._study.results), message[:LONGEST_ERROR]


class WorkerPool:
    """Simulates the points of a study; a context that ends the executor.

    Args:
        study: study of the points.
        check: called twice a second at least; what it raises ends the sweep.
        executor: calls functions in other processes; None where there are none.
        workers: number of processes that the executor has.
        joins: whether this process simulates points too.
    """

    def __init__(
        self,
        study: Study,
        check: Check,
        executor: Executor | None = None,
        workers: int = 0,
        *,
        joins: bool = True,
    ) -> None:
        self._simulator = PointSimulator(study)
        self._study_text = study_text(study)
        self._check = check
        self._executor = executor
        self._workers = workers
        self._joins = joins
        self._tasks: Iterator[Task] = iter(())
        self._lock = Lock()
        self._pending: set[Future[Simulated]] = set()
        self._finished: SimpleQueue[Future[Simulated] | BaseException | None] = SimpleQueue()
        self._points, self._spent_s = 0, 0.0

    def simulate(self, tasks: Iterator[Task]) -> Iterator[Row]:
        """Yield the row of each task, in the order in which they end.

        Tasks are taken as they are needed.

        Raises:
            EdgesimError: a worker has ended.
            KeyboardInterrupt: an interrupt came.
        """
        self._tasks = tasks
        for _ in range(_CHUNKS * self._workers):
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
                yield self._simulator.row(task, self._check)
                self._add_time(1, time.monotonic() - began_s)
            elif pending:
                wait_s = _CHECK_S
            else:
                yield from self._received(0.0)
                return

    def _send(self) -> None:
        """Send the next chunk; called at first, and by the thread that received one."""
        assert self._executor is not None
        try:
            with self._lock:
                chunk = list(islice(self._tasks, self._length()))
                if not chunk:
                    return
                future = self._executor.submit(simulate_chunk, self._study_text, chunk)
                self._pending.add(future)
        except BaseException as error:
            # Raised by the tasks, which are made as they are taken.
            self._finished.put(error)
            return
        future.add_done_callback(self._receive)

    def _receive(self, future: Future[Simulated]) -> None:
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
                    raise EdgesimError(f"a worker process failed: {error}") from error
                spent_s, rows = found.result()
                self._add_time(len(rows), spent_s)
                yield from rows

    def _add_time(self, points: int, spent_s: float) -> None:
        self._points += points
        self._spent_s += spent_s

    def _length(self) -> int:
        """Return the number of points of the next chunk."""
        if not self._points or not self._spent_s:
            return 1
        larger = max(1.0, self._workers / FEW)
        most = int(MOST_POINTS * larger)
        return max(1, min(most, int(CHUNK_S * larger * self._points / self._spent_s)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._tasks = iter(())
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)


def study_text(study: Study) -> str:
    """Return a study as JSON, for `simulate_chunk` in another process."""
    base = study.base
    return json.dumps(
        {
            "mapping": study.document,
            "name": base.document.name,
            "title": base.title,
            "folder": str(base.folder.resolve()),
        }
    )


def simulate_chunk(text: str, chunk: Sequence[Task]) -> Simulated:
    """Return the duration of a chunk and its rows; called in another process.

    Args:
        text: study, from `study_text`.
        chunk: points to simulate.
    """
    simulator = _simulator(text)
    began_s = time.monotonic()
    rows = [simulator.row(task) for task in chunk]
    return time.monotonic() - began_s, rows


@lru_cache(maxsize=1)
def _simulator(text: str) -> PointSimulator:
    return PointSimulator(from_mapping(**json.loads(text), checked=True))
