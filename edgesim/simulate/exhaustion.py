"""Memory of nodes that fills up."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgesim.hardware import Cluster
from edgesim.simulate.kernel import Kernel


class Memories:
    """Counts the bytes that nodes hold: their plan, inputs of what waits or runs, and leaks.

    Args:
        kernel: the clock.
        cluster: whose nodes' memory may fill up.
        held: bytes that the plan holds on each node.
        full: told of each node that needs more than it has.
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
        self._capacity = {
            name: cluster.nodes[name].device.memory_capacity_bytes for name in self._leak
        }
        self._held = dict(self._plan)
        self._ending: set[str] = set()

    def take(self, name: str, size: float) -> None:
        """Count inputs that came."""
        if name in self._held:
            self._held[name] += size
            self._look(name)

    def give(self, name: str, size: float, *, ran: bool) -> None:
        """Count inputs that are needed no more, and what the work left behind where it ran."""
        if name in self._held:
            self._held[name] += self._leak[name] * ran - size
            self._look(name)

    def clear(self, name: str) -> None:
        """Count a node that starts anew."""
        if name in self._held:
            self._held[name] = self._plan[name]
            self._ending.discard(name)

    def _look(self, name: str) -> None:
        if self._held[name] > self._capacity[name] and name not in self._ending:
            self._ending.add(name)
            # Not amid what brought the last byte.
            self._kernel.call_at(self._kernel.time_s, lambda _: self._end(name))

    def _end(self, name: str) -> None:
        if name in self._ending:
            self._full(name)
