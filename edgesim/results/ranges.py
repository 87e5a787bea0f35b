"""Ranges of a prediction: how far the run may be off because its devices' times may be.

Each device of the plan gets one factor of its times, common to all its nodes and tasks, from the
distribution of its errors (`edgesim.hardware.uncertainty`). The run is simulated again with
`DRAWS` draws of these factors, with the same seed, and once more with none, all with the first
`SHARE` of the requests; a draw changes a figure by the ratio of the two. A range holds the middle
90 % of the draws.

Draws are a Latin hypercube: each device meets the middle of every twelfth of its distribution once.
The devices' orders are ranks of the additive recurrence whose steps are powers of the generalised
golden ratio (Roberts, The unreasonable effectiveness of quasirandom sequences, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgesim.hardware import Cluster
from edgesim.hardware.uncertainty import TimeError, error_of, slowed
from edgesim.placement import Plan
from edgesim.placement.bounds import bottleneck
from edgesim.results.metrics import Metric, Section
from edgesim.results.statistics import latency_summary
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Outcome, Recording, simulate
from edgesim.simulate.traffic import Traffic

DRAWS = 12
SHARE = 1.0 / (DRAWS + 1)
"""Of the requests: all draws together play as many requests as the run."""
LEAST = 30
"""Requests of each draw, where the run has as many."""
LATENCIES = ("mean", "p50", "p90", "p99")

Interval = list[float | None]
"""Its two ends; None where an end has no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """A device of a plan whose times may be off.

    Attributes:
        name: catalog name, or that of its node.
        runtime: runtime that its times are of.
        nodes: nodes of the plan that are such a device.
        error: distribution of its times over the predicted ones.
    """

    name: str
    runtime: str
    nodes: tuple[str, ...]
    error: TimeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Figures of a run with one draw of the factors.

    Attributes:
        capacity_per_s: requests per second that keep the bottleneck busy.
        overloaded: whether requests come faster than that, and nothing ends their waits.
        latency_s: `LATENCIES`; None each where no request was answered.
        throughput_per_s: answered requests over simulated time.
        energy_j: joules of an answered request.
    """

    capacity_per_s: float
    overloaded: bool
    latency_s: Mapping[str, float | None]
    throughput_per_s: float | None
    energy_j: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Ranges of a run.

    Attributes:
        devices: devices with a known error, by name and runtime.
        exact: devices of the plan whose errors are not known; their times count as exact.
        requests: requests of each draw.
        reference: the run without factors, of as many requests.
        draws: the run with each draw.
    """

    devices: tuple[Uncertain, ...]
    exact: tuple[str, ...]
    requests: int
    reference: Draw
    draws: tuple[Draw, ...]

    @property
    def unsettled(self) -> int:
        """Draws in which requests come faster than they are served."""
        return sum(draw.overloaded for draw in self.draws)

    def ratios(self, figure: Callable[[Draw], float | None]) -> list[float]:
        """Return a figure of each draw over that of the reference; nothing where one lacks it."""
        values = [figure(draw) for draw in (self.reference, *self.draws)]
        if any(value is None for value in values) or not values[0]:
            return []
        return [value / values[0] for value in values[1:]]  # type: ignore[operator]

    def around(
        self, value: float | None, figure: Callable[[Draw], float | None], *, grows: bool = False
    ) -> Interval | None:
        """Return the range of a figure of the run.

        Args:
            value: the run's.
            figure: the same of a draw.
            grows: whether it has no bound in a draw whose queue grows without one.
        """
        ratios = self.ratios(figure)
        if value is None or not ratios or not math.isfinite(value):
            return None
        if grows:
            pairs = zip(ratios, self.draws, strict=True)
            ratios = [math.inf if draw.overloaded else ratio for ratio, draw in pairs]
        ends = (value * ratio for ratio in middle_90(ratios))
        return [end if math.isfinite(end) else None for end in ends]

    @property
    def sentences(self) -> list[str]:
        """What is to be said of them: draws without a steady state, devices without errors."""
        found = []
        if self.unsettled:
            found.append(
                f"in {self.unsettled} of {len(self.draws)} draws the queue does not settle: "
                "requests come faster than they are served if the devices are that slow"
            )
        guessed = [one.name for one in self.devices if one.error.without == "device"]
        if guessed:
            found.append(
                f"no time of {', '.join(guessed)} is published: its range is that of related "
                "devices predicted without any time of their own"
            )
        if self.exact:
            found.append(
                f"ranges take the times of {', '.join(self.exact)} as exact: how far they miss is "
                "not known"
            )
        return found


