"""Shared by the strategies: candidate nodes, and the branch that runs a whole model on one."""

from __future__ import annotations

from edgesim.common.errors import InputError, PlanError
from edgesim.graph import Graph
from edgesim.hardware import Node
from edgesim.placement.check import lacking, no_precision
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.placement.request import PlacementRequest

_NAMED = 3
"""Idle nodes that a note names at most."""


def graph_of(request: PlacementRequest, strategy: str) -> Graph:
    """Return the model's operators.

    Raises:
        InputError: the model is an explicit task graph, which only ``manual`` places.
    """
    if request.model.graph is None:
        raise InputError(
            f"placement.strategy '{strategy}' places a model of operators; "
            "an explicit task graph needs 'manual'"
        )
    return request.model.graph


def candidates(request: PlacementRequest) -> list[Node]:
    """Return the nodes to place on, in order.

    They are the request's own; else all nodes but those where requests enter and parts are fused,
    and those on standby, as long as others remain.

    Raises:
        PlanError: there is no node.
    """
    names = list(request.nodes)
    if not names:
        apart = {request.input_node, *request.inputs, request.fusion_node, *request.standby}
        names = [name for name in request.cluster.nodes if name not in apart]
    names = names or list(request.cluster.nodes)
    if not names:
        raise PlanError("the scenario has no nodes to place on")
    return [request.cluster.nodes[name] for name in names]


def able(request: PlacementRequest) -> list[Node]:
    """Return the candidates whose device computes in the model's precision.

    Raises:
        PlanError: there is none.
    """
    nodes = candidates(request)
    precision = request.model.precision
    found = [node for node in nodes if precision in node.device.precisions()]
    if not found:
        raise PlanError(no_precision(nodes, precision))
    return found


def idle_notes(plan: Plan, request: PlacementRequest) -> list[str]:
    """Return the sentence that names the candidates that a plan leaves idle; none where none is.

    Nodes that only forward data are not named, nor those beside tasks that are placed by hand. The
    input node is no candidate: of `single`, a sentence says so where it could run the model too.
    """
    if request.model.graph is None:
        return []
    notes: list[str] = []
    if plan.strategy == "single" and not request.nodes and _input_could_run(request, plan):
        notes.append(
            f"single leaves out the input node '{request.input_node}', which could run the model: "
            "name it in placement.nodes to let it"
        )
    network = request.cluster.network
    used = {plan.input_node, plan.output_node, *plan.memory_bytes(), *plan.standby_bytes}
    used.update(plan.inputs)
    for source in plan.sources:
        for branch in source.branches:
            where = {task.name: task.node for task in branch.tasks}
            for transfer in branch.transfers:
                for hop in network.route(*source.ends(transfer, where)) or ():
                    used.update(network.links[hop.link].ends or ())
    nodes = candidates(request)
    idle = [node.name for node in nodes if node.name not in used]
    if not idle:
        return notes
    more = f" and {len(idle) - _NAMED} more" if len(idle) > _NAMED else ""
    compute = "computes" if len(idle) == 1 else "compute"
    note = (
        f"{len(idle)} of {len(request.cluster.nodes)} nodes {compute} nothing: "
        f"{', '.join(idle[:_NAMED])}{more}"
    )
    submodels = request.options.get("submodels")
    if plan.strategy == "class-wise" and submodels is not None:
        note += f"; placement.submodels is {submodels}"
        if (most := min(len(nodes), request.model.classes)) > int(str(submodels)):
            note += f", try --set placement.submodels={most}"
    return [*notes, note]


def _input_could_run(request: PlacementRequest, plan: Plan) -> bool:
    """Whether the input node is none of the plan's, and computes and fits the whole model."""
    node, graph = request.cluster.nodes.get(request.input_node or ""), request.model.graph
    if node is None or graph is None or node.name in plan.memory_bytes():
        return False
    precision = request.model.precision
    fits = lacking(node, held_bytes(graph, node, precision)) is None
    return fits and precision in node.device.precisions()


def held_bytes(graph: Graph, node: Node, precision: str) -> float:
    """Return the bytes that a graph holds on a node: weights, and activations of a full batch."""
    return graph.memory_bytes(precision, node.batch.max)


def whole_branch(request: PlacementRequest, graph: Graph, node: Node) -> Branch:
    """Return the branch that runs the whole model on one node, input to answer."""
    name = request.model.name
    memory = held_bytes(graph, node, request.model.precision)
    task = Task(name=name, node=node.name, graph=graph, memory_bytes=memory)
    transfers = [(None, name, graph.input_elements), (name, None, graph.output_elements)]
    return Branch(tasks=(task,), transfers=request.transfers(transfers))
