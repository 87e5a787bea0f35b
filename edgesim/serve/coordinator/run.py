"""A scenario on real nodes: from the file's words to a result like a simulation's."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable

from edgesim import api
from edgesim.result import Measured, Result, summarise
from edgesim.scenario.scenario import Scenario
from edgesim.serve.access import Access
from edgesim.serve.coordinator import accuracy
from edgesim.serve.coordinator.images import find_images
from edgesim.serve.coordinator.play import Played, play
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import find_work
from edgesim.simulate import Outcome

INTERRUPTED = "the run was interrupted before it was answered"
"""Why a request that was under way then counts as failed."""

Progress = Callable[[str, int, int], None]
"""Told what is played, and how many of how many requests ended."""


def run(
    scenario: Scenario,
    access: Access,
    policy: Policy,
    *,
    trace_requests: int = 1000,
    progress: Progress = lambda label, done, total: None,
) -> Result:
    """Play a scenario on its nodes; what meters would have to tell is None in the summary.

    Baselines are left out: they are simulated, and these answers are not.

    Args:
        scenario: from `edgesim.api.load`.
        access: what the coordinator proves itself with.
        policy: how patient it is.
        trace_requests: how many leading requests leave spans.
        progress: told how far each replication is; a KeyboardInterrupt that it raises ends the
            run, and the result is marked partial.

    Raises:
        InputError: the scenario is not one for real nodes.
        PlanError: the model does not fit.
        EdgesimError: a node is not ready.
    """
    begun_s = time.perf_counter()
    plan = api.place(scenario)
    work = find_work(scenario, plan)
    traffic, artifact = scenario.traffic, scenario.placement.model.artifact
    assert artifact is not None, "find_work checks this"
    plays: list[Played] = []
    partial = False
    for replication in range(scenario.replications):
        label = scenario.name
        if scenario.replications > 1:
            label = f"{label} {replication + 1}/{scenario.replications}"
        try:
            progress(label, 0, traffic.requests)
        except KeyboardInterrupt:
            if not plays:
                raise
            partial = True
            break
        images = find_images(
            work,
            samples=traffic.requests * traffic.samples,
            seed=scenario.seed,
            replication=replication,
        )
        plays.append(
            play(
                work,
                scenario.cluster,
                traffic,
                images,
                access,
                policy,
                seed=scenario.seed,
                replication=replication,
                trace_requests=trace_requests if replication == 0 else 0,
                progress=functools.partial(_told, progress, label, traffic.requests),
            )
        )
        if plays[-1].recording.partial:
            break
    warnings = ["energy was not measured: real nodes tell times, and no meter is read"]
    if images.lacking is not None:
        warnings.append(f"accuracy was not measured, on images of noise: {images.lacking}")
    for one in plays:
        warnings += [out.told for out in one.outs]
    failures: Counter[str] = Counter()
    for one in plays:
        failures += one.reasons
        failures[INTERRUPTED] += int((one.recording.outcome == Outcome.UNFINISHED).sum())
    failures = +failures
    warnings += [f"{many:,} without an answer: {reason}" for reason, many in failures.items()]
    measured = Measured(
        accuracy=accuracy.section(
            artifact, plays, samples=traffic.samples, images=len(images.pixels)
        ),
        failures=failures,
        warnings=tuple(warnings),
    )
    return summarise(
        scenario,
        plan,
        [one.recording for one in plays],
        wall_s=time.perf_counter() - begun_s,
        partial=partial,
        measured=measured,
    )


def _told(progress: Progress, label: str, total: int, done: int) -> None:
    progress(label, done, total)