def middle_90(values: Sequence[float]) -> tuple[float, float]:
    """Return the quantiles of 5 and 95 % of values, the i-th of n being that of (i - 0.5) / n.

    Between two values lies a straight line (Hazen's rule); beyond the last one, that one.
    """
    ordered = sorted(values)

    def at(share: float) -> float:
        place = min(max(share * len(ordered) - 0.5, 0.0), len(ordered) - 1.0)
        low = math.floor(place)
        rest = place - low
        if rest < 1e-9:
            return ordered[low]
        if math.isinf(ordered[low + 1]):
            return math.inf
        return ordered[low] + rest * (ordered[low + 1] - ordered[low])

    return at(0.05), at(0.95)


def hypercube(dimensions: int, points: int = DRAWS) -> NDArray[np.float64]:
    """Return a Latin hypercube of probabilities, shape (points, dimensions).

    Each column holds (i + 0.5) / points for i from 0, in an order of its own.
    """
    ratio = 1.0
    for _ in range(64):
        # The root of x^(d+1) = x + 1.
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    sequence = (0.5 + np.outer(np.arange(1, points + 1), steps)) % 1.0
    ranks = np.argsort(np.argsort(sequence, axis=0), axis=0)
    found: NDArray[np.float64] = (ranks + 0.5) / points
    return found


def uncertain(scenario: Scenario, plan: Plan) -> tuple[list[Uncertain], list[str]]:
    """Return the devices that compute a plan: those whose errors are known, and names of others."""
    graph = scenario.placement.model.graph
    nodes = scenario.cluster.nodes
    used = dict.fromkeys(task.node for branch in plan.branches for task in branch.tasks)
    groups: dict[tuple[str, str, int], list[str]] = {}
    for name in used:
        device = nodes[name].device
        groups.setdefault((device.name, device.runtime, id(device)), []).append(name)
    found, exact = [], []
    for (name, runtime, _), own in groups.items():
        one = nodes[own[0]].device
        error = None if graph is None else error_of(one, plan.precision)
        if error is None:
            exact.append(name)
        else:
            found.append(Uncertain(name=name, runtime=runtime, nodes=tuple(own), error=error))
    return found, list(dict.fromkeys(exact))


