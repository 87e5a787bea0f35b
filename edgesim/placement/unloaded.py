"""The least latency of one request on an idle cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edgesim.hardware import Cluster, Duplex, Node
from edgesim.placement.plan import Branch, Plan, Task, Transfer

Channel = tuple[str, bool]
"""A link, and the direction in which it is crossed; True where both share its bandwidth."""


def task_s(task: Task, node: Node, precision: str, samples: int, requests: int = 1) -> float:
    """Return the seconds of one execution of a task on ``requests`` requests at once."""
    if task.graph is not None:
        return node.device.graph_cost(task.graph, precision, requests * samples).time_s
    return node.device.flop_cost(task.flop * requests * samples, precision, task.cores).time_s


def core_share(task: Task, node: Node) -> float:
    """Return the share of a node's cores that a task occupies."""
    return (task.cores or node.device.cores) / node.device.cores


def ends_of(transfer: Transfer, where: Mapping[str, str], plan: Plan) -> tuple[str, str]:
    """Return the nodes at the two ends; the same twice, or empty, where nothing travels.

    ``where`` tells the node of each task.
    """
    start = where[transfer.source] if transfer.source is not None else plan.input_node
    end = where[transfer.target] if transfer.target is not None else plan.output_node
    return start or end or "", end or start or ""


def channels(cluster: Cluster, start: str, end: str) -> list[Channel]:
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
    count with their means. A node that batches waits for others in vain: `Node.batch_wait_s`.
    """
    return _Request(branch, plan, cluster, samples).bound_s()


@dataclass(frozen=True, slots=True)
class _Move:
    """A transfer: what precedes its flow (software, latency), the flow, and what follows it."""

    source: str | None
    target: str | None
    size: float
    before_s: float
    flow_s: float
    behind_s: float
    crossed: list[Channel]

    @property
    def total_s(self) -> float:
        """Seconds from the start of sending to the last byte in the receiver's hands."""
        return self.before_s + self.flow_s + self.behind_s


def _move(transfer: Transfer, size: float, ends: tuple[str, str], cluster: Cluster) -> _Move:
    crossed = channels(cluster, *ends)
    before_s = flow_s = behind_s = 0.0
    if ends[0] != ends[1]:
        links = [cluster.network.links[name] for name, _ in crossed]
        sender, receiver = (cluster.nodes[name].device.messaging for name in ends)
        before_s = sender.per_message_s + sender.per_byte_s * size
        before_s += sum(link.latency_s for link in links)
        flow_s = max((size / link.bandwidth_byte_s for link in links), default=inf)
        behind_s = receiver.delay_s + receiver.per_message_s + receiver.per_byte_s * size
    return _Move(transfer.source, transfer.target, size, before_s, flow_s, behind_s, crossed)


class _Request:
    def __init__(self, branch: Branch, plan: Plan, cluster: Cluster, samples: int) -> None:
        self.branch = branch
        self.cluster = cluster
        self.own_s: dict[str, float] = {}
        self.wait_s: dict[str, float] = {}
        for task in branch.tasks:
            node = cluster.nodes[task.node]
            self.own_s[task.name] = task_s(task, node, plan.precision, samples)
            self.wait_s[task.name] = node.batch_wait_s if node.batch_max > 1 else 0.0
        where = {task.name: task.node for task in branch.tasks}
        self.moves = [
            _move(one, one.bytes * samples, ends_of(one, where, plan), cluster)
            for one in branch.transfers
        ]

    def bound_s(self) -> float:
        """Return the bound."""
        start_s = self._starts()
        after_s = self._afters()
        # What each resource has to do: (earliest start, work, least time after).
        jobs: dict[object, list[tuple[float, float, float]]] = {}
        for task in self.branch.tasks:
            node = self.cluster.nodes[task.node]
            own = self.own_s[task.name]
            job = (start_s[task.name], own * core_share(task, node), after_s[task.name])
            jobs.setdefault(task.node, []).append(job)
        bound = max(start_s[name] + own + after_s[name] for name, own in self.own_s.items())
        for move in self.moves:
            if not move.crossed or move.size <= 0.0:
                continue
            begins = move.before_s + self._end(move.source, start_s)
            follows = move.behind_s + self._from(move.target, after_s)
            bound = max(bound, begins + move.flow_s + follows)
            for channel in move.crossed:
                bandwidth = self.cluster.network.links[channel[0]].bandwidth_byte_s
                jobs.setdefault(channel, []).append((begins, move.size / bandwidth, follows))
        for work in jobs.values():
            first = min(job[0] for job in work)
            last = min(job[2] for job in work)
            bound = max(bound, first + sum(job[1] for job in work) + last)
        return bound

    def _starts(self) -> dict[str, float]:
        """Return the earliest start of each task, as if each piece of work were alone."""
        ready_s = dict.fromkeys(self.own_s, 0.0)
        inputs: dict[str | None, list[_Move]] = {}
        for move in self.moves:
            inputs.setdefault(move.target, []).append(move)
        start_s: dict[str, float] = {}
        for task in self.branch.tasks:
            for move in inputs.get(task.name, []):
                arrival_s = self._end(move.source, start_s) + move.total_s
                ready_s[task.name] = max(ready_s[task.name], arrival_s)
            start_s[task.name] = ready_s[task.name] + self.wait_s[task.name]
        return start_s

    def _afters(self) -> dict[str, float]:
        """Return the least time from each task's end to the end of the request."""
        after_s = dict.fromkeys(self.own_s, 0.0)
        outputs: dict[str | None, list[_Move]] = {}
        for move in self.moves:
            outputs.setdefault(move.source, []).append(move)
        for task in reversed(self.branch.tasks):
            for move in outputs.get(task.name, []):
                follows = move.total_s + self._from(move.target, after_s)
                after_s[task.name] = max(after_s[task.name], follows)
        return after_s

    def _end(self, name: str | None, start_s: dict[str, float]) -> float:
        """Return the earliest end of a task; None is the request's input, there from the start."""
        return 0.0 if name is None else start_s[name] + self.own_s[name]

    def _from(self, name: str | None, after_s: dict[str, float]) -> float:
        """Return the least time from a task's last input to the end; None is the answer itself."""
        return 0.0 if name is None else self.wait_s[name] + self.own_s[name] + after_s[name]
