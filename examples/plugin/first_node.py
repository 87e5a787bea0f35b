"""A placement strategy: the whole model on the first candidate, however slow it is."""

from edgesim.common.errors import PlanError
from edgesim.placement import PlacementRequest, Plan
from edgesim.placement.plan import Branch, Task, Transfer


def first_node(request: PlacementRequest) -> Plan:
    """Place the whole model on the first of ``placement.nodes``."""
    model, graph = request.model, request.model.graph
    if graph is None:
        raise PlanError("first-node places a model, and this scenario has a task graph")
    names = request.nodes or tuple(request.cluster.nodes)
    task = Task(
        name="model",
        node=names[0],
        graph=graph,
        memory_bytes=graph.memory_bytes(model.precision),
    )
    transfers: tuple[Transfer, ...] = ()
    if request.input_node is not None:
        transfers = (
            Transfer(source=None, target="model", bytes=4.0 * graph.input_elements),
            Transfer(source="model", target=None, bytes=4.0 * graph.output_elements),
        )
    return Plan(
        strategy="first-node",
        precision=model.precision,
        branches=(Branch(tasks=(task,), transfers=transfers),),
        input_node=request.input_node,
        output_node=request.input_node,
    )
