"""``class-wise`` of an artifact: the parts are there, and only their nodes are to be chosen."""

from __future__ import annotations

from edgesim.artifact import Artifact, Part
from edgesim.common.errors import InputError, PlanError
from edgesim.hardware import Node
from edgesim.placement.check import exact_text
from edgesim.placement.fused_parts import PlacedPart, fused_plan
from edgesim.placement.plan import Plan, Task
from edgesim.placement.request import PlacementRequest
from edgesim.placement.whole import candidates


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
    homes = _homes(artifact.parts, nodes)
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


def _homes(parts: tuple[Part, ...], nodes: list[Node]) -> list[Node]:
    """Return the node of every part."""
    named = {node.name: node for node in nodes}
    fitted = [named[part.device] for part in parts if part.device in named]
    if len(fitted) == len(parts):
        return fitted
    share, more = divmod(len(parts), len(nodes))
    return [
        node for index, node in enumerate(nodes) for _ in range(share + (index < more))
    ]  # fmt: skip


def _check_budget(request: PlacementRequest, task: Task) -> None:
    budget = request.options.get("memory_budget")
    if isinstance(budget, int | float) and task.memory_bytes > budget:
        raise PlanError(
            f"placement.memory_budget: '{task.name}' of the artifact takes "
            f"{exact_text(task.memory_bytes)}, {exact_text(task.memory_bytes - budget)} more than "
            "the budget; raise it, or make an artifact of smaller parts"
        )
