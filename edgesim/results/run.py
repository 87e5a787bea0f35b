"""A run that has ended, and the values that several of its metrics are computed from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.hardware import Node
from edgesim.hardware.runtimes import runtime_text
from edgesim.placement import Plan
from edgesim.placement.alone import better_alone
from edgesim.placement.bounds import Bottleneck, bottleneck
from edgesim.results.accuracy import Accuracy, expected
from edgesim.results.baselines import BaselineRow
from edgesim.results.ranges import Ranges
from edgesim.results.statistics import latency_intervals, latency_summary, settled
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.recording import PARTS, LinkTotals, NodeTotals

_NOTABLE = 0.05
"""Share by which the start of a closed loop may change a percentile without a warning."""
_MOST_REASONS = 10
"""Reasons that each have a warning of their own."""


def mean(values: Iterable[float]) -> float:
    """Return the mean of some values, rounded once."""
    found = list(values)
    return math.fsum(found) / len(found)


def by_reason(what: str, reasons: Counter[str]) -> list[str]:
    """Return a warning of each of the most frequent reasons."""
    found = [f"{many:,} {what}: {reason}" for reason, many in reasons.most_common(_MOST_REASONS)]
    if (more := len(reasons) - _MOST_REASONS) > 0:
        found.append(f"{what}: {more} further reasons are in summary.json")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Figures of a run on real nodes, beside its recordings.

    Attributes:
        accuracy: measured share of right answers; None where it was not measured.
        failures: why requests have no answer, and how many.
        warnings: warnings to be shown with the others.
        failure: why the run failed although it has a result; empty where it did not.
        never_answered: a sentence on every part, or the fusion, of which there is no reply at all.
    """

    accuracy: Accuracy | None
    failures: Mapping[str, int]
    warnings: tuple[str, ...]
    failure: str = ""
    never_answered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One node over the run.

    Attributes:
        node: as in the cluster.
        totals: totals of each replication.
        energy_j: mean of the replications; NaN where it was not measured.
        idle_j: part of that which it draws whether or not it works, its share of its machine's.
        utilization: mean share of its cores that worked.
        memory_bytes: memory that the plan and copies of parts hold on it.
        runtime: runtime that its times are of; None where it is not known.
    """

    node: Node
    totals: tuple[NodeTotals, ...]
    energy_j: float
    idle_j: float
    utilization: float
    memory_bytes: float
    runtime: str | None = None

    def mean(self, value: Callable[[NodeTotals], float]) -> float:
        """Return the mean of one of its totals over the replications."""
        return mean(map(value, self.totals))

    @property
    def energy_by_part_j(self) -> dict[str, float] | None:
        """Energy of each part of its device, in joules; None where the device has no such parts."""
        parts = dict.fromkeys(part for one in self.totals for part in one.energy_by_part_j)
        return {
            part: self.mean(lambda one, part=part: one.energy_by_part_j.get(part, 0.0))  # type: ignore[misc]
            for part in parts
        } or None


@dataclass(frozen=True, slots=True)
class SourceRun:
    """Requests that entered at one of several nodes, of all replications.

    Attributes:
        outcomes: number of requests by `Outcome`.
        late: answered requests that missed their deadline; None without one.
        latency_s: mean, percentiles and maximum of the latencies of answered requests.
    """

    outcomes: Counter[int]
    late: int | None
    latency_s: Mapping[str, float | None]

    @property
    def offered(self) -> int:
        """Requests that arrived."""
        return self.outcomes.total()

    @property
    def answered(self) -> int:
        """Requests that were answered, in full or degraded."""
        return self.outcomes[Outcome.COMPLETED] + self.outcomes[Outcome.DEGRADED]

    @property
    def failed(self) -> int:
        """Requests without an answer that no queue dropped."""
        return self.offered - self.answered - self.outcomes[Outcome.DROPPED]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that has ended.

    Attributes:
        scenario: scenario that was run.
        plan: placement of its model.
        recordings: one for each replication.
        baselines: the whole model on one device each.
        wall_s: time that it took.
        cut_short: an interrupt left out replications or baselines.
        measured: figures of real nodes; None of a simulation.
        processes: names of the user's own processes that ran beside the simulation.
        served: bounds of the plan as real nodes execute it; None where it is played as it is.
        ranges: the run with draws of its devices' errors; None where it was not asked for.
    """

    scenario: Scenario
    plan: Plan
    recordings: tuple[Recording, ...]
    baselines: tuple[BaselineRow, ...] = ()
    wall_s: float
    cut_short: bool = False
    measured: Measured | None = None
    processes: tuple[str, ...] = ()
    served: Bottleneck | None = None
    ranges: Ranges | None = None

    @property
    def partial(self) -> bool:
        """Whether an interrupt left something out."""
        return self.cut_short or any(recording.partial for recording in self.recordings)

    @cached_property
    def bounds(self) -> Bottleneck:
        """Bottleneck of what was played."""
        return self.served or bottleneck(
            self.plan, self.scenario.cluster, self.scenario.traffic.samples
        )

    @cached_property
    def latencies_s(self) -> list[NDArray[np.float64]]:
        """Latencies of the answered requests after the warm-up, one array a replication."""
        return [one.answered_s(self.scenario.traffic.warmup) for one in self.recordings]

    @cached_property
    def latency_s(self) -> dict[str, float | None]:
        """Mean, percentiles and maximum of all latencies."""
        return latency_summary(np.concatenate(self.latencies_s))

    @property
    def confidence_95(self) -> dict[str, list[float] | None]:
        """Ends of the 95 % intervals of the mean and of percentiles."""
        found = latency_intervals(self.latencies_s).items()
        return {name: None if one is None else list(one) for name, one in found}

    @cached_property
    def requests(self) -> Counter[str]:
        """Requests by outcome; those that an interrupt left under way count as failed."""
        outcome = np.concatenate([one.outcome for one in self.recordings])
        completed = int((outcome == Outcome.COMPLETED).sum())
        degraded = int((outcome == Outcome.DEGRADED).sum())
        dropped = int((outcome == Outcome.DROPPED).sum())
        return Counter(
            offered=len(outcome),
            completed=completed,
            degraded=degraded,
            dropped=dropped,
            failed=len(outcome) - completed - degraded - dropped,
        )

    @cached_property
    def lost_parts(self) -> Counter[str] | None:
        """What degraded requests went without: part, node and why; None where nothing can fail."""
        known = any(one.faults is not None or one.lost for one in self.recordings)
        if self.measured is None and not known:
            return None
        return sum((Counter(one.lost) for one in self.recordings), Counter())

    @cached_property
    def sources(self) -> dict[str, SourceRun] | None:
        """Requests by the node where they entered; None where that is one node, or none."""
        names = self.recordings[0].sources
        if not names:
            return None
        deadline_s, warmup = self.scenario.traffic.deadline_s, self.scenario.traffic.warmup
        found = {}
        for number, name in enumerate(names):
            mine = [one.source == number for one in self.recordings]
            pairs = list(zip(self.recordings, mine, strict=True))
            outcome = np.concatenate([one.outcome[own] for one, own in pairs])
            every = np.concatenate([one.latency_s[own] for one, own in pairs])
            later = np.concatenate([one.latency_s[warmup:][own[warmup:]] for one, own in pairs])
            late = None if deadline_s is None else int((every > deadline_s).sum())
            counts = Counter(outcome.tolist())
            found[name] = SourceRun(counts, late, latency_summary(later[np.isfinite(later)]))
        return found

    @property
    def dropped(self) -> int | None:
        """Dropped requests; None where no queue drops any."""
        drops = any(node.queue.drops for node in self.scenario.cluster.nodes.values())
        return self.requests["dropped"] if drops or self.requests["dropped"] else None

    @cached_property
    def late(self) -> int | None:
        """Answered requests that missed their deadline; None without one."""
        deadline_s = self.scenario.traffic.deadline_s
        if deadline_s is None:
            return None
        return sum(int((one.latency_s > deadline_s).sum()) for one in self.recordings)

    @property
    def goodput_per_s(self) -> float | None:
        """Requests answered by their deadline, over simulated time; None without a deadline."""
        if self.late is None:
            return None
        return self.per_s(self.finished - self.late / len(self.recordings))

    @property
    def finished(self) -> float:
        """Answered requests of a mean replication."""
        return (self.requests["completed"] + self.requests["degraded"]) / len(self.recordings)

    @cached_property
    def simulated_s(self) -> float:
        """Mean time from the start to the last event."""
        return mean(one.simulated_s for one in self.recordings)

    def per_s(self, many: float) -> float | None:
        """Return a number of requests of a mean replication as a rate; None in no time."""
        return many / self.simulated_s if self.simulated_s > 0.0 else None

    @property
    def throughput_per_s(self) -> float | None:
        """Answered requests over simulated time; None in no time."""
        return self.per_s(self.finished)

    @property
    def capacity_per_s(self) -> float:
        """Requests per second that keep the bottleneck busy."""
        return self.bounds.capacity_per_s

    @property
    def breakdown_s(self) -> dict[str, float | None]:
        """Mean of each part of the critical path over the answered requests."""
        warmup = self.scenario.traffic.warmup
        found: dict[str, float | None] = {}
        for part in PARTS:
            columns = [
                one.breakdown_s[part][warmup:][np.isfinite(one.latency_s[warmup:])]
                for one in self.recordings
            ]
            values = np.concatenate(columns)
            found[part] = float(values.mean()) if len(values) else None
        return found

    @property
    def alone(self) -> dict[str, dict[str, Any]]:
        """Devices of the cluster that are faster or cheaper by themselves, by what they are."""
        request, samples = self.scenario.placement, self.scenario.traffic.samples
        found = better_alone(self.plan, request, self.bounds.latency_s, samples)
        return {one.name: asdict(one) for one in found}

    @cached_property
    def nodes(self) -> dict[str, NodeRun]:
        """Every node."""
        held = self.plan.memory_bytes()
        for name, size in self.plan.standby_bytes.items():
            held[name] = held.get(name, 0.0) + size
        cluster = self.scenario.cluster
        sharing = Counter(node.host for node in cluster.nodes.values())
        found = {}
        for name, node in cluster.nodes.items():
            totals = tuple(one.nodes[name] for one in self.recordings)
            busy_s = mean(one.busy_s for one in totals)
            idle_j = mean(_idle_j(node, one) for one in self.recordings)
            found[name] = NodeRun(
                node=node,
                totals=totals,
                energy_j=mean(one.energy_j for one in totals),
                idle_j=idle_j if node.host is None else idle_j / sharing[node.host],
                utilization=busy_s / self.simulated_s if self.simulated_s > 0.0 else 0.0,
                memory_bytes=held.get(name, 0.0),
                runtime=runtime_text(node.device, self.plan.precision) or None,
            )
        return found

    @cached_property
    def links(self) -> dict[str, LinkTotals]:
        """Every link: means of the replications."""
        found = {}
        for name in self.recordings[0].links:
            totals = [one.links[name] for one in self.recordings]
            found[name] = LinkTotals(
                bytes=mean(one.bytes for one in totals),
                energy_j=mean(one.energy_j for one in totals),
                utilization=mean(one.utilization for one in totals),
            )
        return found

    @cached_property
    def energy_j(self) -> float:
        """Joules of all nodes and links."""
        nodes = math.fsum(one.energy_j for one in self.nodes.values())
        return nodes + math.fsum(one.energy_j for one in self.links.values())

    @property
    def energy_per_request_j(self) -> float | None:
        """Joules over answered requests; None where none was answered."""
        return self.energy_j / self.finished if self.finished else None

    @cached_property
    def accuracy(self) -> tuple[Accuracy | None, list[str]]:
        """Accuracy of the answers, and warnings about it."""
        if self.measured is not None:
            return self.measured.accuracy, list(self.measured.warnings)
        return expected(self.scenario, self.plan, self.recordings)

    @property
    def overloaded(self) -> bool:
        """Whether requests of a simulation come faster than the bottleneck can serve them."""
        nodes = self.scenario.cluster.nodes.values()
        return self.measured is None and self.scenario.traffic.outpaces(
            self.bounds.capacity_per_s, nodes
        )

    @cached_property
    def settled(self) -> bool:
        """Whether the queue settled: latencies do not grow with the length of the run."""
        if self.overloaded and not self.scenario.ends_waits_at(self.bounds.resource):
            return False
        traffic = self.scenario.traffic
        if not (traffic.keeps_coming and traffic.steady):
            return True
        return all(map(settled, self.latencies_s))

    @property
    def warnings(self) -> list[str]:
        """Warnings about the figures."""
        found = []
        traffic, requests = self.scenario.traffic, self.requests
        capacity_per_s = self.bounds.capacity_per_s
        bounded = self.overloaded and self.scenario.ends_waits_at(self.bounds.resource)
        if self.overloaded:
            consequence = (
                bounded or "the queue did not settle, so latencies grow with the length of the run"
            )
            found.append(
                f"overloaded: {traffic.offered_per_s:.4g} requests/s are offered, and "
                f"{self.bounds.resource} can serve {capacity_per_s:.4g}/s; {consequence}"
            )
        if not self.settled and (bounded or not self.overloaded):
            found.append(
                "the queue did not settle: latencies still grew at the end; simulate more requests "
                "(traffic.requests), or set traffic.warmup to leave out the start"
            )
        found += _closed_loop(self)
        if requests["failed"]:
            found.append(
                f"{requests['failed']:,} of {requests['offered']:,} requests have no answer"
            )
        if self.lost_parts:
            found += by_reason("answered without a part", self.lost_parts)
        if requests["dropped"] and self.measured is None:
            reasons = sum((Counter(one.dropped) for one in self.recordings), Counter[str]())
            why = ", ".join(f"{many:,} {reason}" for reason, many in reasons.items())
            found.append(
                f"{requests['dropped']:,} of {requests['offered']:,} requests were dropped "
                f"({why}); they are in no percentile of the latency"
            )
        if self.processes:
            found.append(
                f"processes of your own changed the run: {', '.join(self.processes)}; the scenario "
                "alone does not give these figures, and baselines ran without them"
            )
        if self.partial and not (self.measured and self.measured.failure):
            found.append("interrupted: this is what had finished by then")
        found += self.scenario.warnings_on(self.plan)
        return [*found, *self.scenario.notes_on(self.plan), *self.accuracy[1]]


