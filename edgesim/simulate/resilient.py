"""The engine where something may fail: tries, deadlines, and answers without a part."""

from __future__ import annotations

from collections import Counter
from math import nan

import numpy as np

from edgesim.hardware import Cluster, FaultKind, Node
from edgesim.simulate.attempts import Carried, Course, Tried
from edgesim.simulate.choices import MEANS, Choices
from edgesim.simulate.exhaustion import Memories
from edgesim.simulate.faults import FaultPlayer
from edgesim.simulate.health import Checks
from edgesim.simulate.hosts import Host
from edgesim.simulate.reassign import Mover, Shipment
from edgesim.simulate.recording import FaultRecord, Outcome
from edgesim.simulate.run import Setup
from edgesim.simulate.streams import stream
from edgesim.simulate.tries import Tries
from edgesim.simulate.work import Work

_SLOWING = (FaultKind.FREEZE, FaultKind.SLOW)


def can_fail(cluster: Cluster) -> bool:
    """Return whether anything of a cluster can fail, slow down, or lose something."""
    if cluster.faults:
        return True
    if any(link.faults is not None or link.loss > 0.0 for link in cluster.network.links.values()):
        return True
    return any(
        node.faults is not None or node.exhaustion is not None or _has_meter(node)
        for node in cluster.nodes.values()
    )


def _has_meter(node: Node) -> bool:
    return node.battery is not None or node.ambient_c is not None


class Resilient(Tries):
    """A run in which nodes and links fail. Use `simulate`."""

    def __init__(self, setup: Setup) -> None:
        plan, cluster, recovery = setup.plan, setup.cluster, setup.recovery
        self._slowing = {fault.target for fault in cluster.faults if fault.kind in _SLOWING}
        self._own_hosts: dict[str, Host] = {}
        super().__init__(setup)
        self._recovery = recovery
        self._home = plan.input_node or plan.branches[0].tasks[0].node
        self.live: dict[Course, None] = {}
        self._lives = dict.fromkeys(cluster.nodes, 0)
        self._answered: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._used_j = self._lost_j = 0.0
        self._tries = 0
        self._tail = stream(setup.seed, setup.replication, "loss")
        self._chance = stream(setup.seed, setup.replication, "recovery")
        self.faults = FaultPlayer(
            self.kernel, cluster, self.servers, self.flows, setup.seed, setup.replication,
            self._crashed,
        )  # fmt: skip
        for name, host in self._own_hosts.items():
            if _has_meter(cluster.nodes[name]):
                self.faults.meter(name, host, self.ports[name])
        self.choices = {
            way: Choices(way, branch.tasks, plan, cluster, self.flows, self._traffic.samples)
            for way, branch in zip(self.ways, plan.branches, strict=True)
        }
        self._add_choices()
        self._memories = Memories(self.kernel, cluster, plan.memory_bytes(), self._out_of_memory)
        self._input_bytes = {
            (way, step.index): sum(
                way.moves[number].size for number in self.choices[way].into[step.index]
            )
            for way in self.ways
            for step in way.steps
        }
        self._checks: Checks | None = None
        if recovery.health is not None:
            self._checks = Checks(self.kernel, recovery.health, self.faults, self._ways_to())
        self._mover: Mover | None = None
        if recovery.reassign is not None:
            self._mover = Mover(
                self.kernel, plan, cluster, self.servers, self.flows, self.choices, self.faults,
                recovery.reassign, self._home,
            )  # fmt: skip

    def _host(self, node: Node) -> Host | None:
        if node.name not in self._slowing and not _has_meter(node):
            return None
        host = Host(self.kernel, node.device.cores, 1)
        self._own_hosts[node.name] = host
        return host

    def _add_choices(self) -> None:
        for way, choices in self.choices.items():
            for step in way.steps:
                if step.fusion or step.message:
                    continue
                for name in self._recovery.standby:
                    choices.add(step.index, self.servers[name], "standby")
                for other in self.ways:
                    for twin in other.steps:
                        if other is not way and twin.name == step.name:
                            choices.add(step.index, twin.server, "retry")

    def _ways_to(self) -> dict[str, tuple[str, ...]]:
        """Return the links between whoever checks and every node that runs something."""
        found = {}
        for choices in self.choices.values():
            for steps in choices.all_options():
                for step, _ in steps:
                    name = step.server.node.name
                    hops = self._cluster.network.route(self._home, name)
                    if name != self._home and hops is not None:
                        found[name] = tuple(hop.link for hop in hops)
        return found

    def _begin(self) -> None:
        self.faults.begin()
        if self._checks is not None:
            self._checks.begin()
        super()._begin()

    def _crashed(self, name: str, lost: list[tuple[Work, float]]) -> None:
        """Go on from a node that went down."""
        self._lives[name] += 1
        self._memories.clear(name)
        for work, joules in lost:
            assert isinstance(work, Tried)
            self._lost_j += joules
            self.strike(name)
            self.fail(work.attempt, "crash")
        for token in self.flows.cut(name):
            if isinstance(token, Shipment):
                token.lost()
            else:
                assert isinstance(token, Carried)
                self._dropped(token)
        for request in list(self.live):
            for attempts in list(request.attempts.values()):
                for attempt in tuple(attempts):
                    if attempt.step.server.node.name == name and attempt.arrived:
                        self.fail(attempt, "crash")
        if self._mover is not None:
            self._mover.crashed(name)

    def _out_of_memory(self, name: str) -> None:
        if self.servers[name].up:
            self.faults.crash(name, "memory", "out of memory")
            self.faults.repair(name, "memory")

    def _off_s(self, now: float) -> dict[str, float]:
        return self.faults.off_s(now)

    def _fault_record(self, now: float) -> FaultRecord:
        self._lost_j += sum(server.unfinished_j() for server in self.servers.values())
        return FaultRecord(
            events=tuple(self.faults.events),
            nodes=self.faults.node_rows(now),
            links=self.faults.link_rows(now),
            answered={means: self._answered[means] for means in MEANS if self._answered[means]},
            reasons=dict(self._reasons),
            used_j=self._used_j,
            lost_j=self._lost_j,
            attempts=self._tries,
            recover_s=self._recover_s(),
        )

    def _recover_s(self) -> tuple[float, ...]:
        """Return how long each failure went without a whole answer; NaN where there was none."""
        arrival_s = np.frombuffer(self._arrival_s, dtype=np.float64)[: self._offered]
        latency_s = np.frombuffer(self._latency_s, dtype=np.float64)[: self._offered]
        outcome = np.frombuffer(self._outcome, dtype=np.uint8)[: self._offered]
        whole = outcome == int(Outcome.COMPLETED)
        ends_s = np.where(whole, arrival_s + latency_s, np.inf)
        first_s = np.minimum.accumulate(ends_s[::-1])[::-1]
        found = []
        for began_s in self.faults.began_s:
            index = int(np.searchsorted(arrival_s, began_s, side="left"))
            known = index < len(first_s) and np.isfinite(first_s[index])
            found.append(float(first_s[index] - began_s) if known else nan)
        return tuple(found)
