"""Nodes that fail, what is known of them, and what is done about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgesim.simulate.choices import Choices, links_to_nodes
from edgesim.simulate.faults import FaultInjector, has_meter
from edgesim.simulate.health import HealthChecks
from edgesim.simulate.memory import MemoryLimits
from edgesim.simulate.processes import start_processes
from edgesim.simulate.reassign import Reassigner
from edgesim.simulate.setup import Running, Setup
from edgesim.simulate.work import ReadyBranch, Work

Crashed = Callable[[str, list[tuple[Work, float]]], None]
"""Called after a crash: name of the node, and the work that it lost with the joules of each."""


class Outages:
    """Faults of nodes and links, health checks, memory that fills up, and parts that move.

    Args:
        engine: runs the requests; with its clock, servers and flows.
        setup: plan, cluster, seeds and recovery.
        choices: where each task of a branch can run.
        crashed: called after a node has crashed.

    Attributes:
        faults: makes nodes and links fail.
        checks: health checks; None where crashes are known at once.
        memory: memory of nodes; None where none can fill up.
        crashes: number of crashes of each node.
        known_down: names of the nodes that are known to give no answers; no work is sent there.
    """

    def __init__(
        self,
        engine: Running,
        setup: Setup,
        choices: Mapping[ReadyBranch, Choices],
        crashed: Crashed,
    ) -> None:
        plan, cluster, recovery = setup.plan, setup.cluster, setup.recovery
        kernel, servers, flows = engine.kernel, engine.servers, engine.flows
        self._engine, self._processes = engine, setup.processes
        self._after_crash = crashed
        self.crashes = dict.fromkeys(cluster.nodes, 0)
        self.faults = FaultInjector(
            kernel, cluster, servers, flows, setup.seed, setup.replication, self._crashed
        )
        for name, node in cluster.nodes.items():
            host = servers[name].host
            if has_meter(node) and node.host is None and host is not None:
                self.faults.meter(name, host, engine.ports[name])
        self.memory: MemoryLimits | None = None
        if any(node.exhaustion is not None for node in cluster.nodes.values()):
            self.memory = MemoryLimits(kernel, cluster, plan.memory_bytes(), self._out_of_memory)
        home = plan.input_node or plan.branches[0].tasks[0].node
        self.checks: HealthChecks | None = None
        if recovery.health is not None:
            links = links_to_nodes(choices, cluster, home)
            self.checks = HealthChecks(kernel, recovery.health, self.faults, links)
        self.known_down = self.faults.down if self.checks is None else self.checks.out
        self._reassigner: Reassigner | None = None
        if recovery.reassign is not None:
            self._reassigner = Reassigner(
                kernel, plan, cluster, servers, flows, choices, self.faults, recovery.reassign, home
            )

    def begin(self) -> None:
        """Schedule faults and health checks, and start the processes of a user."""
        self.faults.begin()
        if self._processes:
            engine = self._engine
            start_processes(
                self._processes, engine.kernel, engine.servers, engine.ports, self.faults
            )
        if self.checks is not None:
            self.checks.begin()

    def strike(self, name: str) -> None:
        """Count a failure of a node, where nodes are checked."""
        if self.checks is not None:
            self.checks.strike(name)

    def _crashed(self, name: str, lost: list[tuple[Work, float]]) -> None:
        self.crashes[name] += 1
        if self.memory is not None:
            self.memory.clear(name)
        self._after_crash(name, lost)
        if self._reassigner is not None:
            self._reassigner.crashed(name)

    def _out_of_memory(self, name: str) -> None:
        if self._engine.servers[name].up:
            self.faults.crash(name, "memory", "out of memory")
            self.faults.repair(name, "memory")
