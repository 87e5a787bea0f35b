"""Whether a plan fits its cluster: memory, routes and precisions."""

from __future__ import annotations

from edgesim.errors import PlanError
from edgesim.hardware import Cluster
from edgesim.placement.plan import Branch, Plan


def verify(plan: Plan, cluster: Cluster) -> None:
    """Check a plan.

    Raises:
        PlanError: a node is unknown, lacks memory or does not compute in the plan's precision, or
            two nodes that must talk have no route between them.
    """
    for branch in plan.branches:
        for task in branch.tasks:
            if task.node not in cluster.nodes:
                raise PlanError(f"task '{task.name}' is placed on '{task.node}', which is no node")
            if task.graph is not None:
                # Raises where the device does not compute in this precision.
                cluster.nodes[task.node].device.graph_cost(task.graph, plan.precision)
        _verify_routes(plan, branch, cluster)
    for node, needed in plan.memory_bytes().items():
        device = cluster.nodes[node].device
        if needed > device.memory_capacity_bytes:
            raise PlanError(lacking(node, device.name, needed, device.memory_capacity_bytes))


def lacking(node: str, device: str, needed: float, capacity: float) -> str:
    """Return the sentence that says how many bytes a node lacks."""
    return (
        f"node '{node}' ({device}) lacks {needed - capacity:,.0f} bytes: the plan holds "
        f"{_size(needed)} of weights and activations there, and it has {_size(capacity)}; "
        "use more or larger nodes, a smaller precision or batch, or a smaller model"
    )


def _verify_routes(plan: Plan, branch: Branch, cluster: Cluster) -> None:
    where = {task.name: task.node for task in branch.tasks}
    for transfer in branch.transfers:
        start = where[transfer.source] if transfer.source is not None else plan.input_node
        end = where[transfer.target] if transfer.target is not None else plan.output_node
        if start is None or end is None:
            continue
        for name in (start, end):
            if name not in cluster.nodes:
                raise PlanError(f"the plan names '{name}', which is no node")
        if cluster.network.route(start, end) is None:
            source, target = transfer.source or "the input", transfer.target or "the answer"
            raise PlanError(
                f"node '{start}' has no route to node '{end}', and {source} → {target} needs one; "
                "add a link or a route between them"
            )


def _size(size: float) -> str:
    for unit, factor in (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10)):
        if size >= factor:
            return f"{size / factor:.2f} {unit}"
    return f"{size:.0f} bytes"
