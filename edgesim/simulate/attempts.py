"""Requests whose tasks may need several attempts: each attempt, and what failed so far."""

from __future__ import annotations

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
    """What failed of one request.

    Attributes:
        attempted: number of attempts so far, by the index of the task; hedges are not counted.
        asked: number of attempts so far, by the index of the task and the name of the node.
        lost: indices of tasks that were given up.
        cancelled: numbers of transfers that will not come.
    """

    attempted: dict[int, int]
    asked: dict[tuple[int, str], int]
    lost: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)


class TrackedRequest(Request):
    """A request in flight where something may fail.

    Attributes:
        ended: whether it was answered or has failed.
        attempts: attempts in progress, by the index of their task.
        results: attempts with a result, by the index of their task.
        joules: energy that was spent on the results, while nothing failed.
        measure: the strongest recovery measure that one of its results needed.
        timed_units: units whose deadline runs.
        trouble: what failed; None while each task that began has one attempt, on its own node.
    """

    __slots__ = ("attempts", "ended", "joules", "measure", "results", "timed_units", "trouble")

    works: list[Attempt | None]  # type: ignore[assignment]

    def __init__(self, branch: ReadyBranch) -> None:
        # What `Request` does, without its frame; nothing is added to the shared dictionary.
        self.index = 0
        self.arrival_s = 0.0
        self.branch = branch
        self.remaining = branch.endings
        self.begins = ()
        self.works = [None] * len(branch.tasks)
        self.missing = None
        self.ended = False
        self.attempts: dict[int, list[Attempt]] = {}
        self.results = _NO_RESULTS
        self.joules = 0.0
        self.measure = FIRST
        self.timed_units = _NO_UNITS
        self.trouble: Trouble | None = None

    def begin(self, task: ReadyTask) -> Attempt:
        """Return the first attempt at a task, on its own node."""
        index = task.index
        attempt = self.works[index]
        if attempt is None:
            attempt = self.works[index] = Attempt(self, task, task.inputs, FIRST)
        else:
            attempt.ended = False
            if task.inputs:
                attempt.waiting = task.inputs
                attempt.arrived.clear()
                attempt.coming.clear()
        self.attempts[index] = [attempt]
        return attempt

    def add_result(self, attempt: Attempt) -> None:
        """Hold the result of an attempt: its task may have to be computed again."""
        if self.results is _NO_RESULTS:
            self.results = {}
        self.results[attempt.task.index] = attempt

    def mark_trouble(self) -> Trouble:
        """Make this a request that something failed of; return what did."""
        if self.trouble is None:
            begun = (*self.results, *self.attempts)
            where = {index: self.branch.tasks[index].node for index in begun}
            self.trouble = Trouble(dict.fromkeys(begun, 1), dict.fromkeys(where.items(), 1))
        return self.trouble

    def settled(self, task: ReadyTask) -> bool:
        """Return whether nothing more is to be done for a task."""
        if self.ended or task.index in self.results:
            return True
        return self.trouble is not None and task.index in self.trouble.lost

    def live(self, task: ReadyTask) -> list[Attempt]:
        """Return the attempts at a task that are in progress."""
        return self.attempts.get(task.index, [])

    def attempted(self, task: ReadyTask) -> int:
        """Return the number of attempts at a task so far; hedges are not counted."""
        if self.trouble is not None:
            return self.trouble.attempted.get(task.index, 0)
        return int(task.index in self.attempts or task.index in self.results)

    def cancelled(self, number: int) -> bool:
        """Return whether a transfer will not come."""
        return self.trouble is not None and number in self.trouble.cancelled

    def waited(self, now: float) -> Path:
        """Return its path until now, all of it queueing.

        The parts of the path of a failed attempt are not known.
        """
        return (now - self.arrival_s, 0.0, 0.0, 0.0)


def tracked(index: int, now: float, branch: ReadyBranch) -> TrackedRequest:
    """Return a request of a branch that arrives now: one that has ended, if any is spare."""
    if branch.spare:
        request = branch.spare.pop()
        assert isinstance(request, TrackedRequest)
        request.remaining = branch.endings
        request.ended = False
        request.joules = 0.0
        if request.results:
            request.results.clear()
    else:
        request = TrackedRequest(branch)
    request.index = index
    request.arrival_s = now
    return request


def obsolete(parcel: Parcel) -> bool:
    """Return whether nothing waits for a transfer any more."""
    request, attempt = parcel.request, parcel.work
    assert isinstance(request, TrackedRequest)
    return request.ended or (isinstance(attempt, Attempt) and attempt.ended)
