"""A plan prepared for simulation: tasks on servers, transfers over routes, requests in flight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from edgesim.hardware import Cluster, Cost, Node
from edgesim.hardware.message import passage
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.simulate.channels import Route
from edgesim.simulate.flows import Flows
from edgesim.simulate.traffic import Traffic

Path = tuple[float, float, float, float]
"""Seconds of queueing, compute, transfer and fusion along a request's critical path so far."""
START: Path = (0.0, 0.0, 0.0, 0.0)


class Station(Protocol):
    """What tasks use of the server of a node (`edgesim.simulate.server.Server`)."""

    node: Node
    up: bool

    def submit(self, work: Work) -> None:
        """Queue work, or start it."""

    def withdraw(self, work: Work) -> bool:
        """Remove work that waits; return False where it does not wait."""


@dataclass(eq=False, slots=True)
class Missing:
    """What a request goes without.

    Attributes:
        parts: lost tasks and transfers.
        reasons: why parts were given up, by part and node; not what followed from that.
        endings: number of endings that will not come.
    """

    parts: dict[ReadyTask | ReadyTransfer, None] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    endings: int = 0

    def results(self) -> frozenset[str]:
        """Return the names of the tasks whose results did not all arrive."""
        tasks = (part.source if isinstance(part, ReadyTransfer) else part for part in self.parts)
        return frozenset(task.name for task in tasks if task is not None)


class Request:
    """One request in flight; used again for a later one of its branch where nothing failed.

    Attributes:
        index: number of the request, in order of arrival.
        arrival_s: time of its arrival.
        branch: branch that answers it.
        remaining: endings that have not come.
        begins: work that needs no input.
        works: work by the index of its task, made when first needed.
        missing: what it lacks; None while it is whole.
        trouble: what failed of it (`edgesim.simulate.attempts.Trouble`); None while nothing has.
    """

    __slots__ = (
        "arrival_s", "begins", "branch", "index", "missing", "remaining", "trouble", "works",
    )  # fmt: skip

    begins: tuple[Work, ...]

    def __init__(self, branch: ReadyBranch) -> None:
        self.index = 0
        self.arrival_s = 0.0
        self.branch = branch
        self.remaining = branch.endings
        # One for all requests without transfers: nobody writes there.
        tasks = len(branch.tasks) if branch.transfers else 0
        self.works: list[Work | None] = [None] * tasks if tasks else _NO_WORKS
        self.begins = tuple(Work(self, task) for task in branch.roots)
        self.missing: Missing | None = None
        self.trouble: object | None = None

    def mark_missing(self) -> Missing:
        """Make this request a degraded one; return what it lacks."""
        if self.missing is None:
            self.missing = Missing()
        return self.missing

    def waiting_work(self, task: ReadyTask) -> Work:
        """Return the work of a task for one of its inputs, which is asked for once each."""
        work = self.works[task.index]
        if work is None:
            work = self.works[task.index] = Work(self, task)
        if not work.waiting:
            work.waiting = task.inputs
        return work


_NO_WORKS: list[Work | None] = []


class Work:
    """One task of one request, on its way to its server or there.

    Attributes:
        request: request of the task.
        task: the task on its node.
        waiting: number of inputs that have not arrived.
        ready_s: time at which the last of them arrived.
        path: path of the request until then.
    """

    __slots__ = ("path", "ready_s", "request", "task", "waiting")

    def __init__(self, request: Request, task: ReadyTask) -> None:
        self.request = request
        self.task = task
        self.waiting = 0
        self.ready_s = 0.0
        self.path = START

    @property
    def deadline_s(self) -> float:
        """Time by which its request should be answered; infinity without a deadline."""
        return self.request.arrival_s + self.task.deadline_s


class Parcel:
    """One transfer of one request, in transit.

    Attributes:
        transfer: what is sent, and over which route.
        request: request that it belongs to.
        work: task of the request that waits for it; None for an answer.
        sent_s: time at which it was sent.
        path: path of the request until then.
    """

    __slots__ = ("path", "request", "sent_s", "transfer", "work")

    def __init__(
        self,
        transfer: ReadyTransfer,
        request: Request,
        work: Work | None,
        sent_s: float,
        path: Path,
    ) -> None:
        self.transfer = transfer
        self.request = request
        self.work = work
        self.sent_s = sent_s
        self.path = path


@dataclass(eq=False, slots=True)
class ReadyTransfer:
    """A transfer of the plan over its route, or within one node.

    Attributes:
        number: index of the transfer in its branch.
        size: bytes for all samples of a request.
        source: task that sends; None for a request's input.
        target: task that receives; None for its answer.
        source_node: name of the node that sends.
        target_node: name of the node that receives.
        route: None within one node.
        before_s: software of the sender and latency of the route, before the first byte arrives.
        after_s: delay and software of the receiver, after the last byte.
    """

    number: int
    size: float
    source: ReadyTask | None
    target: ReadyTask | None
    source_node: str
    target_node: str
    route: Route | None = None
    before_s: float = 0.0
    after_s: float = 0.0

    def connect(self, flows: Flows, cluster: Cluster) -> None:
        """Find the route between two nodes, and the times before and after the flow."""
        if cluster.network.route(self.source_node, self.target_node) == ():
            return
        self.route = flows.route(self.source_node, self.target_node)
        software = passage(cluster, self.source_node, self.target_node)
        self.before_s, self.after_s = software.before_s(self.size), software.after_s(self.size)

    def task_names(self) -> tuple[str | None, str | None]:
        """Return the names of the tasks at its ends."""
        source, target = self.source, self.target
        return source.name if source else None, target.name if target else None


