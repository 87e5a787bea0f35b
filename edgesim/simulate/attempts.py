"""Requests whose tasks may need several attempts: each attempt, and what failed so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgesim.simulate.work import START, Parcel, Path, ReadyBranch, ReadyTask, Request, Work

FIRST = 0
"""Measure of an attempt on a task's own node: the first of `edgesim.simulate.choices.MEASURES`."""
_NO_PARCELS: list[Parcel] = []
_NO_NUMBERS: set[int] = set()
_NO_UNITS: frozenset[str] = frozenset()
_NO_RESULTS: dict[int, Attempt] = {}


class Attempt(Work):
    """One attempt at one task of a request, on one node; its result, once it has one.

    Attributes:
        request: request of the task.
        measure: why this node was chosen: an index of `edgesim.simulate.choices.MEASURES`.
        arrived: numbers of the transfers whose data have arrived.
        coming: inputs that have left.
        path: path of the request until then; once it has a result, until its end.
        ended: whether it has ended, with a result or without.
        timed: whether its time-out runs.
        joules: energy that was spent on its result.
        crashes: crashes of its node until its result; one more, and the result is lost.
    """

    __slots__ = ("arrived", "coming", "crashes", "ended", "joules", "measure", "timed")

    request: TrackedRequest
    joules: float
    crashes: int

    def __init__(
        self, request: TrackedRequest, task: ReadyTask, waiting: int, measure: int
    ) -> None:
        self.request = request
        self.task = task
        self.waiting = waiting
        self.ready_s = 0.0
        self.path = START
        self.measure = measure
        self.ended = self.timed = False
        if waiting:
            self.arrived: set[int] = set()
            self.coming: list[Parcel] = []
        else:
            # Nobody writes there: nothing is sent to it.
            self.arrived, self.coming = _NO_NUMBERS, _NO_PARCELS

    @property
    def node(self) -> str:
        """Name of its node."""
        return self.task.node


@dataclass(eq=False, slots=True)
class Trouble:
    """What failed of one request, and what was attempted.

    Attributes:
        live: attempts in progress, by the index of their task.
        attempted: number of attempts so far, by the index of the task; hedges are not counted.
        asked: number of attempts so far, by the index of the task and the name of the node.
        lost: paths until tasks were given up, by the index of the task.
        cancelled: numbers of transfers that will not come.
    """

    live: dict[int, list[Attempt]]
    attempted: dict[int, int]
    asked: dict[tuple[int, str], int]
    lost: dict[int, Path] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)


