"""Processes share a folder of runs: each run is made by one of them.

A run is claimed by locking a file of its name. The system lets go of the lock when the process
that holds it ends, in whatever way: there are no stale locks to be guessed at. The file goes when
its block ends as it should; one that a killed process left tells the next that a run was cut short.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgesim.common.lock import Lock, LockedError
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = Lock(path, mode=0o644)
    except LockedError:
        yield None
        return
    except OSError as error:
        raise PartitionError(
            f"cannot write {path}: {error.strerror}; choose another --work"
        ) from error
    try:
        yield Claim(lock.last_holder)
        lock.remove()
    finally:
        lock.release()
