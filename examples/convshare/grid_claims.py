"""Processes share a folder of runs: each run is made by one of them.

A run is claimed by locking a file of its name. The system lets go of the lock when the process
that holds it ends, in whatever way: there are no stale locks to be guessed at. The file goes when
its block ends as it should; one that a killed process left tells the next that a run was cut short.
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

    The file is removed at the block's end; an exception leaves it.

    Raises:
        PartitionError: the folder cannot be written.
    """
    handle = _lock(path)
    if handle is None:
        yield None
        return
    try:
        before = os.read(handle, 200).decode(errors="replace").strip()
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield Claim(before)
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _lock(path: Path) -> int | None:
    """Return the open and locked file ``path``, which it makes; None where it is locked."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise PartitionError(
                f"cannot write {path}: {error.strerror}; choose another --work"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        # Who held it may have removed it since it was opened: only the file of that name counts.
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            return handle
        os.close(handle)
