"""Machines whose cores several nodes share."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from simpy.events import Event

from edgesim.simulate.kernel import Kernel

if TYPE_CHECKING:
    from edgesim.simulate.server import Execution, Server


class Share:
    """One execution on a machine that others compute on too.

    Attributes:
        run: the execution.
        cores: that it would use, were it alone.
        left_s: seconds that it would still take, were it alone.
        done: told of its end.
    """

    __slots__ = ("cores", "done", "left_s", "run")

    def __init__(
        self, run: Execution, cores: int, left_s: float, done: Callable[[Execution], None]
    ) -> None:
        self.run = run
        self.cores = cores
        self.left_s = left_s
        self.done = done


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
        self._running: dict[Execution, Share] = {}
        self._asked = 0.0
        self._speed: dict[Server, float] = {}
        self.changed: Callable[[], None] | None = None
        """Called when what runs, or how fast, has changed."""
        self._since_s = 0.0
        self._next: Event | None = None

    def begin(
        self, run: Execution, cores: int, time_s: float, done: Callable[[Execution], None]
    ) -> None:
        """Run something that would take ``time_s`` alone on ``cores``; tell ``done`` its end."""
        self._pass_time()
        self._running[run] = Share(run, cores, time_s, done)
        self._count()
        self._plan()

    def set_speed(self, server: Server, speed: float) -> None:
        """Hold what a node runs to a share of its speed, 0 to 1."""
        self._pass_time()
        if speed == 1.0:
            self._speed.pop(server, None)
        else:
            self._speed[server] = speed
        self._count()
        self._plan()

    def above_idle_w(self) -> float:
        """Return what runs draws above idle now, in watts."""
        return sum(
            (run.power_w - run.server.node.device.power.idle_w) * self._rate(share)
            for run, share in self._running.items()
        )

    def left_s(self, run: Execution) -> float:
        """Return the seconds that ``run`` would still take alone; 0 where it has ended."""
        self._pass_time()
        share = self._running.get(run)
        return 0.0 if share is None else share.left_s

    def stop(self, run: Execution) -> None:
        """Take back what runs; nothing where it does not."""
        share = self._running.get(run)
        if share is not None:
            self._pass_time()
            self._remove(share)
            self._plan()

    def _count(self) -> None:
        """Add up the cores that are asked for."""
        self._asked = sum(
            share.cores * self._speed.get(share.run.server, 1.0) for share in self._running.values()
        )

    def _rate(self, share: Share) -> float:
        rate = 1.0 if self._asked <= self._cores else self._cores / self._asked
        return rate * self._speed.get(share.run.server, 1.0) if self._speed else rate

    def _pass_time(self) -> None:
        """Take what was done since the last change off what is left."""
        now = self._kernel.time_s
        passed_s = now - self._since_s
        self._since_s = now
        if passed_s > 0.0:
            for share in self._running.values():
                share.left_s = max(0.0, share.left_s - passed_s * self._rate(share))

    def _remove(self, share: Share) -> None:
        del self._running[share.run]
        self._count()

    def _plan(self) -> None:
        """Wait for the first that will end if nothing changes."""
        self._next = None
        first, ends_s = None, inf
        for share in self._running.values():
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
        share.done(share.run)
