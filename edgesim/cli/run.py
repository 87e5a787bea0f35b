"""Commands that run a scenario, simulated or on real nodes, and write its report again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgesim.cli.session import PARTIAL, ScenarioOptions, Session
from edgesim.common.errors import InputError
from edgesim.common.extras import require
from edgesim.common.options import argument, flag, option, quantity

if TYPE_CHECKING:
    from edgesim.common.progress import Progress
    from edgesim.results.result import Result
    from edgesim.scenario import Scenario
    from edgesim.serve.both.run import Measure
    from edgesim.serve.coordinator.policy import Policy
    from edgesim.simulate.recovery import Recovery


class Mode(StrEnum):
    """How a scenario is run."""

    SIMULATE = "simulate"
    REAL = "real"
    BOTH = "both"


_duration = quantity("time", above_zero=True)


def _words(program: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(program))
    except ValueError as error:
        raise ValueError(f"{error}, in {program[:80]}") from None
    if not words:
        raise ValueError("expected a program, got nothing")
    return words


@dataclass(frozen=True, kw_only=True)
class RunOptions(ScenarioOptions):
    """How a scenario is run, and where the result goes."""

    mode: Mode = option(
        "simulate|real|both", "Simulate, ask real nodes, or do both and compare.", Mode.SIMULATE
    )
    out: Path | None = option(
        "DIR",
        "Result folder; an older result there is replaced.",
        None,
        show_default="runs/NAME",
    )
    trace: int = option("N", "Number of first requests whose tasks are in tasks.csv.", 1000, min=0)
    no_range: bool = flag(
        "Leave out the ranges of a simulation from how far its devices' predictions may miss."
    )


@dataclass(frozen=True, kw_only=True)
class RealOptions:
    """How real nodes are reached and asked."""

    PANEL: ClassVar = "Real nodes (--mode real or both)"

    keys: Path | None = option("DIR", "Folder with the client's keys (`edgesim keys`).", None)
    plain: bool = flag("Use no TLS; only for nodes on this machine.")
    deadline_s: float | None = option(
        "TIME",
        "Time in which a part must answer, all attempts together.",
        None,
        parser=_duration,
        show_default="5 s",
    )
    tries: int | None = option(
        "N", "Attempts to get an answer from a part.", None, min=1, show_default="3"
    )
    hedge_s: float | None = option(
        "TIME",
        "Time after which a part that has not answered is asked a second time.",
        None,
        parser=_duration,
        show_default="never",
    )
    health_s: float | None = option(
        "TIME",
        "Interval between two health checks of a node.",
        None,
        parser=_duration,
        show_default="1 s",
    )
    faults_by: tuple[str, ...] | None = option(
        "PROGRAM",
        "Program that causes the faults of the scenario's schedule; reads one order per line (see "
        "`python -m edgesim.serve.faults.local`).",
        None,
        parser=_words,
        show_default="none",
    )
    loads: str | None = option(
        "LIST",
        "With --mode both: offered loads as shares of the capacity; 'scenario' is the file's rate.",
        None,
        show_default="0.1,0.5,0.9",
    )

    def check(self, mode: Mode) -> None:
        """Check that the options belong to the mode.

        Raises:
            InputError: one does not, or keys or an installed extra are missing.
        """
        if mode is Mode.SIMULATE:
            for one in fields(self):
                if getattr(self, one.name) != one.default:
                    name = one.name.removesuffix("_s").replace("_", "-")
                    raise InputError(f"--{name} is for --mode real or both")
            return
        if mode is Mode.REAL and self.loads is not None:
            raise InputError("--loads is for --mode both")
        require(f"--mode {mode}", "torch-node")
        if self.keys is None and not self.plain:
            raise InputError(
                f"--mode {mode} needs --keys DIR, the client's keys (see `edgesim keys`), or "
                "--plain where all nodes are on this machine without TLS"
            )

    def policy(self, recovery: Recovery) -> Policy:
        """Return the scenario's recovery with what the options replace."""
        from edgesim.serve.coordinator.policy import Policy

        return Policy.of(
            recovery,
            deadline_s=self.deadline_s,
            attempts=self.tries,
            hedge_after_s=self.hedge_s,
            health_interval_s=self.health_s,
        )

    def run(self, scenario: Scenario, *, trace_requests: int, progress: Progress) -> Result:
        """Run a scenario on its nodes.

        Raises:
            InputError: the keys cannot be read, or the scenario is not one for real nodes.
            EdgesimError: a node is not ready.
        """
        from edgesim import api
        from edgesim.serve.access import Access, read_access
        from edgesim.serve.as_served import as_served
        from edgesim.serve.coordinator.run import run

        if self.keys is None:
            access = Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token="")
        else:
            access = read_access(self.keys, plain=self.plain)
        return run(
            scenario,
            access,
            self.policy(scenario.recovery),
            trace_requests=trace_requests,
            faults_by=self.faults_by or (),
            bounds=as_served(scenario, api.place(scenario)).bounds,
            progress=progress,
        )


