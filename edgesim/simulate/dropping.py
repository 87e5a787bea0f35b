"""Queues that drop work: where they are full, keep the latest only, or skip what is late."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from edgesim.hardware import Node
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Call, Kernel
from edgesim.simulate.server import Done, Server
from edgesim.simulate.work import Work

FULL, SUPERSEDED, LATE = "queue full", "superseded", "too late"
DROPPED = frozenset({FULL, SUPERSEDED, LATE})
"""Reasons for which a queue drops work; requests without an answer for them are dropped ones."""

Dropped = Callable[[Work, str], None]
"""Called with work that was dropped, and the reason."""


class DroppingServer(Server):
    """A server whose queue drops work, as the node's `edgesim.hardware.Queue` says.

    The limit counts what waits once all that can start has started. Where work that comes at one
    instant is looked at together, as on a node that batches, that is at the end of the instant.
    Whoever sent the work is told at the same instant, after what happens now.

    Args:
        kernel: the clock.
        node: queueing, batching and power.
        factors: draws of service time over its mean; None where it does not vary.
        done: called after each piece of work that ran.
        host: machine that shares its cores among nodes; None where the node has cores of its own.
        dropped: called with each piece of work that was dropped.
    """

    def __init__(
        self,
        kernel: Kernel,
        node: Node,
        factors: Callable[[], float] | None,
        done: Done,
        host: Host | None,
        dropped: Dropped,
    ) -> None:
        super().__init__(kernel, node, factors, done, host)
        self._dropped = dropped
        self._limit = inf if node.queue.limit is None else node.queue.limit
        self._keeps_latest = node.queue.full == "keep-latest"
        self._drops_oldest = node.queue.full == "drop-oldest"
        self._skips_late = node.queue.skip_late
        # What is late is looked for before anything starts.
        self._plain = self._plain and not self._skips_late

    def submit(self, work: Work) -> None:
        """Queue ``work``, or start it if the node is idle; drop what the queue has no place for."""
        if self._keeps_latest and self._supersede(work):
            return
        longest = self.max_queue
        super().submit(work)
        if self._look is None:
            self._shorten(longest)

    def _supersede(self, work: Work) -> bool:
        """Put work in the place of what waits of its task, or drop it; return whether that is all.

        The place stays that of the first: a stream of much work waits no longer for its turn.
        """
        other = next((one for one in self._queue if one.task is work.task), None)
        if other is None:
            return False
        if other.request.index > work.request.index:
            # Another attempt at an older request.
            self._tell(work, SUPERSEDED)
            return True
        if self._order is not None:
            self._drop(other, SUPERSEDED)
            return False
        self._queue[self._queue.index(other)] = work
        self._tell(other, SUPERSEDED)
        return True

    def _look_at_queue(self, event: Call) -> None:
        longest = self.max_queue
        super()._look_at_queue(event)
        self._shorten(longest)

    def _shorten(self, longest: int) -> None:
        """Drop what waits beyond the limit; ``longest``: longest queue until now."""
        while len(self._queue) > self._limit:
            came = [one.ready_s for one in self._queue]
            if self._drops_oldest:
                place = came.index(min(came))
            else:
                place = len(came) - 1 - came[::-1].index(max(came))
            self._drop(self._queue[place], FULL)
        self.max_queue = max(longest, len(self._queue))

    def _fill(self) -> None:
        """Start all work that can start now, without what would end too late."""
        if self._skips_late:
            now = self.kernel.time_s
            late = [one for one in self._queue if now + one.task.cost[1].time_s > one.deadline_s]
            for work in late:
                self._drop(work, LATE)
        super()._fill()

    def _drop(self, work: Work, reason: str) -> None:
        self._queue.remove(work)
        self._tell(work, reason)

    def _tell(self, work: Work, reason: str) -> None:
        self.dropped += 1
        self.kernel.call_at(self.kernel.time_s, lambda _: self._dropped(work, reason))
