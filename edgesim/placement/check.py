"""Checks of a plan against its cluster: memory, routes, precisions and cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, isfinite

from edgesim.common.errors import InputError, PlanError, nearest
from edgesim.hardware import Cluster, Node
from edgesim.placement.plan import Branch, Plan, Task

_NAMED = 5
"""Nodes that one message names at most."""
_ADVICE = "use more or larger nodes, a smaller precision or batch, or a smaller model"


def verify(plan: Plan, cluster: Cluster) -> None:
    """Check a plan, a plug-in's as well as our own.

    Raises:
        PlanError: a node is unknown, lacks memory, does not compute in the plan's precision or
            has fewer cores than a task asks for; two nodes that must talk have no route between
            them; or the plan itself is broken (no task, two of one name, tasks before those that
            they wait for, a transfer of an unknown task or of an impossible size).
    """
    if not plan.branches:
        raise PlanError(f"strategy '{plan.strategy}' made a plan without a branch")
    ran: set[tuple[int, int]] = set()
    for branch in plan.branches:
        _verify_order(branch)
        for task in branch.tasks:
            node = _node(f"task '{task.name}' is placed on", task.node, cluster)
            _verify_task(task, node, plan.precision, ran)
        for source in plan.sources:
            _verify_routes(source, branch, cluster)
    _verify_memory(plan, cluster)


def no_precision(nodes: Sequence[Node], precision: str) -> str:
    """Return the sentence that says which nodes do not compute in a precision, but in others."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for node in nodes:
        alike.setdefault((node.device.name, node.device.precisions()), []).append(node.name)
    reasons = [
        f"node '{names[0]}' ({device}{f'; {len(names) - 1} more like it' if names[1:] else ''}) "
        f"does not compute in {precision}, only in {', '.join(has)}"
        for (device, has), names in alike.items()
    ]
    return (
        f"{'; '.join(reasons[:_NAMED])}{_more(len(reasons))}; set model.precision, or other devices"
    )


def lacking(node: Node, needed: float) -> str | None:
    """Return the sentence that says how many bytes a node lacks; None where they fit."""
    lack = _lack(node, needed)
    return None if lack is None else f"{lack}; {_ADVICE}"


def size_text(size: float) -> str:
    """Return a number of bytes in the largest binary unit that it fills."""
    for unit, factor in (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10)):
        if size >= factor:
            return f"{size / factor:.2f} {unit}"
    return f"{size:.0f} bytes"


def exact_text(size: float) -> str:
    """Return whole bytes, and above a KiB the same in a larger unit too."""
    # Half a byte too many is one byte too many.
    text = f"{ceil(size):,} bytes"
    return f"{text} ({size_text(size)})" if size >= 2.0**10 else text


def _lack(node: Node, needed: float) -> str | None:
    capacity = node.model_memory_bytes
    if needed <= capacity:
        return None
    reserved = node.device.memory_capacity_bytes - capacity
    left = f" left beside a reserve of {size_text(reserved)}" if reserved else ""
    return (
        f"node '{node.name}' ({node.device.name}) lacks {exact_text(needed - capacity)}: the plan "
        f"holds {size_text(needed)} of weights and activations there, and it has "
        f"{size_text(capacity)}{left}"
    )


def _more(count: int) -> str:
    more = count - _NAMED
    return f"; and {more} more node{'s' if more > 1 else ''}" if more > 0 else ""


def _node(what: str, name: str, cluster: Cluster) -> Node:
    if name not in cluster.nodes:
        hint = nearest(name, list(cluster.nodes))
        raise PlanError(f"{what} '{name}', and no node has that name{hint}")
    return cluster.nodes[name]


