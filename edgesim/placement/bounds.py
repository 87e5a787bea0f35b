"""Bounds of a plan: the busiest node or link, and the least latency of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edgesim.hardware import Cluster, Duplex, Node
from edgesim.hardware.message import Passage, passage
from edgesim.placement.plan import Branch, Plan, Task

Channel = tuple[str, bool]
"""A link, and the direction in which it is crossed; True where both share its bandwidth."""


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
    proportion to its own capacity. Of several sources, each has the same share of the requests.
    """
    capacities = []
    alone = []
    for branch in plan.branches:
        nodes, directions = _mean_occupation(branch, plan, cluster, samples)
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
        for channel, seconds in directions.items():
            by_direction[channel] = by_direction.get(channel, 0.0) + share * seconds
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
            unloaded_latency_s(branch, source, cluster, samples)
            for source in plan.sources
            for branch in source.branches
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


def _mean_occupation(
    branch: Branch, plan: Plan, cluster: Cluster, samples: int
) -> tuple[dict[str, float], dict[Channel, float]]:
    """Return the occupation of a mean request; as many come from each source."""
    nodes, directions = _occupation(branch, plan, cluster, samples)
    sources = plan.sources
    if len(sources) > 1:
        directions = {}
        for source in sources:
            for channel, seconds in _occupation(branch, source, cluster, samples)[1].items():
                directions[channel] = directions.get(channel, 0.0) + seconds / len(sources)
    return nodes, directions


def _occupation(
    branch: Branch, plan: Plan, cluster: Cluster, samples: int
) -> tuple[dict[str, float], dict[Channel, float]]:
    """Return the seconds of one request on each node and on each direction of each link."""
    nodes: dict[str, float] = {}
    for task in branch.tasks:
        node = cluster.nodes[task.node]
        batch = node.batch.max
        seconds = task.cost(node.device, plan.precision, samples, batch).time_s / batch
        seconds *= _core_share(task, node)
        nodes[task.node] = nodes.get(task.node, 0.0) + seconds
    directions: dict[Channel, float] = {}
    where = {task.name: task.node for task in branch.tasks}
    for transfer in branch.transfers:
        for channel in _channels(cluster, *plan.ends(transfer, where)):
            bandwidth = cluster.network.links[channel[0]].bandwidth_byte_s
            seconds = transfer.bytes * samples / bandwidth
            directions[channel] = directions.get(channel, 0.0) + seconds
    return nodes, directions


def _core_share(task: Task, node: Node) -> float:
    """Return the share of a node's cores that a task occupies."""
    return (task.cores or node.device.cores) / node.device.cores


def _channels(cluster: Cluster, start: str, end: str) -> list[Channel]:
    """Return what a transfer between two nodes crosses."""
    links = cluster.network.links
    hops = cluster.network.route(start, end) or ()
    return [(hop.link, hop.forward or links[hop.link].duplex is not Duplex.FULL) for hop in hops]


