"""What bounds a plan: the busiest node or link, and the least latency of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edgesim.hardware import Cluster, Duplex, Node
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.placement.travel import travel


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """Bounds of a plan, from mean service times.

    Attributes:
        node_s: seconds that one request occupies each node, at the node's full batch; a node that
            serves a share of the requests counts that share.
        link_s: seconds that one request occupies each link, its busier direction.
        resource: name of the busiest node or link.
        capacity_per_s: requests per second that keep it busy all the time.
        latency_s: of one request on the idle cluster, where no two transfers share a link.
    """

    node_s: Mapping[str, float]
    link_s: Mapping[str, float]
    resource: str
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
        busiest = max((*nodes.values(), *directions.values()), default=0.0)
        capacities.append(1.0 / busiest if busiest > 0.0 else inf)
    shares = _shares(capacities)
    node_s = dict.fromkeys(cluster.nodes, 0.0)
    by_direction: dict[tuple[str, bool], float] = {}
    for share, (nodes, directions) in zip(shares, alone, strict=True):
        for name, seconds in nodes.items():
            node_s[name] += share * seconds
        for way, seconds in directions.items():
            by_direction[way] = by_direction.get(way, 0.0) + share * seconds
    link_s = dict.fromkeys(cluster.network.links, 0.0)
    for (name, _), seconds in by_direction.items():
        link_s[name] = max(link_s[name], seconds)
    occupied = {**link_s, **node_s}
    resource = max(occupied, key=lambda name: occupied[name], default="")
    most = occupied.get(resource, 0.0)
    return Bottleneck(
        node_s=node_s,
        link_s=link_s,
        resource=resource,
        capacity_per_s=1.0 / most if most > 0.0 else inf,
        latency_s=min(_latency(branch, plan, cluster, samples) for branch in plan.branches),
    )


def _shares(capacities: list[float]) -> list[float]:
    if inf in capacities:
        return [1.0 / capacities.count(inf) if one == inf else 0.0 for one in capacities]
    total = sum(capacities)
    return [one / total for one in capacities]


def task_s(task: Task, node: Node, precision: str, samples: int, requests: int = 1) -> float:
    """Return the seconds of one execution of a task on ``requests`` requests at once."""
    if task.graph is not None:
        return node.device.graph_cost(task.graph, precision, requests * samples).time_s
    return node.device.flop_cost(task.flop * requests * samples, precision, task.cores).time_s


def _occupation(
    branch: Branch, plan: Plan, cluster: Cluster, samples: int
) -> tuple[dict[str, float], dict[tuple[str, bool], float]]:
    """Return the seconds of one request on each node and on each direction of each link."""
    nodes: dict[str, float] = {}
    for task in branch.tasks:
        node = cluster.nodes[task.node]
        share = (task.cores or node.device.cores) / node.device.cores
        batch = node.batch_max
        seconds = task_s(task, node, plan.precision, samples, batch) / batch * share
        nodes[task.node] = nodes.get(task.node, 0.0) + seconds
    directions: dict[tuple[str, bool], float] = {}
    where = {task.name: task.node for task in branch.tasks}
    for transfer in branch.transfers:
        start = where[transfer.source] if transfer.source else plan.input_node
        end = where[transfer.target] if transfer.target else plan.output_node
        for hop in cluster.network.route(start or end or "", end or start or "") or ():
            link = cluster.network.links[hop.link]
            way = (hop.link, hop.forward or link.duplex is not Duplex.FULL)
            seconds = transfer.bytes * samples / link.bandwidth_byte_s
            directions[way] = directions.get(way, 0.0) + seconds
    return nodes, directions


def _latency(branch: Branch, plan: Plan, cluster: Cluster, samples: int) -> float:
    """Return the longest path of one request through its tasks and transfers."""
    where = {task.name: task.node for task in branch.tasks}
    ready: dict[str, float] = {}
    done: dict[str, float] = {}
    last = 0.0
    for task in branch.tasks:
        for transfer in branch.transfers:
            if transfer.target == task.name:
                start = where[transfer.source] if transfer.source else plan.input_node
                way = travel(cluster, start or task.node, task.node)
                begun = done[transfer.source] if transfer.source else 0.0
                arrival = begun + way.latency_s(transfer.bytes * samples)
                ready[task.name] = max(ready.get(task.name, 0.0), arrival)
        node = cluster.nodes[task.node]
        own = task_s(task, node, plan.precision, samples)
        done[task.name] = ready.get(task.name, 0.0) + own
        last = max(last, done[task.name])
    for transfer in branch.transfers:
        if transfer.target is None and transfer.source is not None:
            way = travel(cluster, where[transfer.source], plan.output_node or "")
            last = max(last, done[transfer.source] + way.latency_s(transfer.bytes * samples))
    return last