def simulate_ranges(
    scenario: Scenario, plan: Plan, progress: Callable[[int], None] | None = None
) -> Ranges | None:
    """Simulate a scenario with every draw; None where no device of the plan has a known error.

    Args:
        scenario: scenario that was run.
        plan: its plan.
        progress: called now and then with the requests that ended; a KeyboardInterrupt that it
            raises ends the draws.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    devices, exact = uncertain(scenario, plan)
    if not devices:
        return None
    traffic = shortened(scenario.traffic)
    one, *draws = _draws(scenario, plan, traffic, devices, progress)
    return Ranges(
        devices=tuple(devices),
        exact=tuple(exact),
        requests=traffic.requests,
        reference=one,
        draws=tuple(draws),
    )


def shortened(traffic: Traffic) -> Traffic:
    """Return traffic with fewer requests; all of them where its rate changes with time."""
    few = min(traffic.requests, max(LEAST, int(SHARE * traffic.requests)))
    if not traffic.steady:
        return traffic
    return replace(traffic, requests=few, warmup=min(traffic.warmup, few // 4))


def _draws(
    scenario: Scenario,
    plan: Plan,
    traffic: Traffic,
    devices: Sequence[Uncertain],
    progress: Callable[[int], None] | None,
) -> Iterator[Draw]:
    yield _draw(scenario, plan, scenario.cluster, traffic, progress)
    for probabilities in hypercube(len(devices)):
        nodes = dict(scenario.cluster.nodes)
        for one, probability in zip(devices, probabilities.tolist(), strict=True):
            slow = slowed(nodes[one.nodes[0]].device, one.error.factor(probability))
            nodes |= {name: replace(nodes[name], device=slow) for name in one.nodes}
        yield _draw(scenario, plan, replace(scenario.cluster, nodes=nodes), traffic, progress)


def _draw(
    scenario: Scenario,
    plan: Plan,
    cluster: Cluster,
    traffic: Traffic,
    progress: Callable[[int], None] | None,
) -> Draw:
    recording = simulate(
        plan,
        cluster,
        traffic,
        seed=scenario.seed,
        trace_requests=0,
        progress=progress,
        recovery=scenario.recovery,
    )
    if recording.partial:
        raise KeyboardInterrupt
    bounds = bottleneck(plan, cluster, traffic.samples)
    overloaded = scenario.traffic.outpaces(bounds.capacity_per_s, cluster.nodes.values())
    latency_s = latency_summary(recording.answered_s(traffic.warmup))
    answered = int(np.isin(recording.outcome, (Outcome.COMPLETED, Outcome.DEGRADED)).sum())
    return Draw(
        capacity_per_s=bounds.capacity_per_s,
        overloaded=overloaded and not scenario.ends_waits_at(bounds.resource),
        latency_s={name: latency_s[name] for name in LATENCIES},
        throughput_per_s=answered / recording.simulated_s if recording.simulated_s else None,
        energy_j=_energy_j(recording) / answered if answered else None,
    )


def _energy_j(recording: Recording) -> float:
    nodes = math.fsum(one.energy_j for one in recording.nodes.values())
    return nodes + math.fsum(one.energy_j for one in recording.links.values())


class Ran(Protocol):
    """What ranges are put around: figures of a run (`edgesim.results.run.Run`)."""

    ranges: Ranges | None

    @property
    def latency_s(self) -> Mapping[str, float | None]:
        """Mean and percentiles of the latencies."""

    @property
    def throughput_per_s(self) -> float | None:
        """Answered requests over simulated time."""

    @property
    def capacity_per_s(self) -> float:
        """Requests per second that keep the bottleneck busy."""

    @property
    def energy_per_request_j(self) -> float | None:
        """Joules over answered requests."""


def _latencies(run: Ran) -> dict[str, Interval | None]:
    assert run.ranges is not None
    around = run.ranges.around
    return {
        name: around(run.latency_s[name], lambda draw, name=name: draw.latency_s[name], grows=True)  # type: ignore[misc]
        for name in LATENCIES
    }


def _devices(run: Ran) -> dict[str, Any]:
    assert run.ranges is not None
    return {
        f"{one.name}/{one.runtime}" if one.runtime else one.name: {
            "nodes": list(one.nodes),
            "time": list(one.error.range_90()),
            "rows": one.error.rows,
            "without": one.error.without,
        }
        for one in run.ranges.devices
    }


_ENERGY: tuple[Metric[Ran], ...] = (
    Metric("per_request", "J", "Range of the energy of a request.",
           lambda run: run.ranges and run.ranges.around(
               run.energy_per_request_j, lambda draw: draw.energy_j),
           kind="range", null="no request was answered"),
)  # fmt: skip
_PARTS: tuple[Metric[Ran] | Section[Ran], ...] = (
    Metric("latency_s", "s", "Ranges of the latencies' mean and percentiles. An end is null where "
           "latencies grow with the length of the run.", _latencies, kind="ranges"),
    Metric("throughput_per_s", "/s", "Range of the throughput.",
           lambda run: run.ranges and run.ranges.around(
               run.throughput_per_s, lambda draw: draw.throughput_per_s),
           kind="range", null="the run took no time"),
    Metric("capacity_per_s", "/s", "Range of what the bottleneck can serve.",
           lambda run: run.ranges and run.ranges.around(
               run.capacity_per_s, lambda draw: draw.capacity_per_s),
           kind="range", null="nothing bounds it"),
    Section("energy_j", "Ranges of energy.", _ENERGY),
    Metric("draws", "", "Draws of the devices' errors that the run was simulated again with.",
           lambda run: run.ranges and len(run.ranges.draws), kind="whole", column=False),
    Metric("unsettled", "", "Draws in which requests come faster than they are served.",
           lambda run: run.ranges and run.ranges.unsettled, kind="whole", column=False),
    Metric("requests", "", "Requests of each draw.",
           lambda run: run.ranges and run.ranges.requests, kind="whole", column=False),
    Metric("devices", "", "Every device with a known error, by name and runtime: its nodes, its "
           "range of the time over the predicted one, the published times of its family that this "
           "is from, and what the fits of these did not see.", _devices, kind="any", column=False),
    Metric("notes", "", "What is to be said of the ranges.",
           lambda run: run.ranges and run.ranges.sentences, kind="texts", column=False),
)  # fmt: skip
RANGE: Section[Any] = Section(
    "range_90", "Ranges of 90 %, [low, high], from how far the devices' predictions miss published "
    "times.", _PARTS, lambda run: None if run.ranges is None else run, optional=True,
    null="it was not asked for, or no device of the plan has a known error",
)  # fmt: skip
