"""Ranks of MPI that simulate points: ``mpiexec -n N edgesim sweep FILE``, on one machine or many.

Rank 0 leads; the others take calls through the executor of mpi4py.futures, which starts nothing. No
rank but the first reads the study or writes anything.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.extras import missing
from edgesim.sweep.pool import Check, WorkerPool
from edgesim.sweep.study import Study

MANY = 32
"""With so many other ranks, rank 0 only leads: they would wait while it simulates a point."""
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks beside this one, as rank 0 has them."""

    executor: Any
    others: int


def started_by_mpi() -> bool:
    """Whether a launcher of MPI started this process, by what it puts in the environment."""
    return any(name in os.environ for name in _RANKS)


def leads() -> bool:
    """Whether this process is the one that speaks for all."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)


@contextmanager
def ranks() -> Iterator[Ranks | None]:
    """Yield the other ranks on rank 0; any other rank simulates until rank 0 ends, then gets None.

    Raises:
        InputError: mpi4py is not installed, or is of another MPI than the launcher.
    """
    try:
        mpi = import_module("mpi4py.MPI")
        futures = import_module("mpi4py.futures")
    except (ImportError, RuntimeError) as error:
        raise missing(
            "MPI",
            f"mpi4py and an MPI library ({error})",
            "mpi",
            otherwise="start it without mpiexec, with --workers N",
        ) from None
    world = mpi.COMM_WORLD
    size = world.Get_size()
    started = next((os.environ[name] for name in _SIZES if name in os.environ), None)
    if started is not None and started != str(size):
        raise InputError(
            f"the launcher started {started} processes and mpi4py sees {size}: it is of another "
            "MPI; use the mpiexec that came with it"
        )
    if size == 1:
        yield Ranks(None, 0)
        return
    with futures.MPICommExecutor(world, root=0) as executor:
        yield None if executor is None else Ranks(executor, size - 1)


@contextmanager
def pool(ranks: Ranks, study: Study, check: Check, directory: Path) -> Iterator[WorkerPool]:
    """Yield a pool of all other ranks, and of this one while there are few others.

    Args:
        ranks: the other ranks.
        study: study of the points.
        check: called while a point is simulated; what it raises ends the sweep.
        directory: folder of the results, for messages.
    """
    message = (
        f"a rank ended, and the launcher killed the others; the finished points are in "
        f"{directory}, the same command goes on"
    )
    joins = ranks.others < MANY
    workers = WorkerPool(study, check, ranks.executor, ranks.others, joins=joins)
    with _watch(message), workers:
        yield workers


_PROGRAM = """
import sys
message = sys.stdin.readline()
print("ready", flush=True)
if sys.stdin.read() == "":
    sys.stderr.write("edgesim: " + message)
"""


@contextmanager
def _watch(message: str) -> Iterator[None]:
    """Print a line on stderr where this process is killed within the block.

    When a rank dies, ``mpiexec`` kills all others at once, also the first rank, which could have
    printed where the results are. So a small process prints it when its stdin ends without a word.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # It may be killed itself: then there is no message.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(message + "\n")
        process.stdin.flush()
    # The launcher goes soon after a death: to start only then would be too late.
    process.stdout.readline()
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("done\n")
            process.stdin.close()
        process.stdout.close()
        process.wait()
