"""Memory of nodes that fills up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgesim.hardware import Cluster
from edgesim.simulate.kernel import Kernel


class MemoryLimits:
    """Counts the bytes in the memory of nodes: plan, inputs of waiting and running tasks, leaks.

    Args:
        kernel: the clock.
        cluster: nodes whose memory may fill up.
        held: bytes that the plan holds on each node.
        full: called with the name of each node that needs more than it has.
    """

    def __init__(
        self,
        kernel: Kernel,
        cluster: Cluster,
        held: Mapping[str, float],
        full: Callable[[str], None],
    ) -> None:
        self._kernel = kernel
        self._full = full
        self._leak = {
            name: node.exhaustion.leak_bytes
            for name, node in cluster.nodes.items()
            if node.exhaustion is not None
        }
        self._plan = {name: held.get(name, 0.0) for name in self._leak}
        self._capacity = {name: cluster.nodes[name].model_memory_bytes for name in self._leak}
        self._held = dict(self._plan)
        self._ending: set[str] = set()

    def add_inputs(self, name: str, size: float) -> None:
        """Add the inputs of a task."""
        if name in self._held:
            self._held[name] += size
            self._check(name)

    def remove_inputs(self, name: str, size: float, *, ran: bool) -> None:
        """Remove the inputs of a task that has ended; one that ``ran`` leaves its leak."""
        if name in self._held:
            self._held[name] += self._leak[name] * ran - size
            self._check(name)

    def clear(self, name: str) -> None:
        """Empty the memory of a node that starts again."""
        if name in self._held:
            self._held[name] = self._plan[name]
            self._ending.discard(name)

    def _check(self, name: str) -> None:
        if self._held[name] > self._capacity[name] and name not in self._ending:
            self._ending.add(name)
            # Not within the event that added the last byte.
            self._kernel.call_at(self._kernel.time_s, lambda _: self._crash(name))

    def _crash(self, name: str) -> None:
        if name in self._ending:
            self._full(name)
