"""The machine that a node runs on: its processors and its free memory."""

from __future__ import annotations

import gc
import os

import psutil

from edgesim.common.errors import InputError


def pin(chosen: frozenset[int]) -> None:
    """Bind this process, and the threads that it starts from now on, to processors.

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


def freeze_objects() -> None:
    """Exclude all existing objects from Python's collection of reference cycles.

    torch and the models are some hundred thousand objects that stay to the end. A full collection
    looks at all of them, for a tenth of a second in which nobody is answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def available_memory_bytes() -> int:
    """Return the memory that a process can use before the machine swaps, bytes."""
    return int(psutil.virtual_memory().available)
