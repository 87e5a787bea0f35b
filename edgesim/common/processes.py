"""Processes that work for this one: what they inherit, and how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def environment() -> dict[str, str]:
    """Return the environment in which a process imports what this one does, on one thread."""
    here = [path or os.getcwd() for path in sys.path]
    # As many processes as processors leave none for threads of numpy.
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(here)}


def end_of(process: subprocess.Popen[bytes]) -> str:
    """Return how a process ended: ``with status 3`` or ``by SIGKILL``; waits for its end."""
    status = process.wait()
    if status >= 0:
        return f"with status {status}"
    how = f"by {signal.Signals(-status).name}"
    return f"{how}, as the system does when memory runs out" if -status == signal.SIGKILL else how
