"""What the simulator predicts of real nodes: a result like theirs."""

from __future__ import annotations

import time

from edgesim import api
from edgesim.common.progress import Progress
from edgesim.placement import Plan
from edgesim.results.result import Result, summarise
from edgesim.results.run import Run
from edgesim.scenario.scenario import Scenario
from edgesim.serve.as_served import Served
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.resilient import can_fail


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
    for recording in api.play(
        scenario,
        served.plan,
        served.cluster,
        recovery if can_fail(served.cluster) else None,
        trace_requests=trace_requests,
        progress=progress,
    ):
        if recording.partial:
            raise KeyboardInterrupt
        recordings.append(served.fold(recording))
    wall_s = time.perf_counter() - begun_s
    return summarise(Run(scenario=scenario, plan=plan, recordings=tuple(recordings), wall_s=wall_s))
