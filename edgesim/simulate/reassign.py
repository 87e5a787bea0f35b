"""New homes for parts whose node stays down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan
from edgesim.simulate.choices import Choices
from edgesim.simulate.faults import FaultPlayer
from edgesim.simulate.flows import Flows
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.recovery import Reassign
from edgesim.simulate.work import Station, Way

Part = tuple[Way, int]
"""A step: its way, and its number there."""


@dataclass(frozen=True, slots=True, eq=False)
class Shipment:
    """Weights on their way to a new home, and what is called when they are there, or lost."""

    there: Callable[[], None]
    lost: Callable[[], None]


@dataclass(eq=False)
class Mover:
    """Moves the parts of a node that has been down for a while to others that have room.

    Weights leave the node that keeps them all as one flow for each part, which shares links with
    the traffic; when they are there, loading takes its time, and from then on the new home is asked
    while the part's own is down. A part goes to the node that runs the fewest parts and has room,
    the first of several. A new home that fails loses what it was given; a node that answers again
    takes nothing from the new homes of its parts.

    Attributes:
        kernel: the clock.
        plan: whose parts move.
        cluster: nodes and routes.
        servers: of every node.
        flows: over every link.
        choices: where each step of a way can run.
        faults: told what moved.
        reassign: when, from where, and how fast weights are loaded.
        home: node that keeps the weights where ``reassign`` names none.
    """

    kernel: Kernel
    plan: Plan
    cluster: Cluster
    servers: Mapping[str, Station]
    flows: Flows
    choices: Mapping[Way, Choices]
    faults: FaultPlayer
    reassign: Reassign
    home: str
    _homes: dict[Part, str] = field(default_factory=dict)
    _moving: dict[Part, str] = field(default_factory=dict)
    _crashes: Counter[str] = field(default_factory=Counter)
    _held: dict[str, float] = field(init=False)
    _source: str = field(init=False)

    def __post_init__(self) -> None:
        self._held = self.plan.memory_bytes()
        self._source = self.reassign.source or self.home

    def crashed(self, name: str) -> None:
        """Count a node that went down."""
        self._crashes[name] += 1
        for part in [part for part, home in self._homes.items() if home == name]:
            way, index = part
            self.choices[way].remove(index, name, "reassigned")
            self._release(part, self._homes)
            own = way.steps[index].server
            if not own.up:
                self._wait(own.node.name)
        self._wait(name)

    def _wait(self, name: str) -> None:
        crashes = self._crashes[name]
        self.kernel.call_after(self.reassign.after_s, lambda _: self._move_from(name, crashes))

    def _move_from(self, name: str, crashes: int) -> None:
        if self.servers[name].up or self._crashes[name] != crashes:
            return
        for way in self.choices:
            for step in way.steps:
                part = (way, step.index)
                away = part in self._homes or part in self._moving
                movable = not step.fusion and not step.message and not away
                if step.server.node.name == name and movable:
                    self._move(part, name, crashes)

    def _move(self, part: Part, name: str, crashes: int) -> None:
        way, index = part
        task = self.choices[way].tasks[index]
        target = self._roomiest(part, task.memory_bytes)
        if target is None:
            self.faults.tell(task.name, "not reassigned", "no node that is up has room")
            return
        self._moving[part] = target
        self._held[target] = self._held.get(target, 0.0) + task.memory_bytes
        weights = task.memory_bytes
        if task.graph is not None:
            weights = task.graph.weight_bytes(self.plan.precision)
        began_s = self.kernel.time_s
        load_s = weights / self.reassign.load_byte_s
        shipment = Shipment(
            lambda: self._there(part, target, began_s, load_s),
            lambda: self._lost(part, name, crashes),
        )
        if target == self._source:
            shipment.there()
            return
        route = self.flows.route(self._source, target)
        latency_s = route.latency_s + route.extra_s

        def leave(_: object) -> None:
            if self.servers[self._source].up and self.servers[target].up:
                self.flows.begin(route, weights, shipment)
            else:
                shipment.lost()

        self.kernel.call_after(latency_s, leave)

    def _there(self, part: Part, target: str, began_s: float, load_s: float) -> None:
        life = self._crashes[target]
        self.kernel.call_after(load_s, lambda _: self._loaded(part, target, began_s, life))

    def _loaded(self, part: Part, target: str, began_s: float, life: int) -> None:
        way, index = part
        name = way.steps[index].server.node.name
        if self._crashes[target] != life:
            self._lost(part, name, self._crashes[name])
            return
        del self._moving[part]
        self._homes[part] = target
        choices = self.choices[way]
        choices.add(index, self.servers[target], "reassigned")
        took_s = self.kernel.time_s - began_s
        task = choices.tasks[index]
        self.faults.tell(task.name, "reassigned", f"to {target} in {took_s:.3g} s")

    def _lost(self, part: Part, name: str, crashes: int) -> None:
        self._release(part, self._moving)
        if not self.servers[name].up and self._crashes[name] == crashes:
            self._wait(name)

    def _release(self, part: Part, where: dict[Part, str]) -> None:
        way, index = part
        self._held[where.pop(part)] -= self.choices[way].tasks[index].memory_bytes

    def _roomiest(self, part: Part, size: float) -> str | None:
        """Return the node that is up, has room, reaches all, and runs the fewest parts."""
        way, index = part
        choices = self.choices[way]
        taken = [step.server.node.name for one in self.choices for step in one.steps]
        taken += [*self._homes.values(), *self._moving.values()]
        task = choices.tasks[index]
        best: tuple[int, str] | None = None
        for name, node in self.cluster.nodes.items():
            device = node.device
            if not self.servers[name].up or (task.cores or 1) > device.cores:
                continue
            if self._held.get(name, 0.0) + size > device.memory_capacity_bytes:
                continue
            if self.plan.precision not in device.precisions():
                continue
            if self.cluster.network.route(self._source, name) is None:
                continue
            if not choices.reachable(index, name):
                continue
            if best is None or taken.count(name) < best[0]:
                best = (taken.count(name), name)
        return None if best is None else best[1]
