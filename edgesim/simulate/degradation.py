"""Tasks that are given up: what requests go without, why, and which of them fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from edgesim.common.text import duration
from edgesim.simulate.attempts import TrackedRequest
from edgesim.simulate.choices import Choices
from edgesim.simulate.deadlines import Clocks
from edgesim.simulate.dropping import DROPPED
from edgesim.simulate.recording import Outcome
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.setup import Running
from edgesim.simulate.work import Path, ReadyBranch, ReadyTask

_FAILED, _DROPPED = int(Outcome.FAILED), int(Outcome.DROPPED)


class Degradation:
    """Lets requests go on without tasks that were given up.

    A request goes on without an optional task, and fails with any other. Whatever waits for the
    output of a task that was given up waits for one input less; a task that is left without any
    input is given up as well, and a request that is left without any ending fails.

    Args:
        engine: runs the requests.
        recovery: whether requests go on without optional tasks, and how long waits may be.
        choices: units, inputs and outputs of the tasks of each branch.
        cancel: ends every attempt at a task.

    Attributes:
        reasons: number of requests that failed, by reason.
        dropped: number of requests that queues dropped, by reason.
        clocks: deadlines, time-outs and hedges; None without any.
    """

    def __init__(
        self,
        engine: Running,
        recovery: Recovery,
        choices: Mapping[ReadyBranch, Choices],
        cancel: Callable[[TrackedRequest, ReadyTask], None],
    ) -> None:
        self.reasons: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.clocks: Clocks | None = None
        self._engine, self._kernel = engine, engine.kernel
        self._outcome = engine.recorder.outcome
        self._choices = choices
        self._cancel = cancel
        self._degrade = recovery.degrade
        self._sentences = _sentences(recovery)

    def give_up(self, request: TrackedRequest, task: ReadyTask, reason: str) -> None:
        """Go on without the result of a task; ``reason`` is that of its last attempt."""
        if request.settled(task):
            return
        choices = self._choices[request.branch]
        title, why = choices.titles[task.index], self._sentences.get(reason, reason)
        request.mark_missing().reasons.setdefault(title, why)
        path = request.waited(self._kernel.time_s, choices.sources[task.index], lost=True)
        self._go_without(request, task, reason, path)

    def fail(self, request: TrackedRequest, reason: str) -> None:
        """Close a request without an answer."""
        request.mark_trouble()
        if reason in DROPPED:
            self.dropped[reason] += 1
            self._outcome[request.index] = _DROPPED
        else:
            self.reasons[reason] += 1
            self._outcome[request.index] = _FAILED
        self._engine.close(request)

    def _go_without(
        self, request: TrackedRequest, task: ReadyTask, reason: str, path: Path
    ) -> None:
        """Go on without a task that was given up, or that is left without any input."""
        request.mark_trouble().lost[task.index] = path
        self._cancel(request, task)
        request.mark_missing().parts[task] = None
        if not task.optional or not self._degrade:
            self.fail(request, reason)
            return
        if task.last:
            self._end_without(request, reason, path)
        for number in self._choices[request.branch].outputs[task.index]:
            self._cancel_transfer(request, number, reason, path)

    def _cancel_transfer(
        self, request: TrackedRequest, number: int, reason: str, path: Path
    ) -> None:
        """Go on without one transfer."""
        transfer = request.branch.transfers[number]
        task = transfer.target
        settled = request.ended if task is None else request.settled(task)
        if settled or request.cancelled(number):
            return
        live = [] if task is None else request.live(task)
        if live and all(number in attempt.arrived for attempt in live):
            return
        cancelled = request.mark_trouble().cancelled
        cancelled.add(number)
        request.mark_missing().parts[transfer] = None
        if task is None:
            self._end_without(request, reason, path)
            return
        if cancelled.issuperset(self._choices[request.branch].inputs[task.index]):
            self._go_without(request, task, reason, path)
            return
        for attempt in tuple(live):
            if number not in attempt.arrived and not attempt.ended:
                attempt.waiting -= 1
                if not attempt.waiting:
                    self._engine.submit(attempt, self._kernel.time_s, path)
        if self.clocks is not None:
            self.clocks.start(request, task)

    def _end_without(self, request: TrackedRequest, reason: str, path: Path) -> None:
        """Count an ending that will not come."""
        missing = request.mark_missing()
        missing.endings += 1
        if missing.endings == request.branch.endings:
            self.fail(request, reason)
            return
        self._engine.end(request, self._kernel.time_s, path)


def _sentences(recovery: Recovery) -> dict[str, str]:
    """Return why a part was given up, for people, by the reason of its last attempt."""
    retry = recovery.retry
    limits = {"deadline": recovery.deadline_s, "timeout": retry and retry.timeout_s}
    return {
        "crash": "lost in a crash",
        "out of service": "the node is out of service",
        **{name: f"no answer within {duration(one)}" for name, one in limits.items() if one},
    }
