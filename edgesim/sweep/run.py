"""Plays a study into its folder: what is there already stays, the rest is played and kept."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import require
from edgesim.sweep import store as stores
from edgesim.sweep.crew import Crew, Task
from edgesim.sweep.player import Check
from edgesim.sweep.points import Grid
from edgesim.sweep.processes import Processes
from edgesim.sweep.reader import from_mapping, load
from edgesim.sweep.sqlite_rows import Row, Spans
from edgesim.sweep.store import Format, Store
from edgesim.sweep.study import Study
from edgesim.sweep.table import Table

MOST_POINTS = 1_000_000
"""More are played only when asked for twice."""
KEEP_S, KEEP_ROWS = 0.5, 5_000
"""Rows are kept after so long, or so many: what a kill can cost beside the points under way."""
Progress = Callable[[int, int, int], None]
"""Called with the numbers of points that have their row, of all points, and of failed ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What a sweep did.

    Attributes:
        directory: of the study.
        csv: path of ``table.csv``; None where an interrupt came first.
        points: of the study.
        found: that had their row before.
        played: now.
        failed: rows with an error, of all.
        wall_s: that it took.
        interrupted: an interrupt came before all points were played.
    """

    directory: Path
    csv: Path | None
    points: int
    found: int
    played: int
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
    """Play a study; return its table.

    Args:
        study: from `load`; or the path of a study file; or its content as plain data.
        out: folder of the results. What an earlier, interrupted run of the same study left there is
            not played again. None: nothing is kept but the table.
        workers: processes that play; 1 is this one.
        rows: ``parquet`` writes the table as Parquet too.
        many: whether more than a million points are meant.
        progress: called after each row.

    Raises:
        InputError: the study is wrong, or ``out`` holds something else.
        EdgesimError: the run failed; what was finished is kept, and the same call goes on.
        KeyboardInterrupt: an interrupt; likewise.
    """
    if workers < 1:
        raise InputError(f"expected at least 1 worker, got {workers}")
    if isinstance(study, str | Path):
        study = load(study)
    elif not isinstance(study, Study):
        study = from_mapping(study)

    def crew(check: Check) -> Crew:
        return local_crew(study, workers, check)

    with tempfile.TemporaryDirectory(prefix="edgesim-") as temporary:
        directory = Path(out if out is not None else temporary)
        swept = sweep(study, directory, crew, rows=rows, many=many, progress=progress)
        if swept.interrupted:
            raise KeyboardInterrupt
        return stores.read(directory)


def local_crew(study: Study, workers: int, check: Check) -> Crew:
    """Return a crew of so many processes; 1 is this one."""
    if workers == 1:
        return Crew(study, check)
    return Crew(study, check, Processes(workers), workers, joins=False)


def sweep(
    study: Study,
    directory: Path,
    crew: Callable[[Check], AbstractContextManager[Crew]],
    *,
    rows: Format = "sqlite",
    many: bool = False,
    progress: Progress | None = None,
    check: Check = lambda: None,
) -> SweepResult:
    """Play what is missing of a study's points.

    Args:
        study: what to play.
        directory: of the results; made if it is missing.
        crew: makes those who play, given a function that they call now and then.
        rows: ``parquet`` writes the table as Parquet too.
        many: whether more than a million points are meant.
        progress: called after each row.
        check: called now and then; a KeyboardInterrupt of it ends the sweep.

    Raises:
        InputError: too many points, or the folder holds something else.
        EdgesimError: someone who plays has ended, or the folder cannot be written. What was
            finished is kept.
    """
    began_s = time.monotonic()
    refuse_many(study, many=many)
    if study.aims is not None:
        require("a search", "search")
    if rows == "parquet":
        require("Parquet", "parquet", otherwise="leave out --format parquet")
    with Store(directory, study.meta()) as store:
        done = store.rows.done()
        found = len(done)
        writer = _RowWriter(store, study.size, found, progress)
        interrupted = False
        if found < study.size:
            try:
                with crew(check) as players:
                    _play(study, done, store, players, writer)
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
        played=writer.done - found,
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
    """Return what a message says of a sweep that ended early."""
    return f"{done:,} of {points:,} points are kept in {directory}, the same command goes on"


def _play(study: Study, done: Spans, store: Store, crew: Crew, writer: _RowWriter) -> None:
    if study.aims is None:
        for row in crew.play(_missing(study, done)):
            writer.take(row)
        return
    from edgesim.sweep.search import search

    search(study, store, crew, writer.take)


def _missing(study: Study, done: Spans) -> Iterator[Task]:
    for stretch in done.missing(study.size):
        for point in stretch:
            yield Task(point)


class _RowWriter:
    """Rows on their way to the store, in parcels that a kill would cost."""

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
        late = time.monotonic() - self._since_s > KEEP_S
        if late or len(self._waiting) >= KEEP_ROWS:
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
