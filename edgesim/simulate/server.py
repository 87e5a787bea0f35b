"""The compute side of a node: a queue, a batcher and cores."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappush
from itertools import islice
from math import inf, prod
from operator import attrgetter
from typing import cast

from simpy.events import NORMAL

from edgesim.hardware import Node
from edgesim.simulate.hosts import Host, Share
from edgesim.simulate.kernel import LAST, Call, Kernel
from edgesim.simulate.power import PartEnergy
from edgesim.simulate.work import Work

Done = Callable[[Work, float, float, float], None]
"""Called for each piece of work that ran: work, start, end, joules."""
_NOTHING: list[Work] = []
_ORDERS: dict[str, Callable[[Work], float] | None] = {
    "fifo": None,
    "priority": attrgetter("task.priority"),
    "edf": attrgetter("deadline_s"),
}
"""Order of service: what is less is served first, and first come first served among equals."""


class Execution(Call):
    """A batch on its cores; used again for other batches, as every piece of work needs one."""

    __slots__ = ("alone_s", "power_w", "share", "start_s", "void", "work")

    def __init__(self, act: Callable[[Execution], None]) -> None:
        self.act = act
        self.work: list[Work] = []
        self.start_s = 0.0
        self.share: Share | None = None
        self.alone_s = 0.0
        self.power_w = 0.0
        self.void = False


class Server:
    """Runs work on the cores of one node.

    Work waits in one queue, first come first served, or by priority or deadline, then first come.
    An execution takes the head, and where the node batches also up to ``batch.max - 1`` further
    requests that wait for the same task; it starts when the cores that the task asks for are
    free, and nothing overtakes the head. A node that batches looks at its queue once all that
    happens in an instant has happened, so that work which comes at one instant may run together.
    An idle node whose batch is not full waits up to ``batch.wait_s`` from the instant at which
    the head had all its inputs.

    Args:
        kernel: the clock.
        node: queueing, batching and power.
        factors: draws of service time over its mean; None where it does not vary.
        done: called after each piece of work that ran.
        host: machine that shares its cores among nodes; None where the node has cores of its own.
    """

    def __init__(
        self,
        kernel: Kernel,
        node: Node,
        factors: Callable[[], float] | None,
        done: Done,
        host: Host | None = None,
    ) -> None:
        self.kernel = kernel
        self.node = node
        self._finished: Callable[[Execution], None] = self._finish
        self.busy_s = 0.0
        self.joules_above_idle = 0.0
        self.max_queue = 0
        self.executions = 0
        self.dropped = 0
        self.up = True
        self._speeds: dict[str, float] = {}
        self._agenda = kernel.agenda
        self._events = kernel.serial
        self._factors = factors
        self._done = done
        self.host = host
        self._idle_w = node.device.power.idle_w
        cooling = node.device.cooling
        self._cooling = cooling if cooling.share > 0.0 else None
        self._worked_s = -inf
        self._parts = PartEnergy(node.device)
        self._cores = node.device.cores
        self._free = node.device.cores
        self._order = _ORDERS[node.queue.order]
        self._batch_max = node.batch.max
        self._plain = node.batch.max == 1 and self._order is None
        self._wait_s = node.batch.wait_s
        # Work in order of service: a sorted list, or first come first served.
        self._queue: list[Work] | deque[Work] = deque() if self._order is None else []
        self._executions: list[Execution] = []
        self._pool: list[Execution] = []
        self._timer: Call | None = None
        self._look: Call | None = None

    def submit(self, work: Work) -> None:
        """Queue ``work``, or start it if the node is idle."""
        if self._plain and self._free == self._cores:
            self._start([work])
            return
        if self._order is None:
            self._queue.append(work)
        else:
            insort(cast("list[Work]", self._queue), work, key=self._order)
        if self._free:
            self._fill_cores()
        waiting = len(self._queue)
        if waiting > self.max_queue and self._look is None:
            self.max_queue = waiting

    def _fill_cores(self) -> None:
        """Start all work that can start; batches once all events of this instant have happened."""
        if self._batch_max == 1:
            self._fill()
        elif self._look is None:
            self._look = self.kernel.call_at(self.kernel.time_s, self._look_at_queue, LAST)

    def _look_at_queue(self, _: Call) -> None:
        self._look = None
        self._fill()
        self.max_queue = max(self.max_queue, len(self._queue))

    def _fill(self) -> None:
        """Start all work that can start now."""
        queue = self._queue
        while queue and queue[0].task.cores <= self._free:
            head = queue[0]
            if self._batch_max == 1:
                del queue[0]
                self._start([head])
                continue
            batch = self._batch_of(head)
            if len(batch) < self._batch_max and self._waits_for_more(head):
                return
            if len(batch) == 1 or batch == list(islice(queue, len(batch))):
                for _ in batch:
                    del queue[0]
            else:
                for work in batch:
                    queue.remove(work)
            self._start(batch)

    def _batch_of(self, head: Work) -> list[Work]:
        """Return the waiting work that may run together with the head."""
        origin = head.task.origin
        alike = (work for work in self._queue if work.task.origin is origin)
        return list(islice(alike, self._batch_max))

    def _waits_for_more(self, head: Work) -> bool:
        """Return whether a batch that is not full waits for more; set the timer of the wait."""
        ends_s = head.ready_s + self._wait_s
        if self.kernel.time_s >= ends_s:
            return False
        if self._timer is None:
            self._timer = self.kernel.call_at(ends_s, self._wake, LAST)
        return True

    def _wake(self, timer: Call) -> None:
        if self._timer is timer:
            self._timer = None
            self._fill()

    def _start(self, batch: list[Work], run: Execution | None = None) -> None:
        """Start a batch: in an execution that has ended, if there is one."""
        task = batch[0].task
        cost = task.cost[len(batch)]
        if run is None:
            run = self._pool.pop() if self._pool else self._execution()
        run.work = batch
        run.start_s = now = self.kernel.time_s
        run.power_w = cost.power_w
        time_s = cost.time_s
        if self._factors is not None:
            time_s *= self._factors()
        if self._cooling is not None:
            time_s *= self._cooling.factor(now - self._worked_s)
        self._free -= task.cores
        self.executions += 1
        if self.host is None:
            heappush(self._agenda, (now + time_s, NORMAL, next(self._events), run))
        else:
            run.alone_s = time_s
            above_idle_w = run.power_w - self._idle_w
            end = partial(self._finish, run)
            run.share = Share(self.node.name, task.cores, time_s, above_idle_w, end)
            self.host.begin(run.share)

    def _finish(self, run: Execution) -> None:
        if run.void:
            return
        now = self._worked_s = self.kernel.time_s
        start = run.start_s
        batch = run.work
        task = batch[0].task
        self._free += task.cores
        time_s = now - start
        if self.host is None:
            joules = run.power_w * time_s
            self.joules_above_idle += joules - self._idle_w * time_s
            worked_s = time_s
        else:
            # The time beyond that alone draws idle power only.
            worked_s = run.alone_s
            above_j = (run.power_w - self._idle_w) * worked_s
            joules = above_j + self._idle_w * self.host.idle_share * time_s
            self.joules_above_idle += above_j
        self.busy_s += time_s * task.share
        if task.has_parts:
            self._parts.add(task.cost[len(batch)], worked_s)
        queue = self._queue
        if queue and self._plain and queue[0].task.cores <= self._free:
            # The loop of `_fill` without its frame: most servers end one and start one.
            head = queue[0]
            del queue[0]
            self._start([head], run)
            if self._free:
                self._fill()
        else:
            run.work = _NOTHING
            self._pool.append(run)
            if queue and not self._plain:
                self._fill_cores()
        if len(batch) == 1:
            self._done(batch[0], start, now, joules)
            return
        joules /= len(batch)
        for work in batch:
            self._done(work, start, now, joules)

    def _execution(self) -> Execution:
        """Return a new execution, of which there are as many as ever ran at once."""
        run = Execution(self._finished)
        self._executions.append(run)
        return run

    def close(self, now: float) -> None:
        """Add the time and energy of executions that still run."""
        for run in self._executions:
            if run.work:
                duration_s = now - run.start_s
                worked_s = self._done_s(run, duration_s)
                self.busy_s += duration_s * run.work[0].task.share
                self.joules_above_idle += (run.power_w - self._idle_w) * worked_s
                self._parts.add(run.work[0].task.cost[len(run.work)], worked_s)

    @property
    def waiting(self) -> int:
        """Return the number of pieces of work in the queue."""
        return len(self._queue)

    @property
    def busy_cores(self) -> int:
        """Return the number of cores that run work now."""
        return self._cores - self._free

    @property
    def idle_share(self) -> float:
        """Return the part of its device's idle power that this node counts."""
        return 1.0 if self.host is None else self.host.idle_share

    def joules_by_part(self, idle_s: float, ports_j: float) -> dict[str, float]:
        """Return the joules of each part of the device; nothing where it has no parts.

        Args:
            idle_s: seconds in service.
            ports_j: joules of sending and receiving above idle.
        """
        return self._parts.joules(idle_s, self.joules_above_idle, ports_j)

    def set_speed(self, cause: str, speed: float) -> None:
        """Limit the node to a share of its speed, for one cause; the shares of all causes multiply.

        Only for a node with a `Host`.
        """
        self._speeds[cause] = speed
        assert self.host is not None, "a node that can be slow has a host"
        self.host.set_speed(self.node.name, prod(self._speeds.values()))

    def withdraw(self, work: Work) -> bool:
        """Remove work that waits; return False where it does not, as it runs or has ended."""
        waits = work in self._queue
        if waits:
            self._queue.remove(work)
        return waits

    def crash(self) -> list[tuple[Work, float]]:
        """Stop at once; return the work that ran or waited, and the joules spent on each."""
        now = self.kernel.time_s
        lost: list[tuple[Work, float]] = []
        for run in self._executions:
            if run.work:
                joules = self._spent_j(run, now) / len(run.work)
                lost += [(work, joules) for work in run.work]
        self.close(now)
        for run in self._executions:
            run.void = True
            run.work = _NOTHING
            if self.host is not None and run.share is not None:
                self.host.stop(run.share)
        lost += [(work, 0.0) for work in self._queue]
        self._executions.clear()
        self._pool.clear()
        self._queue.clear()
        self._free = self._cores
        self._timer = None
        self.up = False
        return lost

    def _spent_j(self, run: Execution, now: float) -> float:
        """Return the joules of an execution that has not ended."""
        duration_s = now - run.start_s
        if self.host is None:
            return run.power_w * duration_s
        above_j = (run.power_w - self._idle_w) * self._done_s(run, duration_s)
        return above_j + self._idle_w * self.host.idle_share * duration_s

    def _done_s(self, run: Execution, duration_s: float) -> float:
        """Return the seconds that an execution would have needed alone for what it has done."""
        if self.host is None or run.share is None:
            return duration_s
        return run.alone_s - self.host.left_s(run.share)

    def unfinished_j(self) -> float:
        """Return the joules of all executions that run now."""
        now = self.kernel.time_s
        return sum(self._spent_j(run, now) for run in self._executions if run.work)
