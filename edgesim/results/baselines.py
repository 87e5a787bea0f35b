"""The whole model on each named device, beside the cluster: same model, same traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from edgesim.hardware import Batch, Cluster, Network, Node
from edgesim.hardware.runtimes import runtime_text
from edgesim.placement import Branch, Plan, Task
from edgesim.placement.whole import held_bytes
from edgesim.results.metrics import Metric, Section
from edgesim.results.statistics import settled
from edgesim.scenario.scenario import Baseline, Scenario
from edgesim.simulate import Outcome, Recording, simulate

_BATCHES = tuple(2**power for power in range(13))
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
        name: name of the baseline.
        device: catalog name.
        precision: number format that it computed in.
        runtime: runtime that its times are of; None where it is not known.
        misfit_bytes: memory that it lacks; None where the model fits, and all below where not.
        recording: simulation under the scenario's traffic.
        latency_s: mean of the answered requests after the warm-up.
        throughput_per_s: answered requests over the time that they took.
        energy_j_per_request: joules over answered requests.
        idle_j_per_request: part of these that is drawn without requests too.
        unloaded_latency_s: time of one request on the idle device, batch 1, in seconds.
        settled: its queue did not grow without bound.
        best_batch: None where no batch above 1 fits.
        speedup: its latency over the cluster's.
        energy_ratio: its joules of a request over the cluster's.
    """

    name: str
    device: str
    precision: str
    runtime: str | None = None
    misfit_bytes: float | None = None
    recording: Recording | None = None
    latency_s: float | None = None
    throughput_per_s: float | None = None
    energy_j_per_request: float | None = None
    idle_j_per_request: float | None = None
    unloaded_latency_s: float | None = None
    settled: bool | None = None
    best_batch: BestBatch | None = None
    speedup: float | None = None
    energy_ratio: float | None = None

    def beside(self, latency_s: float | None, energy_j: float | None) -> BaselineRow:
        """Return it with its ratios to a cluster of this latency and energy of a request."""
        return replace(
            self,
            speedup=_ratio(self.latency_s, latency_s),
            energy_ratio=_ratio(self.energy_j_per_request, energy_j),
        )


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def simulate_baselines(
    scenario: Scenario, progress: Callable[[int], None] | None = None
) -> Iterator[BaselineRow]:
    """Simulate the baselines of a scenario, one after the other.

    The device has the data at hand (no network), takes requests one at a time, first come first
    served, and draws its idle power between them.

    Raises:
        KeyboardInterrupt: while a baseline was simulated; a partial one has no row.
    """
    for baseline in scenario.baselines:
        row = _row(scenario, baseline, progress)
        if row.recording is not None and row.recording.partial:
            raise KeyboardInterrupt
        yield row


def _row(
    scenario: Scenario, baseline: Baseline, progress: Callable[[int], None] | None
) -> BaselineRow:
    graph = scenario.placement.model.graph
    assert graph is not None, "the scenario's reader refuses baselines of task graphs"
    node = Node(name=baseline.name, device=baseline.device, batch=Batch(max=baseline.batch))
    held = held_bytes(graph, node, baseline.precision)
    missing = held - node.model_memory_bytes
    row = BaselineRow(
        name=baseline.name,
        device=baseline.device.name,
        precision=baseline.precision,
        runtime=runtime_text(baseline.device, baseline.precision) or None,
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
    traffic, span_s = scenario.traffic, recording.simulated_s
    answered = int((recording.outcome == Outcome.COMPLETED).sum())
    joules = sum(one.energy_j for one in recording.nodes.values())
    alone_s = baseline.device.graph_cost(graph, baseline.precision, traffic.samples).time_s
    capacity_per_s = 1.0 / alone_s if alone_s else None
    latency_s = recording.answered_s(traffic.warmup)
    return replace(
        row,
        recording=recording,
        latency_s=float(latency_s.mean()) if len(latency_s) else None,
        throughput_per_s=answered / span_s if span_s > 0.0 else None,
        energy_j_per_request=joules / answered if answered else None,
        idle_j_per_request=baseline.device.power.idle_w * span_s / answered if answered else None,
        unloaded_latency_s=alone_s,
        settled=settled(latency_s) and not traffic.outpaces(capacity_per_s, (node,)),
        best_batch=best_batch(baseline, scenario),
    )


def best_batch(baseline: Baseline, scenario: Scenario) -> BestBatch | None:
    """Return the smallest power of two within 1 % of the highest throughput that memory allows."""
    graph = scenario.placement.model.graph
    assert graph is not None
    device = baseline.device
    samples = scenario.traffic.samples
    tried: list[BestBatch] = []
    for batch in _BATCHES:
        node = Node(name=baseline.name, device=device, batch=Batch(max=batch * samples))
        if held_bytes(graph, node, baseline.precision) > node.model_memory_bytes:
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
    highest = max((one.throughput_per_s for one in tried), default=0.0)
    return next((one for one in tried if one.throughput_per_s >= _NEAR * highest), None)


_FITS_NOT = "the model does not fit the device's memory"
_BEST: tuple[Metric[BestBatch], ...] = (
    Metric("batch", "", "Requests at once: the smallest batch within 1 % of the highest throughput "
           "that memory allows.", kind="whole"),
    Metric("throughput_per_s", "/s", "Requests per second at that batch, the device always busy."),
    Metric("latency_s", "s", "Time of one such batch."),
    Metric("energy_j_per_request", "J", "Energy of a request in such a batch."),
)  # fmt: skip
_ROW: tuple[Metric[BaselineRow] | Section[BaselineRow], ...] = (
    Metric("device", "", "Catalog name of the device.", kind="text"),
    Metric("precision", "", "Number format that it computes in.", kind="text", column=False),
    Metric("runtime", "", "Runtime that its times are of; (estimate) where no time of it is "
           "published or profiled for the device in this precision.", kind="text", column=False,
           optional=True, null="it is not known"),
    Metric("latency_s", "s", "Mean latency of the answered requests after the warm-up.",
           null=_FITS_NOT),
    Metric("throughput_per_s", "/s", "Answered requests over the time that they took.",
           null=_FITS_NOT),
    Metric("energy_j_per_request", "J", "Energy of the device over answered requests.",
           null=_FITS_NOT),
    Metric("idle_j_per_request", "J", "Part of this energy that is drawn without requests too.",
           null=_FITS_NOT),
    Metric("speedup", "", "Mean latency of the baseline over that of the cluster.", null=_FITS_NOT),
    Metric("energy_ratio", "", "Energy of a request of the baseline over that of the cluster.",
           null=_FITS_NOT),
    Metric("unloaded_latency_s", "s", "Time of one request on the idle device.", null=_FITS_NOT),
    Metric("settled", "",
           "Whether its queue settled, as requests come slower than it can serve them.",
           kind="flag", optional=True, null=_FITS_NOT),
    Section("best_batch", "Batch with the highest throughput.", _BEST, lambda one: one.best_batch,
            null="no batch fits", optional=True),
    Metric("misfit_bytes", "B", "Memory that the device lacks for the model.", optional=True,
           column=False, null="the model fits"),
)  # fmt: skip
BASELINES: Section[Mapping[str, BaselineRow]] = Section(
    "baselines", "The whole model on one such device, under the same traffic.", _ROW,
    each="baseline",
)  # fmt: skip