class TrackedRequest(Request):
    """A request in flight where something may fail.

    While nothing has failed of it, each of its tasks that began has one attempt, on its own node:
    an attempt that has not ended is in progress. After that, ``trouble`` has them.

    Attributes:
        begun: first attempts at tasks with inputs, in the order in which they began.
        ended: whether it was answered or has failed.
        results: attempts with a result, by the index of their task.
        joules: energy that was spent on the results, while nothing failed.
        measure: the strongest recovery measure that one of its results needed.
        timed_units: units whose deadline runs.
    """

    __slots__ = ("begun", "ended", "joules", "measure", "results", "timed_units")

    begins: tuple[Attempt, ...]
    works: list[Attempt | None]  # type: ignore[assignment]
    trouble: Trouble | None

    def __init__(self, branch: ReadyBranch) -> None:
        # What `Request` does, without its frame.
        self.index = 0
        self.arrival_s = 0.0
        self.branch = branch
        self.remaining = branch.endings
        self.works = [None] * len(branch.tasks)
        self.begins = tuple(Attempt(self, task, 0, FIRST) for task in branch.roots)
        for attempt in self.begins:
            self.works[attempt.task.index] = attempt
        self.missing = None
        self.begun: list[Attempt] = []
        self.ended = False
        self.results = _NO_RESULTS
        self.joules = 0.0
        self.measure = FIRST
        self.timed_units = _NO_UNITS
        self.trouble = None

    def renew(self) -> None:
        """Make a request of which nothing failed ready to be used for a later one."""
        self.joules = 0.0
        if self.results:
            self.results.clear()
            for attempt in self.begins:
                attempt.ended = False
                attempt.path = START
        if self.begun:
            for attempt in self.begun:
                attempt.ended = True
            self.begun.clear()

    def begin(self, task: ReadyTask) -> Attempt:
        """Return the first attempt at a task, on its own node."""
        attempt = self.works[task.index]
        if attempt is None:
            attempt = self.works[task.index] = Attempt(self, task, task.inputs, FIRST)
        else:
            attempt.ended = False
            if task.inputs:
                attempt.waiting = task.inputs
                attempt.arrived.clear()
                attempt.coming.clear()
        if task.inputs:
            self.begun.append(attempt)
        return attempt

    def add_result(self, attempt: Attempt) -> None:
        """Hold the result of an attempt: its task may have to be computed again."""
        if self.results is _NO_RESULTS:
            self.results = {}
        self.results[attempt.task.index] = attempt

    def in_progress(self) -> list[Attempt]:
        """Return all attempts that are in progress."""
        if self.trouble is None:
            return [attempt for attempt in (*self.begins, *self.begun) if not attempt.ended]
        return [attempt for attempts in self.trouble.live.values() for attempt in attempts]

    def mark_trouble(self) -> Trouble:
        """Make this a request that something failed of; return what did."""
        if self.trouble is None:
            live = {one.task.index: [one] for one in self.in_progress()}
            begun = (*self.results, *live)
            where = {index: self.branch.tasks[index].node for index in begun}
            asked = dict.fromkeys(where.items(), 1)
            self.trouble = Trouble(live, dict.fromkeys(begun, 1), asked)
        return self.trouble

    def settled(self, task: ReadyTask) -> bool:
        """Return whether nothing more is to be done for a task."""
        if self.ended or task.index in self.results:
            return True
        return self.trouble is not None and task.index in self.trouble.lost

    def live(self, task: ReadyTask) -> Sequence[Attempt]:
        """Return the attempts at a task that are in progress."""
        if self.trouble is not None:
            return self.trouble.live.get(task.index, ())
        attempt = self.works[task.index]
        return () if attempt is None or attempt.ended else (attempt,)

    def attempted(self, task: ReadyTask) -> int:
        """Return the number of attempts at a task so far; hedges are not counted."""
        if self.trouble is not None:
            return self.trouble.attempted.get(task.index, 0)
        return int(task.index in self.results or bool(self.live(task)))

    def cancelled(self, number: int) -> bool:
        """Return whether a transfer will not come."""
        return self.trouble is not None and number in self.trouble.cancelled

    def waited(self, now: float, sources: Sequence[int], *, lost: bool) -> Path:
        """Return its path until now along a task that has waited since its inputs were sent.

        Of that wait, attempts that failed and the pauses between them are queueing. Of a task that
        was given up nothing is known since then: all is transfer, as in a real run
        (`edgesim.serve.coordinator.recorder.Recorder`).

        Args:
            now: the time, in seconds.
            sources: indices of the tasks that sent the inputs.
            lost: whether the task was given up.
        """
        path, paths = START, self.mark_trouble().lost
        for source in sources:
            result = self.results.get(source)
            ended = paths.get(source, START) if result is None else result.path
            path = max(path, ended, key=sum)
        waited_s = max(0.0, now - self.arrival_s - sum(path))
        queue_s, compute_s, transfer_s, fusion_s = path
        if lost:
            return (queue_s, compute_s, transfer_s + waited_s, fusion_s)
        return (queue_s + waited_s, compute_s, transfer_s, fusion_s)


def obsolete(parcel: Parcel) -> bool:
    """Return whether nothing waits for a transfer any more."""
    request, attempt = parcel.request, parcel.work
    assert isinstance(request, TrackedRequest)
    return request.ended or (isinstance(attempt, Attempt) and attempt.ended)
