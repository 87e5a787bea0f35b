"""Fault injection: when nodes and links fail, how long they are down, and the record of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import gamma

import numpy as np

from edgesim.hardware import Cluster, Fault, FaultKind, Faults, Node
from edgesim.simulate.flows import Flows
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.power import Charge, Meter, Throttle
from edgesim.simulate.recording import FaultEvent, TargetFaults
from edgesim.simulate.routes import LinkState, Port
from edgesim.simulate.server import Server
from edgesim.simulate.streams import stream
from edgesim.simulate.work import Work


def can_fail(cluster: Cluster) -> bool:
    """Return whether anything of a cluster can fail, slow down, or lose something."""
    if cluster.faults:
        return True
    if any(link.faults is not None or link.loss > 0.0 for link in cluster.network.links.values()):
        return True
    return any(
        node.faults is not None or node.exhaustion is not None or has_meter(node)
        for node in cluster.nodes.values()
    )


def has_meter(node: Node) -> bool:
    """Return whether the charge or the temperature of a node is computed."""
    return node.battery is not None or node.ambient_c is not None


def changes_speed(cluster: Cluster, node: Node) -> bool:
    """Return whether a node may run at less than its full speed."""
    slowing = (FaultKind.FREEZE, FaultKind.SLOW)
    slowed = any(one.target == node.name and one.kind in slowing for one in cluster.faults)
    return slowed or has_meter(node)


@dataclass(slots=True)
class Stopwatch:
    """Time for which a condition held, and how often it began."""

    times: int = 0
    _total_s: float = 0.0
    _since_s: float | None = None

    def set(self, on: bool, now: float) -> None:
        """Start or stop; no effect if it is in that state already."""
        if on and self._since_s is None:
            self._since_s = now
            self.times += 1
        elif not on and self._since_s is not None:
            self._total_s += now - self._since_s
            self._since_s = None

    def seconds(self, now: float) -> float:
        """Return the time until ``now``."""
        return self._total_s + (0.0 if self._since_s is None else now - self._since_s)


@dataclass(slots=True)
class NodeState:
    """State of one node.

    Attributes:
        causes: why it has no power; empty where it has.
        starting: 1 while it has power and does not answer yet, else 0.
        frozen: whether it does nothing.
        speeds: share of full speed, by cause.
        failed: number of times that it lost power.
        down: time that it did not answer.
        off: time without power.
        slow: time below full speed.
    """

    causes: set[str] = field(default_factory=set)
    starting: int = 0
    frozen: bool = False
    speeds: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    down: Stopwatch = field(default_factory=Stopwatch)
    off: Stopwatch = field(default_factory=Stopwatch)
    slow: Stopwatch = field(default_factory=Stopwatch)
    meter: Meter | None = None
    throttle: Throttle | None = None
    charge: Charge | None = None


@dataclass(eq=False)
class FaultInjector:
    """Makes nodes and links of a cluster fail, and records it.

    A crash loses what the node ran, queued and held, and every flow to or from it; whatever
    depends on it knows at once (a closed connection). A repaired node is empty, and answers once it
    has started. A frozen node keeps everything and does nothing; a cut link keeps the flows on it.

    Attributes:
        kernel: the clock.
        cluster: nodes and links, and their faults.
        servers: server of every node.
        flows: flows over every link.
        seed: seed of random failures.
        replication: number of the replication.
        crashed: called after a crash, with the lost work and its joules.
        events: what failed, and when.
        began_s: times at which something went down.
        down: names of the nodes without power, and of those that start.
        nodes: state of every node.
    """

    kernel: Kernel
    cluster: Cluster
    servers: Mapping[str, Server]
    flows: Flows
    seed: int
    replication: int
    crashed: Callable[[str, list[tuple[Work, float]]], None]
    events: list[FaultEvent] = field(default_factory=list)
    began_s: list[float] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    nodes: dict[str, NodeState] = field(init=False)
    _cut: dict[str, Stopwatch] = field(default_factory=dict)
    _degraded: dict[str, Stopwatch] = field(default_factory=dict)
    _links: dict[str, dict[object, Fault | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = {name: NodeState() for name in self.cluster.nodes}

    def meter(self, name: str, host: Host, port: Port) -> None:
        """Compute the temperature and the charge of a node that has them."""
        node = self.cluster.nodes[name]
        state = self.nodes[name]
        state.meter = meter = Meter(self.kernel, node, host, port)
        thermal = node.device.thermal
        if node.ambient_c is not None and thermal is not None:
            idle_w = node.device.power.idle_w
            state.throttle = Throttle(
                self.kernel, thermal, node.ambient_c, idle_w, lambda speed: self._heat(name, speed)
            )
            meter.followers.append(state.throttle)
        if node.battery is not None:
            state.charge = Charge(
                self.kernel,
                node.battery,
                lambda: self.crash(name, "battery empty", "battery empty"),
                lambda: self.repair(name, "battery empty", "charged"),
            )
            meter.followers.append(state.charge)

    def begin(self) -> None:
        """Schedule all scheduled faults, and the first random one of each node and link."""
        for name, node in self.cluster.nodes.items():
            if node.faults is not None:
                self._plan(
                    node.faults, f"faults {name}",
                    partial(self.crash, name, "fault"),
                    partial(self.repair, name, "fault"),
                )  # fmt: skip
        for name, link in self.cluster.network.links.items():
            if link.faults is not None:
                self._plan(
                    link.faults, f"faults of link {name}",
                    partial(self.change_link, name, "own", CUT),
                    partial(self.change_link, name, "own", None),
                )  # fmt: skip
        for fault in self.cluster.faults:
            begins, ends = self._begin_and_end(fault)
            self._at(fault.at_s, begins)
            self._at(fault.end_s, ends)
        for state in self.nodes.values():
            if state.meter is not None:
                state.meter.begin()

    def _at(self, time_s: float, call: Callable[[], None]) -> None:
        self.kernel.call_at(time_s, lambda _: call())

    def _plan(
        self, faults: Faults, purpose: str, begins: Callable[[], None], ends: Callable[[], None]
    ) -> None:
        for outage in sorted(faults.schedule, key=lambda one: one.at_s):
            self._at(outage.at_s, begins)
            self._at(outage.at_s + outage.duration_s, ends)
        if faults.mtbf_s is not None:
            generator = stream(self.seed, self.replication, purpose)
            self._plan_random(faults, generator, 0.0, begins, ends)

    def _plan_random(
        self,
        faults: Faults,
        generator: np.random.Generator,
        now: float,
        begins: Callable[[], None],
        ends: Callable[[], None],
    ) -> None:
        assert faults.mtbf_s is not None
        at_s = now + _weibull(generator, faults.mtbf_s, faults.shape)
        back_s = at_s + _weibull(generator, faults.mttr_s or 0.0, faults.repair_shape)

        def end(_: object) -> None:
            ends()
            self._plan_random(faults, generator, back_s, begins, ends)

        self.kernel.call_at(at_s, lambda _: begins())
        self.kernel.call_at(back_s, end)

    def _begin_and_end(self, fault: Fault) -> tuple[Callable[[], None], Callable[[], None]]:
        name = fault.target
        match fault.kind:
            case FaultKind.CRASH:
                return lambda: self.crash(name, "schedule"), lambda: self.repair(name, "schedule")
            case FaultKind.FREEZE:
                return partial(self._freeze, name, True), partial(self._freeze, name, False)
            case FaultKind.SLOW:
                return lambda: self.slow(name, fault.speed), lambda: self.slow(name, 1.0)
            case _:
                change = partial(self.change_link, name, fault.kind)
                return lambda: change(fault), lambda: change(None)

    def crash(self, name: str, cause: str, event: str = "crash") -> None:
        """Take a node down, for one more cause."""
        state = self.nodes[name]
        now = self.kernel.time_s
        if cause in state.causes:
            return
        state.causes.add(cause)
        self.record(name, event)
        if len(state.causes) > 1:
            return
        was_up = not state.starting
        state.starting = 0
        state.failed += 1
        self.began_s.append(now)
        self.down.add(name)
        state.down.set(True, now)
        state.off.set(True, now)
        lost = self.servers[name].crash() if was_up else []
        if state.meter is not None:
            state.meter.powered = False
            state.meter.update()
        self.crashed(name, lost)

    def repair(self, name: str, cause: str, event: str = "repair") -> None:
        """Take one cause away; the node starts when none is left."""
        state = self.nodes[name]
        now = self.kernel.time_s
        if cause not in state.causes:
            return
        state.causes.discard(cause)
        self.record(name, event)
        if state.causes:
            return
        state.off.set(False, now)
        if state.meter is not None:
            state.meter.powered = True
            state.meter.update()
        restart_s = self.cluster.nodes[name].restart_s
        if restart_s > 0.0:
            state.starting += 1
            failed = state.failed
            self.kernel.call_at(now + restart_s, lambda _: self._started(name, failed))
            return
        self._up(name)

    def _started(self, name: str, failed: int) -> None:
        state = self.nodes[name]
        # It may have failed again since.
        if state.starting and state.failed == failed:
            state.starting = 0
            self.record(name, "up")
            self._up(name)

    def _up(self, name: str) -> None:
        state = self.nodes[name]
        state.down.set(state.frozen, self.kernel.time_s)
        self.down.discard(name)
        self.servers[name].up = True

    def answers(self, name: str) -> bool:
        """Return whether a node would answer a check now, if the links to it are whole."""
        return self.servers[name].up and not self.nodes[name].frozen

    def _freeze(self, name: str, on: bool) -> None:
        state = self.nodes[name]
        state.frozen = on
        now = self.kernel.time_s
        self.record(name, "freeze" if on else "thaw")
        if on:
            self.began_s.append(now)
        state.down.set(on or not self.servers[name].up, now)
        self.servers[name].set_speed("freeze", 0.0 if on else 1.0)

    def slow(self, name: str, speed: float, cause: str = "slow") -> None:
        """Limit a node to a share of its speed, for one cause; the shares of all multiply."""
        self.record(name, "slow" if speed < 1.0 else "restore", f"{speed:g}" if speed < 1.0 else "")
        self._set_speed(name, cause, speed)

    def _heat(self, name: str, speed: float) -> None:
        self._set_speed(name, "heat", speed)
        throttle = self.nodes[name].throttle
        assert throttle is not None
        event = "throttle" if speed < 1.0 else "release"
        self.record(name, event, f"{throttle.celsius:.1f} °C")

    def _set_speed(self, name: str, cause: str, speed: float) -> None:
        state = self.nodes[name]
        state.speeds[cause] = speed
        state.slow.set(min(state.speeds.values()) < 1.0, self.kernel.time_s)
        self.servers[name].set_speed(cause, speed)

    def change_link(self, name: str, key: object, fault: Fault | None) -> None:
        """Begin a fault of a link, of which each key has one; end it where it is None."""
        active = self._links.setdefault(name, {})
        before = active.get(key)
        active[key] = fault
        now = self.kernel.time_s
        if fault is None:
            self.record(name, "mend")
        else:
            self.record(name, fault.kind.value, _described(fault))
            if fault.kind is FaultKind.CUT:
                self.began_s.append(now)
        faults = [one for one in active.values() if one is not None]
        cut = any(one.kind is FaultKind.CUT for one in faults)
        degraded = [one for one in faults if one.kind is FaultKind.DEGRADE]
        self._cut.setdefault(name, Stopwatch()).set(cut, now)
        self._degraded.setdefault(name, Stopwatch()).set(bool(degraded) and not cut, now)
        link = self.cluster.network.links[name]
        delivered = 1.0 - link.loss
        bandwidth = link.bandwidth_byte_s
        for one in degraded:
            delivered *= 1.0 - one.loss
            if one.bandwidth_byte_s is not None:
                bandwidth = min(bandwidth, one.bandwidth_byte_s)
        latency_s = sum(one.latency_s for one in degraded)
        state = LinkState(0.0 if cut else bandwidth, latency_s, 1.0 - delivered)
        if fault is not None or before is not None:
            self.flows.set_link(name, state)

    def is_cut(self, link: str) -> bool:
        """Return whether a link is cut now."""
        active = self._links.get(link, {})
        return any(one is not None and one.kind is FaultKind.CUT for one in active.values())

    def record(self, target: str, what: str, detail: str = "") -> None:
        """Record an event of a node, a link or a part."""
        self.events.append(FaultEvent(self.kernel.time_s, target, what, detail))

    def node_rows(self, now: float) -> dict[str, TargetFaults]:
        """Return the faults of every node until ``now``."""
        for state in self.nodes.values():
            if state.meter is not None:
                state.meter.pass_time()
        return {
            name: TargetFaults(
                failures=state.down.times,
                down_s=state.down.seconds(now),
                off_s=state.off.seconds(now),
                slow_s=state.slow.seconds(now),
                hottest_c=None if state.throttle is None else state.throttle.hottest_c,
                charge_j=None if state.charge is None else state.charge.joules,
            )
            for name, state in self.nodes.items()
        }

    def link_rows(self, now: float) -> dict[str, TargetFaults]:
        """Return the faults of the links that failed until ``now``."""
        return {
            name: TargetFaults(
                failures=self._cut[name].times,
                down_s=self._cut[name].seconds(now),
                slow_s=self._degraded[name].seconds(now),
            )
            for name in self.cluster.network.links
            if name in self._links
        }


CUT = Fault(at_s=0.0, duration_s=0.0, kind=FaultKind.CUT)
"""A link that carries nothing, until it is ended."""


def _weibull(generator: np.random.Generator, mean: float, shape: float) -> float:
    if shape == 1.0:
        return float(generator.exponential(mean))
    return float(mean / gamma(1.0 + 1.0 / shape) * generator.weibull(shape))


def _described(fault: Fault) -> str:
    changes = []
    if fault.bandwidth_byte_s is not None:
        changes.append(f"{fault.bandwidth_byte_s:g} B/s")
    if fault.latency_s:
        changes.append(f"+{fault.latency_s:g} s")
    if fault.loss:
        changes.append(f"{100 * fault.loss:g} % lost")
    return ", ".join(changes)
