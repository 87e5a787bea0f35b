"""The machine that a node runs on: its processors and its free memory."""

from __future__ import annotations

import gc
import os

import psutil

from edgesim.common.errors import InputError


def pin(chosen: frozenset[int]) -> None:
    """Keep this process, and the threads that it starts from now on, on some processors.

    Raises:
        InputError: this machine lacks one, or cannot bind processes.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise InputError("--cpus: this system cannot bind a process to processors; leave it out")
    try:
        os.sched_setaffinity(0, chosen)
    except OSError as error:
        there = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        raise InputError(
            f"--cpus: cannot use the processors {sorted(chosen)}, there are {there}"
        ) from error


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