def _closed_loop(run: Run) -> list[str]:
    """Return what the latencies of a closed loop hide: its start, and pauses."""
    found: list[str] = []
    traffic = run.scenario.traffic
    generator = np.random.default_rng(0)
    if traffic.keeps_coming or traffic.times(generator) is not None:
        return found
    start, p99_s = traffic.in_flight, run.latency_s["p99"]
    thinks = traffic.pauses(generator) is not None
    if not thinks and p99_s is not None and traffic.warmup < start > 1:
        later_s = latency_summary(np.concatenate([one.answered_s(start) for one in run.recordings]))
        without_s = later_s["p99"]
        if without_s is not None and not math.isclose(p99_s, without_s, rel_tol=_NOTABLE):
            found.append(
                f"the first {start:,} requests of the closed loop start at once: without them the "
                f"99th percentile is {duration(without_s)}, not {duration(p99_s)}; set "
                f"traffic.warmup to {start} to leave them out"
            )
    if any(one.faults is not None and one.faults.recover_s for one in run.recordings):
        found.append(
            "closed loop with failures: a client that waits sends no further request, so few "
            "requests meet a failure and the percentiles hide it (coordinated omission); poisson "
            "or periodic arrivals show it"
        )
    return found


def _idle_j(node: Node, recording: Recording) -> float:
    """Return what a node draws idle or not, in joules; NaN where energy was not measured."""
    totals = recording.nodes[node.name]
    if math.isnan(totals.energy_j):
        return math.nan
    return node.device.power.idle_w * (recording.simulated_s - totals.off_s)
