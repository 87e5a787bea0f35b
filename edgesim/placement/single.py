"""``single``: the whole model on one node."""

from __future__ import annotations

from edgesim.common.errors import PlanError
from edgesim.graph import BYTES_PER_ELEMENT
from edgesim.hardware.message import passage
from edgesim.placement.check import lacking
from edgesim.placement.plan import Plan
from edgesim.placement.request import ModelKeys, PlacementRequest, takes
from edgesim.placement.whole import able, graph_of, held_bytes, whole_branch


@takes(ModelKeys)
def single(request: PlacementRequest) -> Plan:
    """Place the whole model on the candidate that answers one request soonest.

    Candidates whose memory it does not fit, or that do not compute in its precision, are passed
    over; ties go to the first in order.

    Raises:
        PlanError: it fits on none; the message names the largest and what it lacks.
    """
    graph = graph_of(request, "single")
    precision = request.model.precision
    nodes = able(request)
    lacks = {node.name: lacking(node, held_bytes(graph, node, precision)) for node in nodes}
    fitting = [node for node in nodes if lacks[node.name] is None]
    if not fitting:
        largest = max(nodes, key=lambda one: one.model_memory_bytes)
        raise PlanError(lacks[largest.name])
    input_bytes = request.input_bytes(graph.input_elements)
    answer_bytes = graph.output_elements * BYTES_PER_ELEMENT[precision]

    def answer_s(name: str) -> float:
        node = request.cluster.nodes[name]
        compute_s = request.decoding_s(node) + node.device.graph_cost(graph, precision).time_s
        if request.input_node is None:
            return compute_s
        there = passage(request.cluster, request.input_node, name)
        back = passage(request.cluster, name, request.input_node)
        return there.total_s(input_bytes) + compute_s + back.total_s(answer_bytes)

    chosen = min(fitting, key=lambda node: answer_s(node.name))
    return request.plan("single", (whole_branch(request, graph, chosen),), {"node": chosen.name})
