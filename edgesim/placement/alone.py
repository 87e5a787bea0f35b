"""A plan beside one of its nodes that runs the whole model by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgesim.hardware import Device, Node
from edgesim.placement.plan import Plan
from edgesim.placement.request import PlacementRequest
from edgesim.placement.whole import held_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """One device that runs the whole model, beside the cluster, for one request without a queue.

    Attributes:
        name: name of the device, with that of its runtime where the cluster has it with two.
        device: name of the device.
        latency_s: its time of a request, in seconds, with the data at hand.
        energy_j: its energy in that time, in joules.
        speedup: the cluster's latency over its own.
        energy_ratio: the cluster's energy over its own; None where devices have no power.
    """

    name: str
    device: str
    latency_s: float
    energy_j: float
    speedup: float
    energy_ratio: float | None


def better_alone(
    plan: Plan, request: PlacementRequest, latency_s: float, samples: int = 1
) -> list[Alone]:
    """Return the cluster's devices that are faster or cheaper by themselves, the fastest first.

    Nothing where the plan computes on one node, or runs tasks that are no part of one model.

    Args:
        plan: plan of the model.
        request: its model and cluster.
        latency_s: least latency of a request of the plan, in seconds.
        samples: samples of a request.
    """
    graph, precision = request.model.graph, plan.precision
    used = {task.node for branch in plan.branches for task in branch.tasks}
    if graph is None or len(used) < 2 or not math.isfinite(latency_s) or latency_s <= 0.0:
        return []
    cluster_j = _energy_j(plan, request, latency_s, samples)
    found: list[Alone] = []
    for node in _distinct(request):
        device = node.device
        if held_bytes(graph, node, precision) > node.model_memory_bytes:
            continue
        cost = device.graph_cost(graph, precision, samples)
        energy_j = cost.power_w * cost.time_s
        taken = any(other.device == device.name for other in found)
        one = Alone(
            name=f"{device.name}/{device.runtime}" if taken else device.name,
            device=device.name,
            latency_s=cost.time_s,
            energy_j=energy_j,
            speedup=latency_s / cost.time_s if cost.time_s else math.inf,
            energy_ratio=cluster_j / energy_j if energy_j and cluster_j else None,
        )
        if _notable(one.speedup) or _notable(one.energy_ratio or 1.0):
            found.append(one)
    return sorted(found, key=lambda one: -one.speedup)


def _notable(ratio: float) -> bool:
    return ratio > 1.005


def _distinct(request: PlacementRequest) -> list[Node]:
    """Return the first node of each device that computes a whole model of this precision."""
    found: dict[tuple[str, str], Node] = {}
    for node in request.cluster.nodes.values():
        device: Device = node.device
        # Accelerators are asked for layers that they may not hold; they are no plain alternative.
        if device.kind == "processor" and request.model.precision in device.precisions():
            found.setdefault((device.name, device.runtime), node)
    return list(found.values())


def _energy_j(plan: Plan, request: PlacementRequest, latency_s: float, samples: int) -> float:
    """Return the joules of all nodes while one request of the first branch is served."""
    nodes = request.cluster.nodes
    total_j = math.fsum(node.device.power.idle_w for node in nodes.values()) * latency_s
    for task in plan.branches[0].tasks:
        device = nodes[task.node].device
        cost = task.cost(device, plan.precision, samples)
        total_j += max(0.0, cost.power_w - device.power.idle_w) * cost.time_s
    return total_j
