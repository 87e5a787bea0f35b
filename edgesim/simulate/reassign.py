"""New nodes for parts whose own node stays down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan
from edgesim.simulate.choices import Choices
from edgesim.simulate.faults import FaultInjector
from edgesim.simulate.flows import Flows
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.recovery import Reassign
from edgesim.simulate.work import ReadyBranch, Station

Part = tuple[ReadyBranch, int]
"""A task: its branch, and its index there."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightTransfer:
    """Weights in transit to a new node, and what is called when they arrive, or are lost."""

    delivered: Callable[[], None]
    lost: Callable[[], None]


@dataclass(eq=False)
class Reassigner:
    """Moves the parts of a node that has been down for a while to others that have memory.

    The weights of each part are one flow from the node that keeps all weights; it shares links
    with the traffic. Then they are loaded, and from then on the new node is asked while the part's
    own is down. A part moves to the node that runs the fewest parts and has memory for it, the
    first of several. A new node that crashes loses the parts that were moved to it. A node that
    answers again leaves the new nodes of its parts as they are.

    Attributes:
        kernel: the clock.
        plan: plan of the parts.
        cluster: nodes and routes.
        servers: server of every node.
        flows: flows over every link.
        choices: where each task of a branch can run.
        faults: record of what moved.
        reassign: when parts move, from where, and how fast weights are loaded.
        default_source: node that keeps the weights where ``reassign`` names none.
    """

    kernel: Kernel
    plan: Plan
    cluster: Cluster
    servers: Mapping[str, Station]
    flows: Flows
    choices: Mapping[ReadyBranch, Choices]
    faults: FaultInjector
    reassign: Reassign
    default_source: str
    _moved: dict[Part, str] = field(default_factory=dict)
    _moving: dict[Part, str] = field(default_factory=dict)
    _crashes: Counter[str] = field(default_factory=Counter)
    _held: dict[str, float] = field(init=False)
    _source: str = field(init=False)

    def __post_init__(self) -> None:
        self._held = self.plan.memory_bytes()
        self._source = self.reassign.source or self.default_source

    def crashed(self, name: str) -> None:
        """Count a node that went down."""
        self._crashes[name] += 1
        for part in [part for part, new in self._moved.items() if new == name]:
            branch, index = part
            for twin in branch.twins:
                self.choices[twin].remove(index, name, "reassigned")
            self._release(part, self._moved)
            own = branch.tasks[index].server
            if not own.up:
                self._wait(own.node.name)
        self._wait(name)

    def _wait(self, name: str) -> None:
        crashes = self._crashes[name]
        self.kernel.call_after(self.reassign.after_s, lambda _: self._move_all(name, crashes))

    def _move_all(self, name: str, crashes: int) -> None:
        if self.servers[name].up or self._crashes[name] != crashes:
            return
        for branch in self.choices:
            # A part is one thing, whichever source its requests come from.
            for task in branch.tasks if branch.source == 0 else ():
                part = (branch, task.index)
                moved = part in self._moved or part in self._moving
                movable = not task.fusion and not task.message and not moved
                if task.server.node.name == name and movable:
                    self._move(part, name, crashes)

    def _move(self, part: Part, name: str, crashes: int) -> None:
        branch, index = part
        task = self.choices[branch].tasks[index]
        target = self._least_used(part, task.memory_bytes)
        if target is None:
            self.faults.record(task.name, "not reassigned", "no node that is up has room")
            return
        self._moving[part] = target
        self._held[target] = self._held.get(target, 0.0) + task.memory_bytes
        weights = task.memory_bytes
        if task.graph is not None:
            weights = task.graph.weight_bytes(self.plan.precision)
        began_s = self.kernel.time_s
        load_s = weights / self.reassign.load_byte_s
        transfer = WeightTransfer(
            lambda: self._delivered(part, target, began_s, load_s),
            lambda: self._lost(part, name, crashes),
        )
        if target == self._source:
            transfer.delivered()
            return
        route = self.flows.route(self._source, target)
        latency_s = route.latency_s + route.extra_s

        def leave(_: object) -> None:
            if self.servers[self._source].up and self.servers[target].up:
                self.flows.begin(route, weights, transfer)
            else:
                transfer.lost()

        self.kernel.call_after(latency_s, leave)

    def _delivered(self, part: Part, target: str, began_s: float, load_s: float) -> None:
        crashes = self._crashes[target]
        self.kernel.call_after(load_s, lambda _: self._loaded(part, target, began_s, crashes))

    def _loaded(self, part: Part, target: str, began_s: float, crashes: int) -> None:
        branch, index = part
        name = branch.tasks[index].server.node.name
        if self._crashes[target] != crashes:
            self._lost(part, name, self._crashes[name])
            return
        del self._moving[part]
        self._moved[part] = target
        for twin in branch.twins:
            self.choices[twin].add(index, self.servers[target], "reassigned")
        took_s = self.kernel.time_s - began_s
        task = self.choices[branch].tasks[index]
        self.faults.record(task.name, "reassigned", f"to {target} in {took_s:.3g} s")

    def _lost(self, part: Part, name: str, crashes: int) -> None:
        self._release(part, self._moving)
        if not self.servers[name].up and self._crashes[name] == crashes:
            self._wait(name)

    def _release(self, part: Part, where: dict[Part, str]) -> None:
        branch, index = part
        self._held[where.pop(part)] -= self.choices[branch].tasks[index].memory_bytes

    def _least_used(self, part: Part, size: float) -> str | None:
        """Return the node that is up, has memory and routes, and runs the fewest parts."""
        branch, index = part
        choices = self.choices[branch]
        first = (one for one in self.choices if one.source == 0)
        running = [task.server.node.name for one in first for task in one.tasks]
        running += [*self._moved.values(), *self._moving.values()]
        task = choices.tasks[index]
        best: tuple[int, str] | None = None
        for name, node in self.cluster.nodes.items():
            device = node.device
            if not self.servers[name].up or (task.cores or 1) > device.cores:
                continue
            if self._held.get(name, 0.0) + size > node.model_memory_bytes:
                continue
            if self.plan.precision not in device.precisions():
                continue
            if task.decoding is not None and not task.decoding.is_known(device):
                continue
            if self.cluster.network.route(self._source, name) is None:
                continue
            if not choices.reachable(index, name):
                continue
            if best is None or running.count(name) < best[0]:
                best = (running.count(name), name)
        return None if best is None else best[1]
