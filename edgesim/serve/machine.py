"""The machine that a node runs on: its processors and its free memory."""

from __future__ import annotations

import gc
import os

import psutil

from edgesim.common.errors import EdgesimError


def pin(chosen: frozenset[int]) -> None:
    """Keep this process, and the threads that it starts from now on, on some processors.

    Raises:
        EdgesimError: this machine lacks one, or cannot pin.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise EdgesimError("this system pins no processes; leave --cpus out")
    try:
        os.sched_setaffinity(0, chosen)
    except OSError as error:
        there = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        told = f"cannot use the processors {sorted(chosen)}, there are {there}: {error.strerror}"
        raise EdgesimError(told) from error


def settle() -> None:
    """Let the collector of reference cycles leave alone what is there by now.

    torch and the models are some hundred thousand objects that stay to the end. A full collection
    looks at all of them, for a tenth of a second in which nobody is answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def available_memory_bytes() -> int:
    """Return what a process can still take before the machine swaps."""
    return int(psutil.virtual_memory().available)
