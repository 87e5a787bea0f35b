"""Deadlines, time-outs and hedges: what happens to tasks that take long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgesim.simulate.attempts import Attempt, TrackedRequest
from edgesim.simulate.choices import HEDGE, Choices
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.work import ReadyBranch, ReadyTask


@dataclass(eq=False, slots=True)
class Clocks:
    """Starts the deadline of each unit, and the time-outs and hedges of attempts.

    Attributes:
        kernel: the clock.
        recovery: how long each wait may be.
        choices: units and inputs of the tasks of each branch.
        give_up: called for a task that has no result by its deadline, with the reason.
        fail: called for an attempt whose time is over, with the reason.
        hedge: called for an attempt that is slow.
    """

    kernel: Kernel
    recovery: Recovery
    choices: Mapping[ReadyBranch, Choices]
    give_up: Callable[[TrackedRequest, ReadyTask, str], None]
    fail: Callable[[Attempt, str], None]
    hedge: Callable[[Attempt], None]

    def start(self, request: TrackedRequest, task: ReadyTask) -> None:
        """Start the clocks of a task whose inputs have all been sent; no effect before that."""
        if request.settled(task):
            return
        choices, transfers = self.choices[request.branch], request.branch.transfers
        for number in choices.inputs[task.index]:
            source = transfers[number].source
            if not (source is None or source.index in request.results or request.cancelled(number)):
                return
        now, deadline_s = self.kernel.time_s, self.recovery.deadline_s
        unit = choices.units[task.index]
        if deadline_s is not None and unit not in request.timed_units:
            request.timed_units = request.timed_units | {unit}
            self.kernel.call_at(now + deadline_s, lambda _: self._late(request, unit))
        for attempt in request.live(task):
            if not attempt.timed:
                attempt.timed = True
                self._start_timeout(attempt, now)

    def _start_timeout(self, attempt: Attempt, now: float) -> None:
        retry, hedge = self.recovery.retry, self.recovery.hedge
        if retry is not None and retry.timeout_s is not None:
            self.kernel.call_at(now + retry.timeout_s, lambda _: self.fail(attempt, "timeout"))
        if hedge is not None and attempt.measure != HEDGE:
            self.kernel.call_at(now + hedge.after_s, lambda _: self.hedge(attempt))

    def _late(self, request: TrackedRequest, unit: str) -> None:
        """Give up the tasks of a unit that have no result by their deadline."""
        units = self.choices[request.branch].units
        for own, task_unit in zip(request.branch.tasks, units, strict=True):
            if task_unit == unit and not request.settled(own):
                self.give_up(request, own, "deadline")
