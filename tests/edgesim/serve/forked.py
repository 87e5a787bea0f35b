"""Commands in processes that are forked from one that has loaded torch, which takes seconds."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

_NEWNET = 0x40000000
"""CLONE_NEWNET of Linux's <sched.h>."""
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["torch", "partition.artifact"])


class Forked:
    """A running ``edgesim`` command: what tests use of ``subprocess.Popen``.

    Attributes:
        args: of the command line.
        stderr: its lines, as text.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], network: Path | None
    ) -> None:
        reading, writing = _SERVER.Pipe(duplex=False)
        self.args = list(arguments)
        self._process = _SERVER.Process(
            target=_main, args=(self.args, writing, dict(environment), network), daemon=True
        )
        self._process.start()
        writing.close()
        self.stderr = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        reading.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; the negative number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return the exit status.

        Raises:
            TimeoutExpired: it runs after ``timeout`` seconds.
        """
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _main(
    arguments: list[str], errors: Connection, environment: dict[str, str], network: Path | None
) -> None:
    """Be the command, as a process of its own begins it."""
    if network is not None:
        with network.open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {network}")
    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nowhere, 0), (nowhere, 1), (errors.fileno(), 2)):
        os.dup2(source, target)
    errors.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)
    sys.argv = ["edgesim", *arguments]
    from edgesim.__main__ import main

    main()
