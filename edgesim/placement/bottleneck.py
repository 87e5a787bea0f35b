"""What bounds a plan: the busiest node or link, and the least latency of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edgesim.hardware import Cluster
from edgesim.placement.plan import Branch, Plan
from edgesim.placement.unloaded import (
    Channel,
    channels,
    core_share,
    ends_of,
    task_s,
    unloaded_latency_s,
)

__all__ = ["Bottleneck", "bottleneck", "task_s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """Bounds of a plan, from mean service times.

    Attributes:
        node_s: seconds that one request occupies each node, at the node's full batch; a node that
            serves a share of the requests counts that share.
        link_s: seconds that one request occupies each link, its busier direction.
        resource: name of the busiest node, link, or machine that nodes share.
        resource_kind: ``node``, ``link`` or ``host``.
        capacity_per_s: requests per second that keep it busy all the time.
        latency_s: lower bound for one request on the idle cluster; see `unloaded_latency_s`.
    """

    node_s: Mapping[str, float]
    link_s: Mapping[str, float]
    resource: str
    resource_kind: str
    capacity_per_s: float
    latency_s: float


def bottleneck(plan: Plan, cluster: Cluster, samples: int = 1) -> Bottleneck:
    """Return the bounds of a plan whose requests carry ``samples`` samples each.

    Replicas share the requests so that none is the only one to be full: each takes them in
    proportion to its own capacity.
    """
    capacities = []
    alone = []
    for branch in plan.branches:
        nodes, directions = _occupation(branch, plan, cluster, samples)
        alone.append((nodes, directions))
        machines = _machines(nodes, cluster)
        busiest = max((*nodes.values(), *machines.values(), *directions.values()), default=0.0)
        capacities.append(1.0 / busiest if busiest > 0.0 else inf)
    shares = _shares(capacities)
    node_s = dict.fromkeys(cluster.nodes, 0.0)
    by_direction: dict[Channel, float] = {}
    for share, (nodes, directions) in zip(shares, alone, strict=True):
        for name, seconds in nodes.items():
            node_s[name] += share * seconds
        for way, seconds in directions.items():
            by_direction[way] = by_direction.get(way, 0.0) + share * seconds
    link_s = dict.fromkeys(cluster.network.links, 0.0)
    for (name, _), seconds in by_direction.items():
        link_s[name] = max(link_s[name], seconds)
    occupied = [(seconds, "node", name) for name, seconds in node_s.items()]
    occupied += [(seconds, "host", name) for name, seconds in _machines(node_s, cluster).items()]
    occupied += [(seconds, "link", name) for name, seconds in link_s.items()]
    most, kind, resource = max(occupied, key=lambda one: one[0], default=(0.0, "node", ""))
    return Bottleneck(
        node_s=node_s,
        link_s=link_s,
        resource=resource,
        resource_kind=kind,
        capacity_per_s=1.0 / most if most > 0.0 else inf,
        latency_s=min(
            unloaded_latency_s(branch, plan, cluster, samples) for branch in plan.branches
        ),
    )


def _machines(node_s: Mapping[str, float], cluster: Cluster) -> dict[str, float]:
    """Return the seconds that one request occupies all cores of each machine that is shared."""
    occupied = dict.fromkeys(cluster.hosts, 0.0)
    for name, seconds in node_s.items():
        node = cluster.nodes[name]
        if node.host is not None:
            occupied[node.host] += seconds * node.device.cores / cluster.hosts[node.host]
    return occupied


def _shares(capacities: list[float]) -> list[float]:
    if inf in capacities:
        return [1.0 / capacities.count(inf) if one == inf else 0.0 for one in capacities]
    total = sum(capacities)
    if total == 0.0:
        # None can serve anything in the range of numbers: no reason to prefer one.
        return [1.0 / len(capacities)] * len(capacities)
    return [one / total for one in capacities]


def _occupation(
    branch: Branch, plan: Plan, cluster: Cluster, samples: int
) -> tuple[dict[str, float], dict[Channel, float]]:
    """Return the seconds of one request on each node and on each direction of each link."""
    nodes: dict[str, float] = {}
    for task in branch.tasks:
        node = cluster.nodes[task.node]
        batch = node.batch_max
        seconds = task_s(task, node, plan.precision, samples, batch) / batch
        seconds *= core_share(task, node)
        nodes[task.node] = nodes.get(task.node, 0.0) + seconds
    directions: dict[Channel, float] = {}
    where = {task.name: task.node for task in branch.tasks}
    for transfer in branch.transfers:
        for channel in channels(cluster, *ends_of(transfer, where, plan)):
            bandwidth = cluster.network.links[channel[0]].bandwidth_byte_s
            seconds = transfer.bytes * samples / bandwidth
            directions[channel] = directions.get(channel, 0.0) + seconds
    return nodes, directions
