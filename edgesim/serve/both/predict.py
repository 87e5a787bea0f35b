"""What the simulator predicts of real nodes: a result like theirs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from edgesim.placement import Plan
from edgesim.results.result import Result, summarise
from edgesim.scenario.scenario import Scenario
from edgesim.serve.as_served import Served
from edgesim.simulate import simulate
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.resilient import can_fail

Progress = Callable[[str, int, int], None]
"""Told what is played, and how many of how many requests ended."""


def predict(
    scenario: Scenario,
    plan: Plan,
    served: Served,
    recovery: Recovery,
    *,
    trace_requests: int,
    progress: Progress,
) -> Result:
    """Simulate a scenario as its real nodes play it; the figures are of its own nodes and links.

    Baselines are left out, as in the real run.

    Args:
        scenario: with the traffic to play.
        plan: of the scenario.
        served: the plan as real nodes play it.
        recovery: how patient their coordinator is; matters only where something can fail.
        trace_requests: how many leading requests leave spans.
        progress: told how far each replication is; a KeyboardInterrupt that it raises ends them.

    Raises:
        KeyboardInterrupt: it was interrupted; half a prediction is none.
    """
    begun_s = time.perf_counter()
    recordings = []
    for replication in range(scenario.replications):
        label, total = scenario.name, scenario.traffic.requests
        if scenario.replications > 1:
            label = f"{label} {replication + 1}/{scenario.replications}"
        progress(label, 0, total)
        recording = simulate(
            served.plan,
            served.cluster,
            scenario.traffic,
            seed=scenario.seed,
            replication=replication,
            trace_requests=trace_requests if replication == 0 else 0,
            progress=functools.partial(_told, progress, label, total),
            recovery=recovery if can_fail(served.cluster) else None,
        )
        if recording.partial:
            raise KeyboardInterrupt
        recordings.append(served.fold(recording))
    return summarise(scenario, plan, recordings, wall_s=time.perf_counter() - begun_s)


def _told(progress: Progress, label: str, total: int, done: int) -> None:
    progress(label, done, total)