Departing = tuple[float, tuple[ReadyTransfer, ...]]
"""Seconds until the first bytes leave, and the transfers that start together and share them."""


class ReadyTask:
    """A task of the plan on its server."""

    __slots__ = (
        "computes",
        "cores",
        "cost",
        "deadline_s",
        "fusion",
        "has_parts",
        "index",
        "inputs",
        "last",
        "local",
        "message",
        "name",
        "node",
        "optional",
        "origin",
        "priority",
        "remote",
        "server",
        "share",
        "span_kind",
    )

    def __init__(
        self, index: int, task: Task, server: Station, precision: str, traffic: Traffic
    ) -> None:
        device = server.node.device
        self.index = index
        self.origin = task
        self.name = task.name
        self.server = server
        self.node = server.node.name
        self.fusion = task.kind == "fusion"
        self.message = task.kind == "message"
        self.span_kind = "transfer" if self.message else "fusion" if self.fusion else "compute"
        self.computes = self.span_kind == "compute"
        self.optional = task.optional
        self.priority = task.priority
        self.deadline_s = inf if traffic.deadline_s is None else traffic.deadline_s
        self.cores = task.cores or device.cores
        self.share = self.cores / device.cores
        self.inputs = 0
        self.local: tuple[ReadyTransfer, ...] = ()
        self.remote: tuple[Departing, ...] = ()
        self.last = True
        self.cost = _costs(task, server, precision, traffic.samples)
        self.has_parts = any(cost.by_part_j for cost in self.cost)

    def outputs(self) -> tuple[ReadyTransfer, ...]:
        """Return every transfer that leaves this task, in the order in which they leave."""
        return (*self.local, *(one for _, transfers in self.remote for one in transfers))


def _costs(task: Task, server: Station, precision: str, samples: int) -> tuple[Cost, ...]:
    """Return the cost of executions of 0, 1, ... requests at once, up to the node's batch."""
    device = server.node.device
    batches = range(1, server.node.batch.max + 1)
    nothing = Cost(time_s=0.0, power_w=device.power.idle_w)
    return (nothing, *(task.cost(device, precision, samples, requests) for requests in batches))


class ReadyBranch:
    """One branch of the plan, prepared for simulation.

    Attributes:
        tasks: every task, in the plan's order.
        transfers: every transfer, in the plan's order.
        local: inputs of a request that need no network.
        remote: inputs of a request that cross the network.
        sends: whether a request has inputs.
        roots: tasks that need no input.
        joins: whether a task has more than one input.
        endings: how many endings (tasks without successor, answers) finish a request.
        servers: servers without which a request cannot be answered.
        spare: requests that have ended, to be used again.
        twins: the same branch for the requests of each source, itself among them.
        source: number of the source whose requests it answers.
        load: requests in flight; of all its twins, on the first.
        expected_s: compute time of one request, the weight of ``load``.
    """

    def __init__(
        self,
        branch: Branch,
        plan: Plan,
        cluster: Cluster,
        servers: Mapping[str, Station],
        flows: Flows,
        traffic: Traffic,
        entered: int = 0,
    ) -> None:
        self.source = entered
        self.twins: tuple[ReadyBranch, ...] = (self,)
        tasks = {
            task.name: ReadyTask(index, task, servers[task.node], plan.precision, traffic)
            for index, task in enumerate(branch.tasks)
        }
        where = {task.name: task.node for task in branch.tasks}
        transfers: list[ReadyTransfer] = []
        for transfer in branch.transfers:
            source = tasks[transfer.source] if transfer.source is not None else None
            target = tasks[transfer.target] if transfer.target is not None else None
            ends = plan.ends(transfer, where)
            size = transfer.bytes * traffic.samples
            transfers.append(ReadyTransfer(len(transfers), size, source, target, *ends))
            if target is not None:
                target.inputs += 1
            if source is not None:
                source.last = False
        self.transfers = tuple(transfers)
        self.tasks = tuple(tasks.values())
        self.roots = tuple(task for task in self.tasks if not task.inputs)
        self.joins = any(task.inputs > 1 for task in self.tasks)
        self.endings = sum(task.last for task in self.tasks)
        self.endings += sum(one.target is None for one in self.transfers)
        self.servers = tuple({task.server: None for task in self.tasks if not task.optional})
        self.spare: list[Request] = []
        self.load = 0
        self.expected_s = sum(task.cost[1].time_s for task in self.tasks)
        for one in self.transfers:
            one.connect(flows, cluster)
        self.local, self.remote = _departing(one for one in transfers if one.source is None)
        self.sends = bool(self.local or self.remote)
        for task in self.tasks:
            task.local, task.remote = _departing(one for one in transfers if one.source is task)

    @property
    def next_work_s(self) -> float:
        """The compute time of the requests in flight and of one more."""
        return (self.load + 1) * self.expected_s


def _departing(
    transfers: Iterable[ReadyTransfer],
) -> tuple[tuple[ReadyTransfer, ...], tuple[Departing, ...]]:
    """Return the transfers within one node, and the others by the time until they leave."""
    local: list[ReadyTransfer] = []
    groups: dict[float, list[ReadyTransfer]] = {}
    for one in transfers:
        group = local if one.route is None else groups.setdefault(one.before_s, [])
        group.append(one)
    return tuple(local), tuple((before_s, tuple(group)) for before_s, group in groups.items())
