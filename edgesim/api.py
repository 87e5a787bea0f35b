"""The road from a scenario to a result, for scripts and for the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgesim.placement import Plan
    from edgesim.results.result import Result
    from edgesim.scenario import Scenario
    from edgesim.simulate import Recording

Progress = Callable[[str, int, int], None]
"""Called now and then with what is played, and how many of how many requests ended."""


def load(path: str | Path, *, overrides: Sequence[str] = (), seed: int | None = None) -> Scenario:
    """Read a scenario file.

    Args:
        path: of the YAML file.
        overrides: ``key.path=value`` settings that replace what the file says.
        seed: replaces the file's.

    Raises:
        InputError: the file cannot be read, or says something wrong; the message has every
            problem with file, line and column.
    """
    from edgesim import scenario

    return scenario.load(path, overrides=overrides, seed=seed)


def place(scenario: Scenario) -> Plan:
    """Return the plan that the scenario's strategy makes of its model and cluster.

    Raises:
        PlanError: the model does not fit; the message names the node and what it lacks.
    """
    from edgesim import placement
    from edgesim.placement.standby import standby_bytes

    plan = placement.place(scenario.placement, scenario.strategy)
    standby_bytes(plan, scenario.cluster, scenario.recovery.standby)
    return plan


def run(
    scenario: Scenario, *, trace_requests: int = 1000, progress: Progress | None = None
) -> Result:
    """Simulate a scenario and its baselines.

    Args:
        scenario: from `load`.
        trace_requests: how many leading requests leave spans.
        progress: told how far each run is, at its start too; a KeyboardInterrupt that it raises
            is an interrupt.

    An interrupt (Ctrl-C) ends the simulation early; the result then holds what had finished and
    is marked partial.

    Raises:
        PlanError: the model does not fit.
    """
    from edgesim.results import baselines
    from edgesim.results.result import summarise
    from edgesim.simulate import simulate

    begun_s = time.perf_counter()
    plan = place(scenario)
    recordings: list[Recording] = []
    rows: list[baselines.BaselineRow] = []
    partial = False
    try:
        for replication in range(scenario.replications):
            label = scenario.name
            if scenario.replications > 1:
                label = f"{label} {replication + 1}/{scenario.replications}"
            recording = simulate(
                plan,
                scenario.cluster,
                scenario.traffic,
                seed=scenario.seed,
                replication=replication,
                trace_requests=trace_requests if replication == 0 else 0,
                progress=_told(progress, label, scenario),
                recovery=scenario.recovery,
            )
            recordings.append(recording)
            partial = recording.partial
            if partial:
                break
        else:
            # What was played before an interrupt is kept: extend takes one at a time.
            rows.extend(baselines.play(scenario, _told(progress, "baselines", scenario)))
    except KeyboardInterrupt:
        if not recordings:
            raise
        partial = True
    wall_s = time.perf_counter() - begun_s
    return summarise(scenario, plan, recordings, rows, wall_s=wall_s, partial=partial)


def _told(
    progress: Progress | None, label: str, scenario: Scenario
) -> Callable[[int], None] | None:
    if progress is None:
        return None
    total = scenario.traffic.requests
    progress(label, 0, total)
    return lambda done: progress(label, done, total)
