"""Machines whose cores several nodes share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from simpy.events import Event

from edgesim.simulate.kernel import Kernel


@dataclass(eq=False, slots=True)
class Share:
    """What one execution gets of a machine that others compute on too.

    Attributes:
        node: name of the node whose execution it is.
        cores: that it would use, were it alone.
        left_s: seconds that it would still take, were it alone.
        above_idle_w: that it draws above idle at its full rate.
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
    What changing from one to another costs is left out. A node may be held to a share of its
    speed: it then asks for that share of its cores, and for none while it stands still.

    Args:
        kernel: the clock.
        cores: of the machine.
        nodes: that share it; each counts an equal part of its idle power.
    """

    def __init__(self, kernel: Kernel, cores: int, nodes: int) -> None:
        self.idle_share = 1.0 / nodes if nodes else 1.0
        self._kernel = kernel
        self._cores = cores
        self._running: dict[Share, None] = {}
        self._asked = 0.0
        self._speed: dict[str, float] = {}
        self.changed: Callable[[], None] | None = None
        """Called when what runs, or how fast, has changed."""
        self._since_s = 0.0
        self._next: Event | None = None

    def begin(self, share: Share) -> None:
        """Run something until its ``left_s`` are done."""
        self._pass_time()
        self._running[share] = None
        self._count()
        self._plan()

    def set_speed(self, node: str, speed: float) -> None:
        """Hold what a node runs to a share of its speed, 0 to 1."""
        self._pass_time()
        if speed == 1.0:
            self._speed.pop(node, None)
        else:
            self._speed[node] = speed
        self._count()
        self._plan()

    def above_idle_w(self) -> float:
        """Return what runs draws above idle now, in watts."""
        return sum(share.above_idle_w * self._rate(share) for share in self._running)

    def left_s(self, share: Share) -> float:
        """Return the seconds that an execution would still take alone."""
        self._pass_time()
        return share.left_s

    def stop(self, share: Share) -> None:
        """Take back what runs; nothing where it does not."""
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
        """Take what was done since the last change off what is left."""
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
        """Wait for the first that will end if nothing changes."""
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

    def _end(self, event: Event, share: Share) -> None:
        if event is not self._next:
            return
        self._pass_time()
        self._remove(share)
        self._plan()
        share.done()
