"""Machines whose cores several nodes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from edgesim.simulate.kernel import Call, Kernel


@dataclass(eq=False, slots=True)
class Share:
    """An execution on a machine that it shares with others.

    Attributes:
        node: name of the node whose execution it is.
        cores: number of cores that it uses alone.
        left_s: seconds that it still takes alone.
        above_idle_w: power above idle at its full rate, in watts.
        done: called at its end.
    """

    node: str
    cores: int
    left_s: float
    above_idle_w: float
    done: Callable[[], None]


class Host:
    """Shares the cores of one machine among all that runs on it, as an operating system does.

    While executions ask for no more cores than there are, each runs at its full rate. Otherwise
    each runs at the same share of its rate, ``cores / asked``: processor sharing, the limit of a
    fair scheduler as its time slice tends to zero (Kleinrock, Queueing Systems II, 1976, 4.4).
    The cost of switching is left out. A node may be limited to a share of its speed: it then asks
    for that share of its cores, and for none while it is frozen.

    Args:
        kernel: the clock.
        cores: number of cores of the machine.
        nodes: number of nodes that share it; each counts an equal part of its idle power.
    """

    def __init__(self, kernel: Kernel, cores: int, nodes: int) -> None:
        self.idle_share = 1.0 / nodes if nodes else 1.0
        self._kernel = kernel
        self._cores = cores
        self._running: dict[Share, None] = {}
        self._asked = 0.0
        self._speed: dict[str, float] = {}
        self.changed: Callable[[], None] | None = None
        """Called when an execution began or ended, or its speed changed."""
        self._since_s = 0.0
        self._next: Call | None = None

    def begin(self, share: Share) -> None:
        """Run an execution until its ``left_s`` have passed."""
        self._pass_time()
        self._running[share] = None
        self._count()
        self._plan()

    def set_speed(self, node: str, speed: float) -> None:
        """Limit a node to a share of its speed, 0 to 1."""
        self._pass_time()
        if speed == 1.0:
            self._speed.pop(node, None)
        else:
            self._speed[node] = speed
        self._count()
        self._plan()

    def above_idle_w(self, node: str | None = None) -> float:
        """Return the power of all executions above idle, in watts; of one node, if it is given."""
        return sum(
            share.above_idle_w * self._rate(share)
            for share in self._running
            if node is None or share.node == node
        )

    def left_s(self, share: Share) -> float:
        """Return the seconds that an execution still takes alone."""
        self._pass_time()
        return share.left_s

    def stop(self, share: Share) -> None:
        """Stop an execution; no effect where it does not run."""
        if share in self._running:
            self._pass_time()
            self._remove(share)
            self._plan()

    def _count(self) -> None:
        """Add up the cores that are asked for."""
        self._asked = sum(share.cores * self._speed.get(share.node, 1.0) for share in self._running)

    def _rate(self, share: Share) -> float:
        rate = 1.0 if self._asked <= self._cores else self._cores / self._asked
        return rate * self._speed.get(share.node, 1.0) if self._speed else rate

    def _pass_time(self) -> None:
        """Reduce ``left_s`` of every execution by what was done since the last change."""
        now = self._kernel.time_s
        passed_s = now - self._since_s
        self._since_s = now
        if passed_s > 0.0:
            for share in self._running:
                share.left_s = max(0.0, share.left_s - passed_s * self._rate(share))

    def _remove(self, share: Share) -> None:
        del self._running[share]
        self._count()

    def _plan(self) -> None:
        """Schedule the end of the execution that ends first if nothing changes."""
        self._next = None
        first, ends_s = None, inf
        for share in self._running:
            rate = self._rate(share)
            if rate > 0.0:
                end_s = self._kernel.time_s + share.left_s / rate
                if end_s < ends_s:
                    first, ends_s = share, end_s
        if first is not None:
            ended = first
            self._next = self._kernel.call_at(ends_s, lambda event: self._end(event, ended))
        if self.changed is not None:
            self.changed()

    def _end(self, event: Call, share: Share) -> None:
        if event is not self._next:
            return
        self._pass_time()
        self._remove(share)
        self._plan()
        share.done()
