"""A scenario, read and resolved: everything that a run needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgesim.graph import Graph
from edgesim.hardware import Cluster, Device
from edgesim.placement import Model, Plan
from edgesim.placement.class_wise import pruning_warnings
from edgesim.placement.compressed import dense_notes
from edgesim.placement.request import PlacementRequest
from edgesim.placement.whole import idle_notes
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.traffic import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One device that runs the whole model, beside the cluster.

    Attributes:
        name: name in tables.
        device: device, with its runtime.
        precision: number format of the arithmetic.
        batch: largest number of requests in one execution.
    """

    name: str
    device: Device
    precision: str
    batch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Scenario:
    """A scenario file after validation, with every name resolved.

    Attributes:
        name: name of the scenario.
        seed: seed of every random draw.
        strategy: entry-point name of the placement strategy.
        placement: request to the strategy: model, cluster, options.
        traffic: requests that are offered to the cluster.
        recovery: reaction to parts that do not answer.
        baselines: single devices to compare with.
        replications: independent repetitions, each with its own random streams.
        notes: sentences for the user about how the file was read.
        document: the resolved scenario as plain YAML data; loading it again gives the same run.
    """

    name: str
    seed: int
    strategy: str
    placement: PlacementRequest
    traffic: Traffic
    baselines: tuple[Baseline, ...]
    replications: int
    document: Mapping[str, object]
    recovery: Recovery = field(default_factory=Recovery)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return one line: its name, model, placement, nodes and traffic."""
        model, nodes, traffic = self.placement.model.name, len(self.cluster.nodes), self.traffic
        return (
            f"<Scenario '{self.name}': {model}, {self.strategy} on {nodes} nodes, "
            f"{traffic.requests:,} requests {traffic.arrivals}, seed {self.seed}>"
        )

    def notes_on(self, plan: Plan) -> list[str]:
        """Return `notes`, those on compression that devices cannot use, and on idle nodes."""
        idle = [] if self.recovery.reassign is not None else idle_notes(plan, self.placement)
        return [*self.notes, *dense_notes(plan, self.placement), *idle]

    def warnings_on(self, plan: Plan) -> list[str]:
        """Return what is wrong with a plan and with the devices that compute it, each once."""
        used = dict.fromkeys(
            task.node for branch in plan.branches for task in branch.tasks if task.graph is not None
        )
        devices = (self.cluster.nodes[name].device for name in used)
        found = dict.fromkeys(text for one in devices for text in one.warnings)
        return [*found, *pruning_warnings(plan)]

    def with_graph(self, graph: Graph) -> Scenario:
        """Return it with a graph in the place of its model."""
        model = Model.of_graph(graph, self.placement.model.precision)
        return replace(self, placement=replace(self.placement, model=model))

    def ends_waits_at(self, resource: str) -> str:
        """Return what ends every wait for a resource, and what comes of it; empty where nothing."""
        if self.recovery.bounds_waits:
            return "a deadline or time-out ends every wait, so requests fail or go without parts"
        node = self.cluster.nodes.get(resource)
        if node is not None and node.queue.drops:
            return "its queue drops work, so requests are dropped or go without parts"
        return ""

    @property
    def cluster(self) -> Cluster:
        """Nodes and network."""
        return self.placement.cluster
