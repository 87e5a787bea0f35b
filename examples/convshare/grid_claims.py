"""Processes share a folder of runs: each run is made by one of them.

A run is claimed by locking a file of its name. The system lets go of the lock when the process
that holds it ends, in whatever way: there are no stale locks to be guessed at. What a process
writes into the file, and removes at the end, tells the next one that a run was cut short.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from partition.errors import PartitionError


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is this process's to make.

    Attributes:
        cut_short: the process that had it and ended before it was made, or nothing.
    """

    cut_short: str


@contextmanager
def claim(path: Path) -> Iterator[Claim | None]:
    """Within the block, hold the run of the lock file ``path``; None where another process does.

    Raises:
        PartitionError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PartitionError(
            f"cannot write {path}: {error.strerror}; choose another --work"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        before = os.read(handle, 200).decode(errors="replace").strip()
        _write(handle, f"process {os.getpid()} on {socket.gethostname()}\n")
        yield Claim(before)
        _write(handle, "")
    finally:
        os.close(handle)


def _write(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
