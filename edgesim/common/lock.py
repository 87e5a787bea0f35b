"""One sweep at a time writes to a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from edgesim.common.errors import EdgesimError

FILE = ".lock"


class Lock:
    """Held from here to `release`, or to the end of the process, however that comes.

    Raises:
        EdgesimError: another process holds it; the message names it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise EdgesimError(f"cannot write {self._path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 200).decode(errors="replace").strip()
            os.close(self._file)
            raise EdgesimError(
                f"another sweep writes to {directory}{f' ({holder})' if holder else ''}; "
                "wait for it, or name another folder with --out"
            ) from None
        except OSError as error:
            os.close(self._file)
            raise EdgesimError(f"cannot lock {self._path}: {error.strerror}") from None
        with contextlib.suppress(OSError):
            # Who holds it is for people: a full disk takes only the name away.
            os.ftruncate(self._file, 0)
            os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._file)
