"""The command that runs a study."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgesim.cli.session import FileOptions, Session, tell_trace
from edgesim.common.errors import InputError
from edgesim.common.failure import leave
from edgesim.common.options import argument, flag, option
from edgesim.common.text import visible

if TYPE_CHECKING:
    from edgesim.sweep.pool import Check, WorkerPool
    from edgesim.sweep.study import Study


class Rows(StrEnum):
    """What a study's folder holds beside ``table.csv``."""

    SQLITE = "sqlite"
    PARQUET = "parquet"


@dataclass(frozen=True, kw_only=True)
class SweepOptions(FileOptions):
    """Which study is run, by how many processes, and where the results go."""

    file: Path = argument("FILE", "Study file (YAML).")
    workers: int = option("N", "Processes that run points.", 1, min=1, max=10_000)
    out: Path | None = option(
        "DIR",
        "Folder of the results; an interrupted sweep continues in it.",
        None,
        show_default="runs/NAME",
    )
    rows: Rows = option(
        "sqlite|parquet",
        "Form of the rows beside table.csv; parquet needs pyarrow.",
        Rows.SQLITE,
        names=["--format"],
    )
    yes: bool = flag("Allow more than a million points.")


def sweep(session: Session, options: SweepOptions) -> None:
    """Run a study: a scenario at every point of a grid, or searched for the best.

    --set replaces values of the base scenario. Also under MPI: mpiexec -n N edgesim sweep FILE.
    """
    from edgesim.sweep import mpi
    from edgesim.sweep.run import local_pool

    if not mpi.started_by_mpi():
        lead(session, options, lambda study, check, _: local_pool(study, options.workers, check))
        return
    if not mpi.leads():
        # An interrupt is for the rank that speaks; the others end with it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    try:
        if options.workers != 1:
            raise InputError(
                "--workers is for one machine without MPI; here mpiexec -n says how many"
            )
        with mpi.ranks() as ranks:
            if ranks is not None:
                lead(session, options, partial(mpi.pool, ranks))
    except InputError:
        if not mpi.leads():
            # Said once is enough.
            leave(InputError.exit_status)
        raise


def lead(
    session: Session,
    options: SweepOptions,
    pool: Callable[[Study, Check, Path], AbstractContextManager[WorkerPool]],
) -> None:
    """Run a study with a pool of workers, and print its results."""
    from edgesim.report import sweep_table
    from edgesim.sweep import run
    from edgesim.sweep.reader import load
    from edgesim.sweep.traced import traced_models

    study = load(options.file, options.overrides or ())
    for note in study.notes:
        typer.echo(f"note: {visible(note)}", err=True)
    for model in traced_models(study):
        tell_trace(model)
    directory = options.out or Path("runs") / study.name
    with session.bar("points") as bar:

        def progress(done: int, points: int, failed: int) -> None:
            bar.update(study.name, done, points, f"{failed:,} failed" if failed else "")

        swept = run.sweep(
            study,
            directory,
            lambda check: pool(study, check, directory),
            rows=options.rows.value,
            many=options.yes,
            progress=progress,
            check=session.interrupts.check,
        )
    shown = sweep_table.examine(study, swept)
    failure = ""
    if swept.interrupted:
        finished = run.resume_hint(swept.found + swept.simulated, swept.points, swept.directory)
        failure = f"interrupted; {finished}"
    elif swept.failed == swept.points:
        failure = f"all {swept.points:,} points failed"
    session.finish(
        shown.document,
        partial(sweep_table.show, shown),
        written=None if swept.interrupted else swept.directory,
        hint=f". Its page: edgesim report {shlex.quote(str(swept.directory))}",
        failure=failure,
        work="sweep",
    )
