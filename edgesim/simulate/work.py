"""A plan made ready to play: steps on servers, moves over routes, and the requests in flight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edgesim.hardware import Cluster, Cost, Node
from edgesim.hardware.message import passage
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.simulate.flows import Flows
from edgesim.simulate.routes import Route

Path = tuple[float, float, float, float]
"""Seconds of queueing, compute, transfer and fusion along a request's critical path so far."""


class Station(Protocol):
    """Where steps run: what a plan needs of `edgesim.simulate.server.Server`."""

    node: Node
    up: bool

    def submit(self, work: Work) -> None:
        """Queue work, or start it."""

    def withdraw(self, work: Work) -> bool:
        """Take work back that waits; return False where it does not."""


@dataclass(eq=False, slots=True)
class Missing:
    """What a request goes without: lost steps and moves, and endings that will not come."""

    parts: dict[Step | Move, None] = field(default_factory=dict)
    endings: int = 0

    def results(self) -> frozenset[str]:
        """Return the names of the steps whose results did not all arrive."""
        steps = (part.source if isinstance(part, Move) else part for part in self.parts)
        return frozenset(step.name for step in steps if step is not None)


class Request:
    """One request in flight."""

    __slots__ = ("arrival_s", "index", "missing", "over", "remaining", "waiting", "way")

    def __init__(self, index: int, arrival_s: float, way: Way) -> None:
        self.index = index
        self.arrival_s = arrival_s
        self.way = way
        self.remaining = way.ends
        # Inputs that each step still waits for; a list of its own only where steps join inputs.
        self.waiting = way.inputs.copy() if way.joins else way.inputs
        self.over = False
        self.missing: Missing | None = None
        """What it goes without; None while it is whole."""

    def mark_missing(self) -> Missing:
        """Make this request a degraded one; return what it goes without."""
        if self.missing is None:
            self.missing = Missing()
        return self.missing


class Work:
    """One step of one request, on its server."""

    # One for each execution: a constructor that is written out is faster than a dataclass's.
    __slots__ = ("path", "ready_s", "request", "task")

    def __init__(self, request: Request, task: Step, ready_s: float, path: Path) -> None:
        self.request = request
        self.task = task
        self.ready_s = ready_s
        self.path = path


@dataclass(eq=False, slots=True)
class Move:
    """A transfer of the plan: over a route, or a hand-over within one node.

    Attributes:
        size: bytes for all samples of a request.
        source: step that sends; None for a request's input.
        target: step that receives; None for its answer.
        source_node: name of the node that sends.
        target_node: name of the node that receives.
        route: None within one node.
        before_s: the sender's software and the route's latency, ahead of the first byte.
        after_s: the receiver's delay and software, after the last one.
    """

    size: float
    source: Step | None
    target: Step | None
    source_node: str
    target_node: str
    route: Route | None = None
    before_s: float = 0.0
    after_s: float = 0.0

    def connect(self, flows: Flows, cluster: Cluster) -> None:
        """Find the route between two nodes, and what precedes and follows the flow."""
        if cluster.network.route(self.source_node, self.target_node) == ():
            return
        self.route = flows.route(self.source_node, self.target_node)
        way = passage(cluster, self.source_node, self.target_node)
        self.before_s, self.after_s = way.before_s(self.size), way.after_s(self.size)

    def tasks(self) -> tuple[str | None, str | None]:
        """Return the names of the tasks at its ends."""
        source, target = self.source, self.target
        return source.name if source else None, target.name if target else None


Fan = tuple[float, tuple[Move, ...]]
"""Moves that start together and whose first bytes leave together, that many seconds later."""


class Step:
    """A task of the plan on its server."""

    __slots__ = (
        "cores",
        "cost",
        "fan",
        "fusion",
        "index",
        "inputs",
        "last",
        "local",
        "message",
        "name",
        "optional",
        "priority",
        "server",
        "share",
        "span_kind",
        "tells_parts",
    )

    def __init__(
        self, index: int, task: Task, server: Station, precision: str, samples: int
    ) -> None:
        device = server.node.device
        self.index = index
        self.name = task.name
        self.server = server
        self.fusion = task.kind == "fusion"
        self.message = task.kind == "message"
        self.span_kind = "transfer" if self.message else "fusion" if self.fusion else "compute"
        self.optional = task.optional
        self.priority = task.priority
        self.cores = task.cores or device.cores
        self.share = self.cores / device.cores
        self.inputs = 0
        self.local: tuple[Move, ...] = ()
        self.fan: tuple[Fan, ...] = ()
        self.last = True
        self.cost = _costs(task, server, precision, samples)
        self.tells_parts = any(cost.by_part_j for cost in self.cost)

    def moves(self) -> tuple[Move, ...]:
        """Return every transfer that leaves this step."""
        return (*self.local, *(move for _, moves in self.fan for move in moves))


def _costs(task: Task, server: Station, precision: str, samples: int) -> tuple[Cost, ...]:
    """Return the cost of executions of 0, 1, ... requests at once, up to the node's batch."""
    device = server.node.device
    batches = range(1, server.node.batch.max + 1)
    nothing = Cost(time_s=0.0, power_w=device.power.idle_w)
    return (nothing, *(task.cost(device, precision, samples, requests) for requests in batches))


class Way:
    """One branch of the plan, ready to play.

    Attributes:
        moves: every transfer.
        local: inputs that are at hand on the input node.
        fan: inputs that travel.
        roots: steps that need no input.
        inputs: how many inputs each step waits for.
        joins: steps that wait for more than one.
        ends: how many endings (steps without successor, answers) finish a request.
        servers: those without which a request cannot be answered.
        load: requests in flight.
        expected_s: compute time of one request, to weigh the load by.
    """

    def __init__(
        self,
        branch: Branch,
        plan: Plan,
        cluster: Cluster,
        servers: Mapping[str, Station],
        flows: Flows,
        samples: int,
    ) -> None:
        steps = {
            task.name: Step(index, task, servers[task.node], plan.precision, samples)
            for index, task in enumerate(branch.tasks)
        }
        where = {task.name: task.node for task in branch.tasks}
        moves: list[Move] = []
        for transfer in branch.transfers:
            source = steps[transfer.source] if transfer.source is not None else None
            target = steps[transfer.target] if transfer.target is not None else None
            ends = plan.ends(transfer, where)
            moves.append(Move(transfer.bytes * samples, source, target, *ends))
            if target is not None:
                target.inputs += 1
            if source is not None:
                source.last = False
        self.moves = tuple(moves)
        self.steps = tuple(steps.values())
        self.roots = tuple(step for step in self.steps if not step.inputs)
        self.inputs = [step.inputs for step in self.steps]
        self.joins = tuple(step for step in self.steps if step.inputs > 1)
        self.ends = sum(step.last for step in self.steps)
        self.ends += sum(move.target is None for move in self.moves)
        self.servers = tuple({step.server: None for step in self.steps if not step.optional})
        self.load = 0
        self.expected_s = sum(step.cost[1].time_s for step in self.steps)
        for move in self.moves:
            move.connect(flows, cluster)
        self.local, self.fan = _fan([move for move in self.moves if move.source is None])
        for step in self.steps:
            step.local, step.fan = _fan([move for move in self.moves if move.source is step])


def _fan(moves: list[Move]) -> tuple[tuple[Move, ...], tuple[Fan, ...]]:
    groups: dict[float, list[Move]] = {}
    for move in moves:
        if move.route is not None:
            groups.setdefault(move.before_s, []).append(move)
    local = tuple(move for move in moves if move.route is None)
    return local, tuple((before_s, tuple(group)) for before_s, group in groups.items())
