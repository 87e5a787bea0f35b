"""The road from a scenario to a result: load, place, play, summarise; see `run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.progress import Progress, counted

if TYPE_CHECKING:
    from edgesim.hardware import Cluster
    from edgesim.placement import Plan
    from edgesim.results.result import Result
    from edgesim.scenario import Scenario
    from edgesim.simulate import Process, Recording
    from edgesim.simulate.recovery import Recovery


def load(
    source: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
) -> Scenario:
    """Read a scenario.

    Args:
        source: path of the YAML file, or what such a file holds, as plain data.
        overrides: ``key.path=value`` settings that replace what the source says.
        seed: seed that replaces the source's.

    Raises:
        InputError: the source cannot be read, or is wrong; the message has every problem with its
            key path, of a file with line and column.
    """
    from edgesim import scenario

    return scenario.load(source, overrides=overrides, seed=seed)


def place(scenario: Scenario) -> Plan:
    """Return the plan that the scenario's strategy makes of its model and cluster.

    Raises:
        PlanError: the model does not fit; the message names the node and what it lacks.
    """
    from edgesim import placement
    from edgesim.placement.check import with_standby

    plan = placement.place(scenario.placement, scenario.strategy)
    return with_standby(plan, scenario.cluster, scenario.recovery.standby)


def play(
    scenario: Scenario,
    plan: Plan,
    cluster: Cluster,
    recovery: Recovery | None,
    *,
    trace_requests: int,
    progress: Progress | None = None,
    processes: Sequence[Process] = (),
) -> Iterator[Recording]:
    """Simulate the replications of a scenario, one after the other; a partial one is the last.

    Args:
        scenario: scenario whose traffic is played.
        plan: placement of the model.
        cluster: cluster that the plan is of.
        recovery: reaction to parts that do not answer.
        trace_requests: number of leading requests of the first replication that leave spans.
        progress: called with how far each replication is.
        processes: SimPy processes of a user, started anew in each replication.

    Raises:
        InputError: a process fails.
        KeyboardInterrupt: ``progress`` did, between replications.
    """
    from edgesim.simulate import simulate
    from edgesim.simulate.processes import checked_processes

    processes = checked_processes(processes)
    for replication in range(scenario.replications):
        label = scenario.name
        if scenario.replications > 1:
            label = f"{label} {replication + 1}/{scenario.replications}"
        recording = simulate(
            plan,
            cluster,
            scenario.traffic,
            seed=scenario.seed,
            replication=replication,
            trace_requests=trace_requests if replication == 0 else 0,
            progress=_of(progress, label, scenario),
            recovery=recovery,
            processes=processes,
        )
        yield recording
        if recording.partial:
            return


def run(
    scenario: Scenario,
    *,
    trace_requests: int = 1000,
    progress: Progress | None = None,
    processes: Sequence[Process] = (),
    ranges: bool = False,
) -> Result:
    """Simulate a scenario and its baselines: place, play, summarise.

    Args:
        scenario: scenario that `load` returned.
        trace_requests: number of leading requests that leave spans.
        progress: called with how far each run is, at its start too; a KeyboardInterrupt that it
            raises is an interrupt.
        processes: SimPy processes of a user beside the cluster's simulation, started anew in each
            replication (`edgesim.simulate.Simulation`); baselines have none.
        ranges: whether the result has ``range_90``, which takes about as long again; not with
            processes of a user.

    An interrupt (Ctrl-C) ends the simulation early; the result then holds what had finished and
    is marked partial.

    Raises:
        PlanError: the model does not fit.
        InputError: a process fails.
    """
    from edgesim.results import baselines
    from edgesim.results.ranges import simulate_ranges
    from edgesim.results.result import summarise
    from edgesim.results.run import Run
    from edgesim.simulate.processes import checked_processes, process_name

    begun_s = time.perf_counter()
    processes = checked_processes(processes)
    plan = place(scenario)
    recordings: list[Recording] = []
    rows: list[baselines.BaselineRow] = []
    partial, around = False, None
    try:
        # What was played before an interrupt is kept: extend takes one at a time.
        recordings.extend(
            play(scenario, plan, scenario.cluster, scenario.recovery,
                 trace_requests=trace_requests, progress=progress, processes=processes)
        )  # fmt: skip
        if not recordings[-1].partial:
            rows.extend(
                baselines.simulate_baselines(scenario, _of(progress, "baselines", scenario))
            )
            if ranges and not processes:
                around = simulate_ranges(scenario, plan, _of(progress, "ranges", scenario))
    except KeyboardInterrupt:
        if not recordings:
            raise
        partial = True
    return summarise(
        Run(
            scenario=scenario,
            plan=plan,
            recordings=tuple(recordings),
            baselines=tuple(rows),
            wall_s=time.perf_counter() - begun_s,
            cut_short=partial,
            processes=tuple(map(process_name, processes)),
            ranges=around,
        )
    )


def _of(progress: Progress | None, label: str, scenario: Scenario) -> Callable[[int], None] | None:
    return None if progress is None else counted(progress, label, scenario.traffic.requests)
