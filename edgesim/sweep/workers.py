"""Processes of this machine that play points.

Each is started anew (nothing is forked), reads the study once, and takes the next point when it has
played one; points that take little time go to it some ahead, so that it never waits.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Self

from edgesim.common.errors import EdgesimError
from edgesim.sweep.crew import Task
from edgesim.sweep.player import Check, payload
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Study

AHEAD_S = 0.2
"""A process has points for so long before it, and at least the one that it plays."""
MOST_AHEAD = 256
_COMMAND = (sys.executable, "-m", "edgesim.sweep.worker")


class Workers:
    """Plays in processes of its own.

    Args:
        study: whose points.
        count: of processes.
        check: called twice a second at least; what it raises ends the sweep.
    """

    def __init__(self, study: Study, count: int, check: Check) -> None:
        self._payload = payload(study)
        self._check = check
        self._count = count
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        # Ctrl-C reaches all processes of a terminal's session: these are told by their stdin.
        try:
            for _ in range(self._count):
                self._start()
        except OSError as error:
            self.__exit__(None, None, None)
            raise EdgesimError(
                f"cannot start {self._count:,} worker processes: {error.strerror or error}"
            ) from None
        return self

    def _start(self) -> None:
        process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(),
            start_new_session=True,
        )
        self._processes.append(process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(self._payload + "\n")
            process.stdin.flush()

    def play(self, tasks: Iterator[Task]) -> Iterator[Row]:
        """Yield the row of each task, in the order in which they are finished."""
        shared = _Shared(tasks)
        rows: SimpleQueue[Row | BaseException | None] = SimpleQueue()
        for process in self._processes:
            Thread(target=_serve, args=(process, shared, rows), daemon=True).start()
        busy = len(self._processes)
        while busy:
            self._check()
            try:
                one = rows.get(timeout=0.5)
            except Empty:
                continue
            if one is None:
                busy -= 1
            elif isinstance(one, BaseException):
                raise one
            else:
                yield one

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError, ValueError):
                    assert stream is not None
                    stream.close()


class _Shared:
    """Tasks that several threads take from."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks = tasks
        self._lock = Lock()

    def take(self, count: int) -> list[Task]:
        with self._lock:
            return list(islice(self._tasks, count))


def _serve(
    process: subprocess.Popen[str],
    shared: _Shared,
    rows: SimpleQueue[Row | BaseException | None],
) -> None:
    """Give a process tasks until there are none, and hand on its rows; then None, or why not."""
    assert process.stdin is not None
    assert process.stdout is not None
    under_way, played, since_s = 0, 0, time.monotonic()
    more = True
    try:
        while True:
            ahead = _ahead(played, time.monotonic() - since_s)
            # Many at once, when half of them are played: a message costs more than what is in it.
            if more and under_way <= ahead // 2:
                tasks = shared.take(ahead - under_way)
                more = len(tasks) == ahead - under_way
                under_way += len(tasks)
                lines = (json.dumps([task.point, task.settings]) + "\n" for task in tasks)
                process.stdin.write("".join(lines))
                process.stdin.flush()
            if not under_way:
                rows.put(None)
                return
            line = process.stdout.readline()
            if not line:
                raise BrokenPipeError
            if not played:
                # It was just starting until now.
                since_s = time.monotonic()
            played += 1
            under_way -= 1
            rows.put(tuple(json.loads(line)))
    except (OSError, ValueError):
        rows.put(EdgesimError(_told(process)))
    except BaseException as error:
        # Of the tasks, which are made as they are taken.
        rows.put(error)


def _ahead(played: int, elapsed_s: float) -> int:
    if played < 2 or elapsed_s <= 0.0:
        return 1
    return max(1, min(MOST_AHEAD, math.ceil(AHEAD_S * (played - 1) / elapsed_s)))


def _told(process: subprocess.Popen[str]) -> str:
    status = process.wait()
    how = f"with status {status}"
    if status < 0:
        how = f"by {signal.Signals(-status).name}"
        if -status == signal.SIGKILL:
            how += ", as the system does when memory runs out"
    return f"a worker process ended {how}"


def _environment() -> dict[str, str]:
    here = [path or os.getcwd() for path in sys.path]
    # As many processes as processors leave none for threads of numpy.
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(here)}
