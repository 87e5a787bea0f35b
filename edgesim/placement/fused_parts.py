"""A plan of parts that answer for classes each, and of the fusion of their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgesim.graph import BYTES_PER_ELEMENT, Graph
from edgesim.hardware import Node
from edgesim.placement.plan import Branch, Plan, Task, Transfer
from edgesim.placement.request import PlacementRequest
from edgesim.placement.whole import held_bytes


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
    width = BYTES_PER_ELEMENT[precision]
    tasks = []
    transfers = []
    for number, part in enumerate(parts):
        task = Task(
            name=f"part-{number}",
            node=part.home.name,
            graph=part.graph,
            memory_bytes=held_bytes(part.graph, part.home, precision),
            optional=True,
            classes=part.classes,
            part=number,
        )
        tasks.append(task)
        if request.input_node is not None:
            entering = part.graph.input_elements * width
            transfers.append(Transfer(source=None, target=task.name, bytes=entering))
        leaving = part.features * width
        transfers.append(Transfer(source=task.name, target="fusion", bytes=leaving))
    tasks.append(
        Task(
            name="fusion",
            node=fusion_node.name,
            kind="fusion",
            graph=fusion,
            memory_bytes=held_bytes(fusion, fusion_node, precision),
        )
    )
    if request.input_node is not None:
        transfers.append(Transfer(source="fusion", target=None, bytes=classes * width))
    return Plan(
        strategy="class-wise",
        precision=precision,
        branches=(Branch(tasks=tuple(tasks), transfers=tuple(transfers)),),
        input_node=request.input_node,
        output_node=request.input_node,
        details=dict(details),
    )
