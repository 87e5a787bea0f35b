"""The whole model on each named device, beside the cluster: same model, same traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgesim.hardware import Cluster, Network, Node
from edgesim.placement import Branch, Plan, Task
from edgesim.placement.whole import held_bytes
from edgesim.scenario.scenario import Baseline, Scenario
from edgesim.simulate import Recording, simulate

_LARGEST_BATCH = 4096
_NEAR = 0.99
"""A batch this near to the highest throughput is as good; the smallest of them answers first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestBatch:
    """The smallest batch within 1 % of the highest throughput, the device busy all the time."""

    batch: int
    throughput_per_s: float
    latency_s: float
    energy_j_per_request: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRow:
    """One baseline.

    Attributes:
        name: of the baseline.
        device: catalog name.
        precision: that it computed in.
        idle_w: that it draws whether or not requests come.
        misfit_bytes: that its memory lacks; the rest is None then.
        compute_s: of one request, batch 1, unloaded.
        recording: of the simulation under the scenario's traffic.
        best_batch: None where no batch above 1 fits.
    """

    name: str
    device: str
    precision: str
    idle_w: float = 0.0
    misfit_bytes: float = 0.0
    compute_s: float | None = None
    recording: Recording | None = None
    best_batch: BestBatch | None = None


def play(
    scenario: Scenario, progress: Callable[[int], None] | None = None
) -> Iterator[BaselineRow]:
    """Simulate the baselines of a scenario, one after the other.

    The device has the data at hand (no network), takes requests one at a time, first come first
    served, and draws its idle power between them.

    Raises:
        KeyboardInterrupt: while one was played; what it had done by then is no row.
    """
    for baseline in scenario.baselines:
        row = _play(scenario, baseline, progress)
        if row.recording is not None and row.recording.partial:
            raise KeyboardInterrupt
        yield row


def _play(
    scenario: Scenario, baseline: Baseline, progress: Callable[[int], None] | None
) -> BaselineRow:
    graph = scenario.placement.model.graph
    assert graph is not None, "the scenario's reader refuses baselines of task graphs"
    node = Node(name=baseline.name, device=baseline.device)
    held = held_bytes(graph, node, baseline.precision)
    missing = held - baseline.device.memory_capacity_bytes
    row = BaselineRow(
        name=baseline.name,
        device=baseline.device.name,
        precision=baseline.precision,
        idle_w=baseline.device.power.idle_w,
    )
    if missing > 0.0:
        return replace(row, misfit_bytes=missing)
    task = Task(name="model", node=node.name, graph=graph, memory_bytes=held)
    plan = Plan(
        strategy="single",
        precision=baseline.precision,
        branches=(Branch(tasks=(task,), transfers=()),),
    )
    cluster = Cluster(nodes={node.name: node}, network=Network(links={}, routes={}))
    recording = simulate(
        plan, cluster, scenario.traffic, seed=scenario.seed, trace_requests=0, progress=progress
    )
    samples = scenario.traffic.samples
    return replace(
        row,
        compute_s=baseline.device.graph_cost(graph, baseline.precision, samples).time_s,
        recording=recording,
        best_batch=best_batch(baseline, scenario),
    )


def best_batch(baseline: Baseline, scenario: Scenario) -> BestBatch | None:
    """Return the smallest power of two within 1 % of the highest throughput that memory allows."""
    graph = scenario.placement.model.graph
    assert graph is not None
    device = baseline.device
    samples = scenario.traffic.samples
    tried: list[BestBatch] = []
    batch = 1
    while batch <= _LARGEST_BATCH:
        node = Node(name=baseline.name, device=device, batch_max=batch * samples)
        if held_bytes(graph, node, baseline.precision) > device.memory_capacity_bytes:
            break
        cost = device.graph_cost(graph, baseline.precision, batch * samples)
        tried.append(
            BestBatch(
                batch=batch,
                throughput_per_s=batch / cost.time_s,
                latency_s=cost.time_s,
                energy_j_per_request=cost.power_w * cost.time_s / batch,
            )
        )
        batch *= 2
    highest = max((one.throughput_per_s for one in tried), default=0.0)
    return next((one for one in tried if one.throughput_per_s >= _NEAR * highest), None)


def mean_latency_s(row: BaselineRow, warmup: int) -> float | None:
    """Return the mean latency of a baseline's answered requests; None where there is none."""
    if row.recording is None:
        return None
    values = row.recording.latency_s[warmup:]
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
