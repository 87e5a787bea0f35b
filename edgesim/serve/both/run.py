"""A scenario at every load, simulated and measured on its real nodes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from edgesim import api
from edgesim.common.errors import EdgesimError
from edgesim.common.progress import Progress
from edgesim.common.text import duration
from edgesim.hardware import Asking, Cluster
from edgesim.placement import Plan
from edgesim.results.result import Result, summarise
from edgesim.results.run import Run
from edgesim.scenario.scenario import Scenario
from edgesim.serve.as_served import Served, as_served
from edgesim.serve.both.compare import Compared, Load, document, find_loads
from edgesim.simulate.faults import can_fail
from edgesim.simulate.recovery import Recovery


class Measure(Protocol):
    """Runs a scenario on its real nodes."""

    def __call__(self, scenario: Scenario, *, trace_requests: int, progress: Progress) -> Result:
        """Return what was measured."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        document: content of ``comparison.json``.
        compared: the loads that were simulated and measured.
        partial: it was interrupted.
        failure: error that ended it early; None without one.
    """

    document: dict[str, Any]
    compared: tuple[Compared, ...]
    partial: bool
    failure: EdgesimError | None


def run(
    scenario: Scenario,
    loads: str | None,
    measure: Measure,
    recovery: Recovery,
    *,
    trace_requests: int,
    progress: Progress,
) -> Comparison:
    """Predict and measure a scenario at every load, with the same arrivals.

    The result has the loads that were finished before one failed or was interrupted, and what was
    measured of the interrupted one.

    Args:
        scenario: from `edgesim.api.load`.
        loads: see `edgesim.serve.both.compare.find_loads`.
        measure: runs a scenario on its nodes.
        recovery: the coordinator's deadlines and attempts, for the simulation.
        trace_requests: number of first requests of each load that leave spans.
        progress: called with the progress; a KeyboardInterrupt that it raises ends the run.

    Raises:
        InputError: the scenario is not one for real nodes, or the loads are none.
        PlanError: the model does not fit.
        EdgesimError: the first load failed.
        KeyboardInterrupt: before anything was measured.
    """
    begun_s = time.perf_counter()
    plan = api.place(scenario)
    served = as_served(scenario, plan)
    chosen = find_loads(loads, scenario, served.bounds.capacity_per_s)
    compared: list[Compared] = []
    partial, failure = False, None
    for number, load in enumerate(chosen):
        predicting, measuring = _load_progress(progress, chosen, number)
        try:
            predicted = predict(
                load.scenario,
                plan,
                served,
                recovery,
                trace_requests=trace_requests,
                progress=predicting,
            )
            measured = measure(load.scenario, trace_requests=trace_requests, progress=measuring)
        except KeyboardInterrupt:
            if not compared:
                raise
            partial = True
            break
        except EdgesimError as error:
            if not compared:
                raise
            failure = error
            break
        compared.append(Compared(load, predicted, measured))
        if measured.partial:
            partial = True
            break
    found = document(
        compared,
        capacity_per_s=served.bounds.capacity_per_s,
        bounded_by=served.bounds.resource,
        wall_s=time.perf_counter() - begun_s,
        partial=partial or failure is not None,
        warnings=_warnings(scenario.cluster, served, compared, len(chosen), failure),
    )
    return Comparison(document=found, compared=tuple(compared), partial=partial, failure=failure)


def predict(
    scenario: Scenario,
    plan: Plan,
    served: Served,
    recovery: Recovery,
    *,
    trace_requests: int,
    progress: Progress,
) -> Result:
    """Simulate a scenario as its real nodes execute it; figures are of its own nodes and links.

    Baselines are left out, as in the real run.

    Args:
        scenario: the scenario to simulate.
        plan: plan of the scenario.
        served: the plan as real nodes execute it.
        recovery: the coordinator's deadlines and attempts.
        trace_requests: number of first requests that leave spans.
        progress: called with the progress of each replication; a KeyboardInterrupt that it raises
            ends them.

    Raises:
        KeyboardInterrupt: it was interrupted; a partial prediction is not used.
    """
    begun_s = time.perf_counter()
    recordings = []
    for recording in api.play(
        scenario,
        served.plan,
        served.cluster,
        recovery,
        trace_requests=trace_requests,
        progress=progress,
    ):
        if recording.partial:
            raise KeyboardInterrupt
        if not can_fail(served.cluster):
            # Nothing can but the nodes' queues and the coordinator's patience.
            recording = replace(recording, faults=None)
        recordings.append(served.fold(recording))
    wall_s = time.perf_counter() - begun_s
    return summarise(
        Run(
            # What ends a wait is the coordinator's patience, not the scenario's.
            scenario=replace(scenario, recovery=recovery),
            plan=plan,
            recordings=tuple(recordings),
            wall_s=wall_s,
            served=served.bounds,
        )
    )


def _load_progress(
    progress: Progress, loads: Sequence[Load], number: int
) -> tuple[Progress, Progress]:
    """Return what reports the prediction and the measurement of a load, with their durations."""
    several = len(loads) > 1
    place = f" {number + 1}/{len(loads)}" if several else ""
    known = [load.duration_s for load in loads if load.duration_s is not None]
    duration_s, times = loads[number].duration_s, ""
    if duration_s is not None and len(known) == len(loads):
        times = f" for {duration(duration_s)}" + f" of {duration(sum(known))}" * several

    def predicting(label: str, done: int, total: int) -> None:
        progress(f"{label}{place} predicted", done, total)

    def measuring(label: str, done: int, total: int) -> None:
        progress(f"{label}{place} on nodes{times}", done, total)

    return predicting, measuring


def _warnings(
    cluster: Cluster,
    served: Served,
    compared: list[Compared],
    chosen: int,
    failure: EdgesimError | None,
) -> list[str]:
    found = []
    nodes = dict.fromkeys(
        task.node
        for branch in served.plan.branches
        for task in branch.tasks
        if task.kind != "message"
    )
    # No data sheet has the cost of messages: it is known only where it was measured.
    unknown = [name for name in nodes if cluster.nodes[name].device.messaging.asking == Asking()]
    if unknown:
        found.append(
            "predicted: processor time of messages counts as 0 s on nodes where it was not "
            f"measured: {', '.join(unknown)}; run `edgesim profile` on such a machine, and use its "
            "file as the node's device"
        )
    if failure is not None:
        found.append(f"{len(compared)} of {chosen} loads: {failure}")
    elif compared[-1].measured.failure:
        found.append(compared[-1].measured.failure)
    elif len(compared) < chosen or compared[-1].measured.partial:
        found.append("interrupted: this is what had finished by then")
    return found
