"""Claims of runs: processes that share a work folder train each run once.

A process claims a run by a lock on a file of its name. The system releases the lock when the
process ends, whatever the reason, so that no lock is stale. The file is removed when its block ends
without an exception; a file without a lock shows that a process ended before its run was finished.
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
    """A run that this process has claimed.

    Attributes:
        cut_short: the process that claimed it before and ended before it was finished; empty if
            there was none.
    """

    cut_short: str


@contextmanager
def claim(path: Path) -> Iterator[Claim | None]:
    """Claim the run of the lock file ``path`` within a block; ``None`` if another process has it.

    The file is removed at the end of the block, unless an exception ends it.

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
