"""Puts many inputs into every surface and tells how they were taken.

``python -m tests.abuse.fuzz --inputs 10000`` prints a table; inputs that failed are kept in
``tests/abuse/corpora``, from where the tests put them in again ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.abuse.surfaces import LONGEST_S, SURFACES, Surface, corpus

MEMORY_BYTES = 6 << 30
"""Of addresses that a fuzzed process may have: libraries take more than one of them."""


class TooLong(BaseException):
    """An input took more than it may; no exception, so that nothing takes it for one of its own."""


@dataclass
class Tally:
    """How inputs were taken.

    Attributes:
        accepted: how many.
        refused: how many, with exit status 2.
        failures: one input for each place in the code that failed, and what was raised there.
        failed: how many failed.
        longest_s: that one took.
        peak_bytes: of memory, of the process.
    """

    accepted: int = 0
    refused: int = 0
    failed: int = 0
    failures: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    longest_s: float = 0.0
    slowest: bytes = b""
    peak_bytes: int = 0


def inputs(default: int) -> int:
    """Return how many inputs each test puts in: ``EDGESIM_FUZZ``, or its default."""
    return int(os.environ.get("EDGESIM_FUZZ", default))


@contextmanager
def bounded(longest_s: float) -> Iterator[None]:
    """Raise `TooLong` in what takes longer."""

    def late(number: int, frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, longest_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def put_in(surface: Surface, data: bytes, folder: Path, tally: Tally) -> None:
    """Put one input into a surface, in a folder of its own."""
    from edgesim.common.errors import InputError
    from partition.errors import InputError as PartitionInputError

    begun_s = time.perf_counter()
    try:
        with bounded(LONGEST_S):
            surface.take(data, folder)
        tally.accepted += 1
    except (InputError, PartitionInputError) as error:
        _check_message(str(error), data, tally)
        tally.refused += 1
    except (Exception, TooLong) as error:
        _failed(error, data, tally)
    took_s = time.perf_counter() - begun_s
    if took_s > tally.longest_s:
        tally.longest_s, tally.slowest = took_s, data


def _check_message(message: str, data: bytes, tally: Tally) -> None:
    """A message is for people: it says something, and not all of a large input again."""
    if not message.strip() or len(message) > 20_000:
        _failed(ValueError(f"a message of {len(message)} characters"), data, tally)


def _failed(error: BaseException, data: bytes, tally: Tally) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if "/tests/" not in one.filename][-1:] or frames[-1:]
    where = f"{Path(own[0].filename).name}:{own[0].lineno}" if own else "a message"
    told = f"{type(error).__name__} at {where}"
    tally.failed += 1
    kept = tally.failures.get(told)
    if kept is None or len(data) < len(kept[0]):
        tally.failures[told] = (data, f"{told}: {str(error)[:200]}")


def fuzz(name: str, count: int, folder: Path, *, start: int | None = None) -> Tally:
    """Put ``count`` drawn inputs into a surface.

    Args:
        name: of the surface.
        count: of inputs.
        folder: that files are written to.
        start: of the draws; the same ones every time unless given.
    """
    surface, tally = SURFACES[name], Tally()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=start is None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(surface.inputs())
    def each(data: bytes) -> None:
        put_in(surface, data, folder, tally)

    (each if start is None else seed(start)(each))()
    tally.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return tally


def _alone(name: str, count: int, start: int) -> Tally:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(name, count, Path(folder), start=start)


def keep(name: str, tally: Tally) -> None:
    """Keep what failed in the corpus of a surface."""
    folder = Path(__file__).parent / "corpora" / name
    folder.mkdir(parents=True, exist_ok=True)
    for data, _ in tally.failures.values():
        (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the surfaces that are asked for, each in a process of its own; print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="of each surface")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("surfaces", nargs="*", help=f"of {', '.join(SURFACES)}; all unless given")
    asked = parser.parse_args(arguments)
    print(f"{'surface':10} {'inputs':>8} {'accepted':>8} {'refused':>8} {'failed':>7} "
          f"{'longest':>9} {'memory':>9}")  # fmt: skip
    status = 0
    for name in asked.surfaces or SURFACES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            tally = pool.apply(_alone, (name, asked.inputs, asked.seed))
        put = tally.accepted + tally.refused + tally.failed
        print(f"{name:10} {put:8,} {tally.accepted:8,} {tally.refused:8,} {tally.failed:7,} "
              f"{tally.longest_s:7.2f} s {tally.peak_bytes / 2**20:5.0f} MiB",
              flush=True)  # fmt: skip
        for _, told in tally.failures.values():
            print(f"    {told}", flush=True)
        keep(name, tally)
        status = status or int(bool(tally.failed))
    return status


__all__ = ["SURFACES", "Tally", "bounded", "corpus", "fuzz", "inputs", "put_in"]

if __name__ == "__main__":
    sys.exit(main())
