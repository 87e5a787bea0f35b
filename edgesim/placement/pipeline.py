"""``pipeline``: the operators in stages, one stage a node, cut where it is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgesim.common.errors import InputError, PlanError, nearest
from edgesim.common.validation import spec
from edgesim.graph import Graph
from edgesim.hardware import Node
from edgesim.placement.check import exact_text, lacking
from edgesim.placement.cuts import OBJECTIVES, Stage, best_cut
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.placement.request import ModelKeys, PlacementRequest, takes
from edgesim.placement.whole import able, graph_of, held_bytes


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineKeys(ModelKeys):
    """Keys of ``placement``.

    Attributes:
        objective: figure that the cuts minimise.
    """

    objective: Literal["latency", "bottleneck"] | None = None


@takes(PipelineKeys)
def pipeline(request: PlacementRequest) -> Plan:
    """Cut the execution order into stages on distinct nodes, by dynamic programming.

    Options: ``objective``, ``latency`` (seconds from input to answer of one request, unloaded) or
    ``bottleneck`` (the slowest stage or transfer, which bounds the throughput; the default).

    A stage hands on everything that later stages still read, shortcuts included. Nodes may be
    left out. See `best_cut` for what is optimal over what.

    Raises:
        InputError: an unknown objective.
        PlanError: no cut fits the nodes' memory, or too few of them have routes between them.
    """
    graph = graph_of(request, "pipeline")
    objective = str(request.options.get("objective", "bottleneck"))
    if objective not in OBJECTIVES:
        raise InputError(
            f"placement.objective: expected one of {', '.join(OBJECTIVES)}, got '{objective}'"
            f"{nearest(objective, list(OBJECTIVES))}"
        )
    nodes = able(request)
    stages = best_cut(graph, nodes, request, objective)
    if stages is None:
        raise PlanError(_misfit(graph, nodes, request))
    shown = [
        {
            "node": stage.node.name,
            "first": graph.ops[stage.start].name,
            "last": graph.ops[stage.stop - 1].name,
        }
        for stage in stages
    ]
    details = {"objective": objective, "stages": shown}
    return request.plan("pipeline", (_branch(graph, stages, request),), details)


def _branch(graph: Graph, stages: list[Stage], request: PlacementRequest) -> Branch:
    tasks = tuple(
        Task(
            name=f"stage-{number}",
            node=stage.node.name,
            graph=graph.slice(stage.start, stage.stop),
            memory_bytes=stage.memory_bytes,
        )
        for number, stage in enumerate(stages)
    )
    ends = (None, *(task.name for task in tasks), None)
    sizes = (*(graph.cut_elements[stage.start] for stage in stages), graph.output_elements)
    transfers = zip(ends, ends[1:], sizes, strict=False)
    return Branch(tasks=tasks, transfers=request.transfers(transfers))


def _misfit(graph: Graph, nodes: list[Node], request: PlacementRequest) -> str:
    """Return why no cut is possible: memory, or routes."""
    total = sum(node.model_memory_bytes for node in nodes)
    needed = graph.weight_bytes(request.model.precision)
    if needed > total:
        return (
            f"the nodes lack {exact_text(needed - total)} together: the weights of {graph.name} "
            f"take {exact_text(needed)}, and the {len(nodes)} nodes have {exact_text(total)}; add "
            "nodes, or use a smaller precision"
        )
    largest = max(nodes, key=lambda node: node.model_memory_bytes)
    whole = held_bytes(graph, largest, request.model.precision)
    reasons = []
    lack = lacking(largest, whole)
    if lack is not None:
        reasons.append(f"no cut fits the nodes' memory; uncut, {lack}")
    missing = _missing_route(nodes, request)
    if missing is not None:
        start, end = missing
        reasons.append(
            f"node '{start}' has no route to node '{end}'; add a link or a route between them"
        )
    return "; and ".join(reasons) or f"no cut of {graph.name} fits those nodes that are considered"


def _missing_route(nodes: list[Node], request: PlacementRequest) -> tuple[str, str] | None:
    names = [node.name for node in nodes]
    entry = request.input_node
    if entry is not None and entry not in names:
        names.insert(0, entry)
    network = request.cluster.network
    pairs = ((a, b) for a in names for b in names if network.route(a, b) is None)
    return next(pairs, None)
