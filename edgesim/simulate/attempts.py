"""Requests whose tasks may need several attempts: each attempt, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgesim.simulate.work import (
    Parcel,
    ReadyBranch,
    ReadyTask,
    Request,
    Work,
)

_NONE: frozenset[Any] = frozenset()


@dataclass(eq=False, slots=True)
class Attempt:
    """One attempt at one task of a request, on one node.

    Attributes:
        request: request of the task.
        task: the task on the node that was chosen.
        waiting: number of inputs that have not arrived.
        measure: why this node was chosen: an index of `edgesim.simulate.choices.MEASURES`.
        arrived: numbers of the transfers whose data have arrived.
        work: the task on its server; None until every input has arrived.
        ended: whether it has ended, with a result or without.
        timed: whether its time-out runs.
        coming: inputs in transit.
    """

    request: TrackedRequest
    task: ReadyTask
    waiting: int
    measure: int
    arrived: set[int] = field(default_factory=set)
    work: AttemptWork | None = None
    ended: bool = False
    timed: bool = False
    coming: list[AttemptParcel] = field(default_factory=list)

    @property
    def node(self) -> str:
        """Name of its node."""
        return self.task.node


@dataclass(eq=False, slots=True)
class AttemptWork(Work):
    """The task of one attempt, on its server."""

    attempt: Attempt


@dataclass(eq=False, slots=True)
class TaskResult:
    """The result of a task of a request.

    Attributes:
        task: the task on the node that ran it and holds the result.
        crashes: crashes of that node until then; one more, and the result is lost.
        joules: energy that was spent on it.
    """

    task: ReadyTask
    crashes: int
    joules: float


class TrackedRequest(Request):
    """A request in flight where something may fail.

    Attributes:
        attempts: attempts in progress, by the index of their task.
        results: results, by the index of their task.
        attempted: number of attempts so far, by the index of the task; hedges are not counted.
        asked: number of attempts so far, by the index of the task and the name of the node.
        lost: indices of tasks that were given up.
        cancelled: numbers of transfers that will not come.
        timed_units: units whose deadline runs.
        measure: the strongest recovery measure that one of its results needed.
    """

    __slots__ = (
        "asked", "attempted", "attempts", "cancelled", "lost", "measure", "results", "timed_units",
    )  # fmt: skip

    def __init__(self, index: int, arrival_s: float, branch: ReadyBranch) -> None:
        super().__init__(index, arrival_s, branch)
        self.attempts: dict[int, list[Attempt]] = {}
        self.results: dict[int, TaskResult] = {}
        self.attempted: dict[int, int] = {}
        self.asked: dict[tuple[int, str], int] = {}
        # Most requests lose nothing: a set of their own is made at the first entry.
        self.lost: frozenset[int] = _NONE
        self.cancelled: frozenset[int] = _NONE
        self.timed_units: frozenset[str] = _NONE
        self.measure = 0

    def settled(self, task: ReadyTask) -> bool:
        """Return whether nothing more is to be done for a task."""
        return self.ended or task.index in self.results or task.index in self.lost

    def live(self, task: ReadyTask) -> list[Attempt]:
        """Return the attempts at a task that are in progress."""
        return self.attempts.get(task.index, [])

    def lose(self, task: ReadyTask) -> None:
        """Take note that a task was given up."""
        self.lost = self.lost | {task.index}

    def cancel(self, number: int) -> None:
        """Take note that a transfer will not come."""
        self.cancelled = self.cancelled | {number}


@dataclass(eq=False, slots=True)
class AttemptParcel(Parcel):
    """One transfer of a request, in transit to one attempt, or to the end of the request.

    Attributes:
        attempt: attempt that receives it; None for an answer.
        number: index of the transfer in its branch.
    """

    request: TrackedRequest
    number: int
    attempt: Attempt | None

    @property
    def obsolete(self) -> bool:
        """Whether nothing waits for it any more."""
        return self.request.ended or (self.attempt is not None and self.attempt.ended)