def _verify_order(branch: Branch) -> None:
    """Check names, and that every task stands after those whose results it needs."""
    if not branch.tasks:
        raise PlanError("the plan has a branch without tasks")
    position: dict[str, int] = {}
    for index, task in enumerate(branch.tasks):
        if task.name in position:
            raise PlanError(f"two tasks of one branch are named '{task.name}'")
        position[task.name] = index
    for transfer in branch.transfers:
        title = f"transfer {transfer.source or 'the input'} → {transfer.target or 'the answer'}"
        for end in (transfer.source, transfer.target):
            if end is not None and end not in position:
                raise PlanError(f"{title}: no task is named '{end}'{nearest(end, list(position))}")
        if transfer.source is None and transfer.target is None:
            raise PlanError(f"{title}: expected a task at one end at least")
        if not (isfinite(transfer.bytes) and transfer.bytes >= 0.0):
            raise PlanError(f"{title}: expected 0 bytes or more, got {transfer.bytes}")
        if transfer.source is not None and transfer.target is not None:
            before, after = position[transfer.source], position[transfer.target]
            if before >= after:
                raise PlanError(
                    f"{title}: '{transfer.target}' stands before '{transfer.source}', "
                    "whose result it needs; tasks must be in topological order"
                )


def _verify_task(task: Task, node: Node, precision: str, ran: set[tuple[int, int]]) -> None:
    """Check that a node can run a task."""
    device = node.device
    for what, value in (("flop", task.flop), ("memory_bytes", task.memory_bytes)):
        if not (isfinite(value) and value >= 0.0):
            raise PlanError(f"task '{task.name}': expected {what} of 0 or more, got {value}")
    if task.cores is not None and not 1 <= task.cores <= device.cores:
        raise PlanError(
            f"task '{task.name}' asks for {task.cores} cores of node '{node.name}' "
            f"({device.name}), which has {device.cores}"
        )
    if precision not in device.precisions():
        raise PlanError(no_precision([node], precision))
    if task.graph is None or (id(device), id(task.graph)) in ran:
        return
    ran.add((id(device), id(task.graph)))
    try:
        task.cost(device, precision, 1)
    except InputError as error:
        raise PlanError(f"node '{node.name}' cannot run '{task.name}': {error}") from None


def _verify_routes(plan: Plan, branch: Branch, cluster: Cluster) -> None:
    where = {task.name: task.node for task in branch.tasks}
    for transfer in branch.transfers:
        start, end = plan.ends(transfer, where)
        _node("requests enter at", start, cluster)
        _node("answers go to", end, cluster)
        if cluster.network.route(start, end) is None:
            source, target = transfer.source or "the input", transfer.target or "the answer"
            raise PlanError(
                f"node '{start}' has no route to node '{end}', and {source} → {target} needs one; "
                "add a link or a route between them"
            )


def _verify_memory(plan: Plan, cluster: Cluster) -> None:
    found = (_lack(cluster.nodes[name], needed) for name, needed in plan.memory_bytes().items())
    lacks = [lack for lack in found if lack is not None]
    if lacks:
        raise PlanError(f"{'; '.join(lacks[:_NAMED])}{_more(len(lacks))}; {_ADVICE}")


def with_standby(plan: Plan, cluster: Cluster, standby: Sequence[str]) -> Plan:
    """Return a plan with the bytes that copies of its parts hold on each standby node, checked.

    A standby has a copy of every part that it does not run itself; the fusion has none.

    Raises:
        PlanError: one lacks memory, or does not compute in the plan's precision.
    """
    own = plan.memory_bytes()
    held: dict[str, float] = {}
    for name in standby:
        node = cluster.nodes[name]
        if plan.precision not in node.device.precisions():
            raise PlanError(no_precision([node], plan.precision))
        copies = {
            (task.name, task.memory_bytes)
            for branch in plan.branches
            for task in branch.tasks
            if task.kind == "compute" and task.node != name
        }
        held[name] = sum(size for _, size in sorted(copies))
        lack = lacking(node, own.get(name, 0.0) + held[name])
        if lack is not None:
            raise PlanError(lack)
        for task in (task for branch in plan.branches for task in branch.tasks if task.decoding):
            _verify_task(task, node, plan.precision, set())
    return replace(plan, standby_bytes=held)
