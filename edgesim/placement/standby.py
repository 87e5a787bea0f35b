"""Copies of parts on standby nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgesim.common.errors import PlanError
from edgesim.hardware import Cluster
from edgesim.placement.check import lacking, no_precision
from edgesim.placement.plan import Plan


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
        needed = own.get(name, 0.0) + held[name]
        capacity = node.device.memory_capacity_bytes
        if needed > capacity:
            raise PlanError(lacking(name, node.device.name, needed, capacity))
    return replace(plan, standby_bytes=held)
