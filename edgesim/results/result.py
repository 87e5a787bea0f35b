"""The result of a run: what `summary.json` holds, and the recordings that it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgesim.placement import Plan
from edgesim.results.baselines import BaselineRow
from edgesim.results.run import Measured, Run
from edgesim.results.summary import summed_up
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run gave.

    Attributes:
        summary: as in ``summary.json``; plain data, every number finite or None.
        scenario: what was played.
        plan: how it was placed.
        recordings: one for each replication; the first has the spans.
        partial: the run was interrupted.
    """

    summary: Mapping[str, Any]
    scenario: Scenario
    plan: Plan
    recordings: tuple[Recording, ...]
    partial: bool


def summarise(
    scenario: Scenario,
    plan: Plan,
    recordings: Sequence[Recording],
    baselines: Iterable[BaselineRow] = (),
    *,
    wall_s: float,
    partial: bool = False,
    measured: Measured | None = None,
) -> Result:
    """Return the result of a run.

    The first ``traffic.warmup`` requests count in no statistic of latency; energy, bytes and
    utilization are of the whole run. Several replications are pooled: percentiles are of all
    their requests, totals are means of one replication. ``partial`` tells that an interrupt left
    out replications or baselines; a recording that was cut short tells so itself. With
    ``measured``, the recordings are of real nodes.
    """
    run = Run(
        scenario=scenario,
        plan=plan,
        recordings=tuple(recordings),
        baselines=tuple(baselines),
        wall_s=wall_s,
        partial=partial or any(recording.partial for recording in recordings),
        measured=measured,
    )
    return Result(
        summary=summed_up(run),
        scenario=scenario,
        plan=plan,
        recordings=run.recordings,
        partial=run.partial,
    )
