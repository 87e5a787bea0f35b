"""Simulates a study into its folder: rows that are there already stay, the others are added."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import require
from edgesim.sweep import store as stores
from edgesim.sweep.points import Grid
from edgesim.sweep.pool import Check, Task, WorkerPool
from edgesim.sweep.processes import Processes
from edgesim.sweep.reader import from_mapping, load
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.store import Format, Store
from edgesim.sweep.study import Study
from edgesim.sweep.table import Table

MOST_POINTS = 1_000_000
"""More are simulated only with ``many``."""
WRITE_S, WRITE_ROWS = 0.5, 5_000
"""Rows are written after so long, or so many: what a kill can cost beside the points under way."""
Progress = Callable[[int, int, int], None]
"""Called with the numbers of points that have their row, of all points, and of failed points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """Outcome of a sweep.

    Attributes:
        directory: folder of the study.
        csv: path of ``table.csv``; None where an interrupt came first.
        points: number of points of the study.
        found: number of points that had their row before.
        simulated: number of points simulated now.
        failed: number of rows with an error.
        wall_s: duration of the sweep.
        interrupted: an interrupt came before all points were simulated.
    """

    directory: Path
    csv: Path | None
    points: int
    found: int
    simulated: int
    failed: int
    wall_s: float
    interrupted: bool = False


def run_study(
    study: Study | str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    workers: int = 1,
    rows: Format = "sqlite",
    many: bool = False,
    progress: Progress | None = None,
) -> Table:
    """Simulate a study; return its table.

    Args:
        study: from `load`; or the path of a study file; or its content as plain data.
        out: folder of the results. Points that an earlier, interrupted run of the same study left
            there are not simulated again. None: only the table is returned.
        workers: number of processes; 1 is this one.
        rows: ``parquet`` writes the table as Parquet too.
        many: whether more than a million points are meant.
        progress: called after each row.

    Raises:
        InputError: the study is wrong, or ``out`` holds something else.
        EdgesimError: the run failed; finished points stay in ``out``, and the same call goes on.
        KeyboardInterrupt: an interrupt; likewise.
    """
    if workers < 1:
        raise InputError(f"expected at least 1 worker, got {workers}")
    if isinstance(study, str | Path):
        study = load(study)
    elif not isinstance(study, Study):
        study = from_mapping(study)

    with tempfile.TemporaryDirectory(prefix="edgesim-") as temporary:
        directory = Path(out if out is not None else temporary)
        swept = sweep(study, directory, lambda check: local_pool(study, workers, check),
                      rows=rows, many=many, progress=progress)  # fmt: skip
        if swept.interrupted:
            raise KeyboardInterrupt
        return stores.read(directory)


def local_pool(study: Study, workers: int, check: Check) -> WorkerPool:
    """Return a pool of so many processes; 1 is this one."""
    if workers == 1:
        return WorkerPool(study, check)
    return WorkerPool(study, check, Processes(workers), workers, joins=False)


def sweep(
    study: Study,
    directory: Path,
    pool: Callable[[Check], AbstractContextManager[WorkerPool]],
    *,
    rows: Format = "sqlite",
    many: bool = False,
    progress: Progress | None = None,
    check: Check = lambda: None,
) -> SweepResult:
    """Simulate the points of a study that have no row.

    Args:
        study: study to simulate.
        directory: folder of the results; made if it is missing.
        pool: makes the workers, given a function that they call now and then.
        rows: ``parquet`` writes the table as Parquet too.
        many: whether more than a million points are meant.
        progress: called after each row.
        check: called now and then; a KeyboardInterrupt of it ends the sweep.

    Raises:
        InputError: too many points, or the folder holds something else.
        EdgesimError: a worker has ended, or the folder cannot be written. Finished points stay.
    """
    began_s = time.monotonic()
    refuse_many(study, many=many)
    if study.aims is not None:
        require("a search", "search")
    if rows == "parquet":
        require("Parquet", "parquet", otherwise="leave out --format parquet")
    with Store(directory, study.meta()) as store:
        missing = store.rows.missing(study.size)
        found = study.size - sum(map(len, missing))
        writer = _RowWriter(store, study.size, found, progress)
        interrupted = False
        if missing:
            try:
                with pool(check) as workers:
                    if study.aims is None:
                        tasks = (Task(point) for stretch in missing for point in stretch)
                        for row in workers.simulate(tasks):
                            writer.take(row)
                    else:
                        from edgesim.sweep.search import search

                        search(study, store, workers, writer.take)
            except KeyboardInterrupt:
                interrupted = True
            except EdgesimError as error:
                writer.flush()
                raise EdgesimError(
                    f"{error}; {resume_hint(writer.done, study.size, directory)}"
                ) from None
            finally:
                writer.flush()
        whole = writer.done == study.size
        csv = store.finish(rows) if whole else None
    return SweepResult(
        directory=directory,
        csv=csv,
        points=study.size,
        found=found,
        simulated=writer.done - found,
        failed=writer.failed,
        wall_s=time.monotonic() - began_s,
        interrupted=interrupted and not whole,
    )


def refuse_many(study: Study, *, many: bool) -> None:
    """Raise InputError for more points than anyone writes by accident."""
    if study.size > MOST_POINTS and not many:
        sizes_text = ""
        if isinstance(study.points, Grid):
            sizes = " × ".join(f"{len(group[0]):,}" for group in study.points.groups)
            sizes_text = f" ({sizes})"
        raise InputError(
            f"this study has {study.size:,} points{sizes_text}; if that is meant, add --yes"
        )


def resume_hint(done: int, points: int, directory: Path) -> str:
    """Return what a message says about a sweep that ended early."""
    return f"{done:,} of {points:,} points are in {directory}, the same command goes on"


class _RowWriter:
    """Writes rows to the store, some at a time; those not yet written are lost in a kill."""

    def __init__(self, store: Store, size: int, done: int, progress: Progress | None) -> None:
        self.failed = store.rows.failed()
        self._store = store
        self._size = size
        self.done = done
        self._progress = progress
        self._waiting: list[Row] = []
        self._since_s = time.monotonic()
        if progress is not None:
            progress(done, size, self.failed)

    def take(self, row: Row) -> None:
        self._waiting.append(row)
        self.done += 1
        self.failed += row[-1] is not None
        if self._progress is not None:
            self._progress(self.done, self._size, self.failed)
        late = time.monotonic() - self._since_s > WRITE_S
        if late or len(self._waiting) >= WRITE_ROWS:
            self.flush()

    def flush(self) -> None:
        rows: Sequence[Row] = self._waiting
        self._waiting = []
        self._since_s = time.monotonic()
        if rows:
            try:
                self._store.rows.append(rows)
            except EdgesimError:
                self.done -= len(rows)
                self.failed -= sum(row[-1] is not None for row in rows)
                raise
