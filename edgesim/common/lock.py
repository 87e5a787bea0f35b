"""Locks on files and folders, for one process at a time; the end of that process unlocks.

There are no stale locks to be guessed at: a file that a killed process left is not locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from edgesim.common.errors import EdgesimError


class LockedError(EdgesimError):
    """Another process has the lock.

    Attributes:
        holder: `` (process 3 on pi-0)``, or nothing where that is not known.
    """

    def __init__(self, path: Path, holder: str) -> None:
        self.holder = f" ({holder})" if holder else ""
        super().__init__(f"another process has {path}{self.holder}")


class Lock:
    """A locked file, from here to `release`.

    Attributes:
        last_holder: who had it and did not remove the file; empty where nobody is named.

    Args:
        path: path of the file, which is made where it is missing.
        mode: permissions of a file that is made.

    Raises:
        LockedError: another process has it.
        OSError: it cannot be opened or locked.
    """

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        self._path = path
        while True:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, mode)
            try:
                locked = try_lock(self._handle)
                self.last_holder = os.read(self._handle, 200).decode(errors="replace").strip()
                # Its holder may have removed it meanwhile: only the file of that name counts.
                current = path.exists() and os.path.samestat(os.fstat(self._handle), path.stat())
            except BaseException:
                self.release()
                raise
            if locked and current:
                break
            self.release()
            if not locked:
                raise LockedError(path, self.last_holder)
        with contextlib.suppress(OSError):
            # The holder's name is for people: on a full disk it is missing.
            os.ftruncate(self._handle, 0)
            name = f"process {os.getpid()} on {socket.gethostname()}\n"
            os.pwrite(self._handle, name.encode(), 0)

    def remove(self) -> None:
        """Remove the file while it is locked."""
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Unlock the file."""
        os.close(self._handle)


def try_lock(handle: int) -> bool:
    """Lock an open file or folder without waiting; return whether no other process has it.

    Raises:
        OSError: the file system knows no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