def unloaded_latency_s(branch: Branch, plan: Plan, cluster: Cluster, samples: int = 1) -> float:
    """Return a lower bound of the seconds that one request takes on an idle cluster.

    It is the largest of

    - the longest path through tasks and transfers, each as if it were alone, and
    - for each node and link direction, all the work that one request has for it, after the least
      time in which the first of it can be there, and before the least that follows the last of it
      (the one-machine bound of shop scheduling: Carlier, EJOR 11, 1982).

    It is the latency itself where a request's work meets no other of its own, as in a pipeline,
    or meets it at once, as the copies of an input that leave one node together. Service times
    count with their means. A node that batches waits the whole `Batch.wait_s`: no other request
    comes.
    """
    return _Request(branch, plan, cluster, samples).bound_s()


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A transfer of ``size`` bytes, by itself."""

    source: str | None
    target: str | None
    size: float
    passage: Passage
    crossed: list[Channel]

    @property
    def total_s(self) -> float:
        """Seconds of the transfer, alone on the network."""
        return self.passage.total_s(self.size)


class _Request:
    def __init__(self, branch: Branch, plan: Plan, cluster: Cluster, samples: int) -> None:
        self.branch = branch
        self.cluster = cluster
        self.own_s: dict[str, float] = {}
        self.wait_s: dict[str, float] = {}
        for task in branch.tasks:
            node = cluster.nodes[task.node]
            self.own_s[task.name] = task.cost(node.device, plan.precision, samples).time_s
            self.wait_s[task.name] = node.batch.wait_s if node.batch.max > 1 else 0.0
        where = {task.name: task.node for task in branch.tasks}
        self.transfers = []
        for one in branch.transfers:
            ends = plan.ends(one, where)
            crossed = _channels(cluster, *ends)
            message = passage(cluster, *ends)
            size = one.bytes * samples
            self.transfers.append(_Transfer(one.source, one.target, size, message, crossed))

    def bound_s(self) -> float:
        """Return the bound."""
        start_s = self._starts()
        after_s = self._afters()
        # What each resource has to do: (earliest start, work, least time after).
        jobs: dict[object, list[tuple[float, float, float]]] = {}
        for task in self.branch.tasks:
            node = self.cluster.nodes[task.node]
            own = self.own_s[task.name]
            job = (start_s[task.name], own * _core_share(task, node), after_s[task.name])
            jobs.setdefault(task.node, []).append(job)
        bound = max(start_s[name] + own + after_s[name] for name, own in self.own_s.items())
        for transfer in self.transfers:
            if not transfer.crossed or transfer.size <= 0.0:
                continue
            begins = transfer.passage.before_s(transfer.size) + self._end(transfer.source, start_s)
            follows = transfer.passage.after_s(transfer.size) + self._from(transfer.target, after_s)
            bound = max(bound, begins + transfer.passage.flow_s(transfer.size) + follows)
            for channel in transfer.crossed:
                bandwidth = self.cluster.network.links[channel[0]].bandwidth_byte_s
                jobs.setdefault(channel, []).append((begins, transfer.size / bandwidth, follows))
        for work in jobs.values():
            first = min(job[0] for job in work)
            last = min(job[2] for job in work)
            bound = max(bound, first + sum(job[1] for job in work) + last)
        return bound

    def _starts(self) -> dict[str, float]:
        """Return the earliest start of each task, as if each piece of work were alone."""
        ready_s = dict.fromkeys(self.own_s, 0.0)
        inputs: dict[str | None, list[_Transfer]] = {}
        for transfer in self.transfers:
            inputs.setdefault(transfer.target, []).append(transfer)
        start_s: dict[str, float] = {}
        for task in self.branch.tasks:
            for transfer in inputs.get(task.name, []):
                arrival_s = self._end(transfer.source, start_s) + transfer.passage.total_s(
                    transfer.size
                )
                ready_s[task.name] = max(ready_s[task.name], arrival_s)
            start_s[task.name] = ready_s[task.name] + self.wait_s[task.name]
        return start_s

    def _afters(self) -> dict[str, float]:
        """Return the least time from each task's end to the end of the request."""
        after_s = dict.fromkeys(self.own_s, 0.0)
        outputs: dict[str | None, list[_Transfer]] = {}
        for transfer in self.transfers:
            outputs.setdefault(transfer.source, []).append(transfer)
        for task in reversed(self.branch.tasks):
            for transfer in outputs.get(task.name, []):
                follows = transfer.total_s + self._from(transfer.target, after_s)
                after_s[task.name] = max(after_s[task.name], follows)
        return after_s

    def _end(self, name: str | None, start_s: dict[str, float]) -> float:
        """Return the earliest end of a task; None is the request's input, there from the start."""
        return 0.0 if name is None else start_s[name] + self.own_s[name]

    def _from(self, name: str | None, after_s: dict[str, float]) -> float:
        """Return the least time from a task's last input to the end; None is the answer itself."""
        return 0.0 if name is None else self.wait_s[name] + self.own_s[name] + after_s[name]
