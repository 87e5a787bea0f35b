"""The command that plays studies: what it takes. What it does is in :mod:`edgesim.sweep`."""

from __future__ import annotations

import signal
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesim.cli.session import Json, Settings, end, show, stop
from edgesim.common.errors import InputError
from edgesim.common.failure import leave
from edgesim.common.interrupts import Held

if TYPE_CHECKING:
    from edgesim.sweep.crew import Crew
    from edgesim.sweep.mpi import Ranks
    from edgesim.sweep.player import Check
    from edgesim.sweep.study import Study


class Rows(StrEnum):
    """What a study's folder holds beside ``table.csv``."""

    SQLITE = "sqlite"
    PARQUET = "parquet"


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Study file (YAML).")],
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="Processes that play points.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Results; an interrupted sweep goes on there.",
            show_default="runs/NAME",
        ),
    ] = None,
    settings: Settings = None,
    rows: Annotated[
        Rows, typer.Option("--format", help="parquet also writes table.parquet (needs pyarrow).")
    ] = Rows.SQLITE,
    yes: Annotated[
        bool, typer.Option("--yes", metavar="", help="Play more than a million points.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Play a study: a scenario at every point of a grid, or searched for the best.

    Values that are set are of the base scenario. Also under MPI: mpiexec -n N edgesim sweep FILE.
    """
    from edgesim.sweep import mpi

    if not mpi.started_by_mpi():
        from edgesim.sweep.run import several

        def processes(study: Study, check: Check, directory: Path) -> Crew:
            return several(study, workers, check)

        lead(file, out, settings, rows, processes, yes=yes, as_json=as_json)
        return
    if not mpi.leads():
        # An interrupt is for the rank that speaks; the others end with it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    try:
        if workers != 1:
            raise InputError(
                "--workers is for one machine without MPI; here mpiexec -n says how many"
            )
        with mpi.ranks() as ranks:
            if ranks is not None:
                lead(file, out, settings, rows, _over(ranks), yes=yes, as_json=as_json)
    except InputError:
        if not mpi.leads():
            # Said once is enough.
            leave(InputError.exit_status)
        raise


def _over(ranks: Ranks) -> Callable[[Study, Check, Path], Crew]:
    from edgesim.sweep.mpi import OverRanks

    return lambda study, check, directory: OverRanks(study, ranks, check, directory)


def lead(
    file: Path,
    out: Path | None,
    settings: list[str] | None,
    rows: Rows,
    crew: Callable[[Study, Check, Path], Crew],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Play a study with a crew, and tell what came of it."""
    from edgesim.common.progress import Bar
    from edgesim.report import sweep_table
    from edgesim.sweep import run
    from edgesim.sweep.reader import load

    study = load(file, settings or ())
    directory = out or Path("runs") / study.name
    with Held() as held, Bar(what="points") as bar:

        def progress(done: int, points: int) -> None:
            held.begin()
            bar.update(study.name, done, points)

        swept = run.sweep(
            study,
            directory,
            lambda check: crew(study, check, directory),
            rows=rows.value,
            many=yes,
            progress=progress,
            check=held.check,
        )
    shown = sweep_table.examine(study, swept)
    show(shown.document, partial(sweep_table.show, shown), as_json=as_json)
    if swept.interrupted:
        told = run.kept(swept.found + swept.played, swept.points, swept.directory)
        stop(f"interrupted; {told}")
    typer.echo(f"Wrote {swept.directory}", err=as_json)
    end(noted=held.noted, whole="sweep; its table")


def add_to(app: typer.Typer) -> None:
    """Let ``app`` have this command."""
    app.command()(sweep)
