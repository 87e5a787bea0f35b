"""``replicate``: the whole model on every node; each request goes to the least loaded."""

from __future__ import annotations

from edgesim.placement.plan import Plan
from edgesim.placement.request import ModelKeys, PlacementRequest, takes
from edgesim.placement.whole import candidates, graph_of, whole_branch


@takes(ModelKeys)
def replicate(request: PlacementRequest) -> Plan:
    """Place a copy of the model on each candidate.

    The dispatcher sends each request to the copy with the least work ahead, weighed by its speed.

    Raises:
        PlanError: a candidate lacks memory.
    """
    graph = graph_of(request, "replicate")
    nodes = candidates(request)
    branches = tuple(whole_branch(request, graph, node) for node in nodes)
    return request.plan("replicate", branches, {"copies": len(nodes)})
