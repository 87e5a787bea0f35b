"""``replicate``: the whole model on every node; each request goes to the least loaded."""

from __future__ import annotations

from edgesim.placement.plan import Plan
from edgesim.placement.request import PlacementRequest
from edgesim.placement.whole import candidates, graph_of, whole_branch


def replicate(request: PlacementRequest) -> Plan:
    """Place a copy of the model on each candidate.

    The dispatcher sends each request to the copy with the least work ahead, weighed by its speed.

    Raises:
        PlanError: a candidate lacks memory.
    """
    graph = graph_of(request, "replicate")
    nodes = candidates(request)
    return Plan(
        strategy="replicate",
        precision=request.model.precision,
        branches=tuple(whole_branch(request, graph, node) for node in nodes),
        input_node=request.input_node,
        output_node=request.input_node,
        details={"copies": len(nodes)},
    )
