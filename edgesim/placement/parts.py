"""Plans of parts that answer for classes each, those of an artifact too, and of their fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from edgesim.artifact import Artifact, Part
from edgesim.common.errors import InputError, PlanError
from edgesim.graph import Graph
from edgesim.hardware import Node
from edgesim.placement.check import exact_text
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.placement.request import PlacementRequest
from edgesim.placement.whole import candidates, held_bytes

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PlacedPart:
    """A part on its node; it sends ``features`` elements of each sample to the fusion."""

    graph: Graph
    home: Node
    classes: tuple[int, ...]
    features: int


def fused_plan(
    request: PlacementRequest,
    parts: Sequence[PlacedPart],
    fusion: Graph,
    fusion_node: Node,
    classes: int,
    details: Mapping[str, Any],
) -> Plan:
    """Return the plan of parts, one optional task each, and of the fusion that answers.

    Each part is sent the input by itself, also where two share a node.
    """
    precision = request.model.precision
    tasks = [
        Task(
            name=f"part-{number}",
            node=part.home.name,
            graph=part.graph,
            memory_bytes=held_bytes(part.graph, part.home, precision),
            optional=True,
            classes=part.classes,
            part=number,
        )
        for number, part in enumerate(parts)
    ]
    transfers: list[tuple[str | None, str | None, float]] = []
    for task, part in zip(tasks, parts, strict=True):
        transfers += [
            (None, task.name, part.graph.input_elements),
            (task.name, "fusion", part.features),
        ]
    tasks.append(
        Task(
            name="fusion",
            node=fusion_node.name,
            kind="fusion",
            graph=fusion,
            memory_bytes=held_bytes(fusion, fusion_node, precision),
        )
    )
    transfers.append(("fusion", None, classes))
    branch = Branch(tasks=tuple(tasks), transfers=request.transfers(transfers))
    return request.plan("class-wise", (branch,), dict(details))


def spread(items: Sequence[Item], count: int) -> list[Sequence[Item]]:
    """Return ``count`` runs of consecutive items whose lengths differ by at most one."""
    size, more = divmod(len(items), count)
    starts = [index * size + min(index, more) for index in range(count + 1)]
    return [items[start:stop] for start, stop in pairwise(starts)]


def spread_nodes(count: int, nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes of parts that are spread evenly, in order: the first take one more."""
    runs = spread(range(count), len(nodes))
    return [node for node, run in zip(nodes, runs, strict=True) for _ in run]


def place_parts(request: PlacementRequest, artifact: Artifact) -> Plan:
    """Return the plan that runs every part of an artifact as it is.

    A part goes to the node that bears the name of the device it was fitted to, where all parts have
    one; else parts are spread evenly over the candidates, in order.

    Options:
        submodels: if given, must be the artifact's number of parts.
        memory_budget: bytes that one part may hold, weights and activations.

    Raises:
        InputError: an option contradicts the artifact.
        PlanError: a part exceeds the budget.
    """
    check_options(
        artifact, heads=request.options.get("heads"), submodels=request.options.get("submodels")
    )
    nodes = candidates(request)
    homes = _nodes_of_parts(artifact.parts, nodes)
    fusion_node = request.cluster.nodes[request.fusion_node or request.input_node or homes[0].name]
    placed = [
        PlacedPart(
            graph=part.graph, home=home, classes=part.classes, features=part.feature_elements
        )
        for part, home in zip(artifact.parts, homes, strict=True)
    ]
    precision = request.model.precision
    details = {
        "artifact": artifact.name,
        "submodels": len(artifact.parts),
        "part_bytes": max(part.graph.weight_bytes(precision) for part in artifact.parts),
        "part_macs": max(part.graph.macs for part in artifact.parts),
    }
    plan = fused_plan(request, placed, artifact.fusion, fusion_node, artifact.classes, details)
    for task in plan.branches[0].tasks:
        if task.optional:
            _check_budget(request, task)
    return plan


def check_options(artifact: Artifact, *, heads: object, submodels: object) -> None:
    """Refuse options that would change what the artifact holds.

    Raises:
        InputError: ``heads`` is given, or another number of ``submodels`` than there is.
    """
    if heads is not None:
        raise InputError(
            "placement.heads: the parts of an artifact are as they were trained; "
            "leave this out, or make another artifact"
        )
    if submodels is not None and submodels != len(artifact.parts):
        raise InputError(
            f"placement.submodels: the artifact holds {len(artifact.parts)}, got {submodels}; "
            "leave this out, or name another artifact"
        )


def _nodes_of_parts(parts: tuple[Part, ...], nodes: list[Node]) -> list[Node]:
    """Return the node of every part."""
    named = {node.name: node for node in nodes}
    fitted = [named[part.device] for part in parts if part.device in named]
    if len(fitted) == len(parts):
        return fitted
    return spread_nodes(len(parts), nodes)


def _check_budget(request: PlacementRequest, task: Task) -> None:
    budget = request.options.get("memory_budget")
    if isinstance(budget, int | float) and task.memory_bytes > budget:
        raise PlanError(
            f"placement.memory_budget: '{task.name}' of the artifact takes "
            f"{exact_text(task.memory_bytes)}, {exact_text(task.memory_bytes - budget)} more than "
            "the budget; raise it, or make an artifact of smaller parts"
        )
