"""The result of a run: its summary, and the recordings that the summary was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgesim.placement import Plan
from edgesim.results.run import Run
from edgesim.results.summary import summed_up
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Recording


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result:
    """Result of a run.

    Attributes:
        summary: as in ``summary.json``; plain data, every number finite or None.
        scenario: scenario that was run.
        plan: placement of its model.
        recordings: one for each replication; the first has the spans.
        settled: the queue settled: latencies do not grow with the length of the run.
        partial: the run was interrupted, or ended by an error.
        failure: why the run failed although it has a result; empty where it did not.
        never_answered: a sentence on every part, or the fusion, of which there is no reply at all.
    """

    summary: Mapping[str, Any]
    scenario: Scenario
    plan: Plan
    recordings: tuple[Recording, ...]
    settled: bool
    partial: bool
    failure: str = ""
    never_answered: tuple[str, ...] = ()

    def __repr__(self) -> str:
        offered = self.summary["requests"]["offered"]
        return f"<result of {self.scenario.name}, {self.summary['mode']}, {offered:,} requests>"


def summarise(run: Run) -> Result:
    """Return the result of a run.

    The first ``traffic.warmup`` requests count in no statistic of latency; energy, bytes and
    utilization are of the whole run. Several replications are pooled: percentiles are of all
    their requests, totals are means of one replication.
    """
    return Result(
        summary=summed_up(run),
        scenario=run.scenario,
        plan=run.plan,
        recordings=run.recordings,
        settled=run.settled,
        partial=run.partial,
        failure=run.measured.failure if run.measured else "",
        never_answered=run.measured.never_answered if run.measured else (),
    )