def run(session: Session, options: RunOptions, real: RealOptions) -> None:
    """Run a scenario; print a table and write a result folder."""
    from edgesim import api
    from edgesim.report import console, folder
    from edgesim.results.folder import prepare

    real.check(options.mode)
    scenario = options.load()
    directory = options.out or Path("runs") / scenario.name
    prepare(directory)
    if options.mode is Mode.BOTH:
        recovery = real.policy(scenario.recovery).simulated()
        compare(
            session,
            scenario,
            real.loads,
            real.run,
            recovery,
            directory,
            trace_requests=options.trace,
        )
        return
    simulated = partial(api.run, ranges=not options.no_range)
    play = simulated if options.mode is Mode.SIMULATE else real.run
    with session.bar() as bar:
        result = play(scenario, trace_requests=options.trace, progress=bar.update)
    session.finish(
        result.summary,
        partial(console.show, result),
        write=lambda: folder.write(result, directory),
        hint="".join(f"\n{sentence}" for sentence in result.never_answered),
        failure=result.failure or (PARTIAL if result.partial else ""),
    )


def compare(
    session: Session,
    scenario: Scenario,
    loads: str | None,
    measure: Measure,
    recovery: Recovery,
    directory: Path,
    *,
    trace_requests: int,
) -> None:
    """Predict and measure a scenario, print both, and write them to ``directory``.

    Args:
        session: session of the command.
        scenario: from `edgesim.api.load`.
        loads: see `edgesim.serve.both.compare.find_loads`.
        measure: runs a scenario on its nodes.
        recovery: the coordinator's deadline, attempts and health checks, for the simulation.
        directory: checked by `edgesim.results.folder.prepare`.
        trace_requests: number of first requests of each load that leave spans.

    Raises:
        InputError: the loads are wrong, or the scenario is not one for real nodes.
        EdgesimError: the first load failed, or the result cannot be written.
        typer.Exit: it was interrupted, or a load failed; what had finished is written.
    """
    from edgesim.report import both_tables, folder
    from edgesim.serve.both.run import run

    with session.bar() as bar:
        found = run(
            scenario,
            loads,
            measure,
            recovery,
            trace_requests=trace_requests,
            progress=bar.update,
        )
    results = [(one.load.folder, one.predicted, one.measured) for one in found.compared]
    failures = [one.measured.failure for one in found.compared if one.measured.failure]
    failure, status = failures[0] if failures else PARTIAL if found.partial else "", 1
    silent = dict.fromkeys(
        sentence for one in found.compared for sentence in one.measured.never_answered
    )
    if found.failure is not None:
        failure = f"{found.failure}; the loads before it are kept, marked partial"
        status = found.failure.exit_status
    session.finish(
        found.document,
        partial(both_tables.show, found.document),
        write=lambda: folder.write_comparison(found.document, results, directory),
        hint="".join(f"\n{sentence}" for sentence in silent),
        failure=failure,
        status=status,
    )


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Which report is written."""

    directory: Path = argument("DIR", "Folder of a result or of a study.")


def report(session: Session, options: ReportOptions) -> None:
    """Write report.html anew from the files of a result folder, or of a study's."""
    from edgesim.report import folder

    with session.bar("bytes") as bar:
        path = folder.rewrite_report(options.directory, bar.update)
    session.finish({"file": str(path)}, written=path)
