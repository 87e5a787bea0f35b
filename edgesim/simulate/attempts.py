"""Requests that may need more than one try: which parts were asked where, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgesim.simulate.run import Parcel
from edgesim.simulate.work import Move, Path, Request, Step, Way, Work


@dataclass(eq=False, slots=True)
class Attempt:
    """One try of one step of a request, on one node.

    Attributes:
        request: that it is of.
        step: on the node that is asked.
        waiting: inputs that are not there yet.
        means: why this node was asked: a place in `edgesim.simulate.choices.MEANS`.
        arrived: moves whose data are there.
        work: on its server; None until every input is there.
        over: it ended, one way or the other.
        timed: its time-out runs.
        coming: inputs on their way.
    """

    request: Course
    step: Step
    waiting: int
    means: int
    arrived: set[int] = field(default_factory=set)
    work: Tried | None = None
    over: bool = False
    timed: bool = False
    coming: list[Carried] = field(default_factory=list)


class Tried(Work):
    """The work of one try, on its server."""

    __slots__ = ("attempt",)

    def __init__(self, attempt: Attempt, ready_s: float, path: Path) -> None:
        super().__init__(attempt.request, attempt.step, ready_s, path)
        self.attempt = attempt


@dataclass(eq=False, slots=True)
class Gave:
    """What a step gave: where it lies, and how long it took to be there.

    Attributes:
        step: on the node that ran it.
        path: of the request up to its end.
        life: of that node then; another life has lost the result.
        joules: spent on it.
    """

    step: Step
    path: Path
    life: int
    joules: float


class Course(Request):
    """A request in flight where something may fail.

    Attributes:
        attempts: under way, by the number of their step.
        done: results, by the number of their step.
        tried: tries so far, by the number of the step.
        asked: tries of each step on each node.
        lost: numbers of steps that were given up.
        gone: numbers of moves that will not come.
        begun: numbers of units whose deadline runs.
        means: the most that was done for one of its parts.
    """

    __slots__ = (
        "asked", "attempts", "begun", "done", "gone", "lost", "means", "tried",
    )  # fmt: skip

    def __init__(self, index: int, arrival_s: float, way: Way) -> None:
        super().__init__(index, arrival_s, way)
        self.attempts: dict[int, list[Attempt]] = {}
        self.done: dict[int, Gave] = {}
        self.tried: dict[int, int] = {}
        self.asked: dict[tuple[int, str], int] = {}
        self.lost: set[int] = set()
        self.gone: set[int] = set()
        self.begun: set[str] = set()
        self.means = 0

    def settled(self, step: Step) -> bool:
        """Whether nothing more is to be done for a step."""
        return self.over or step.index in self.done or step.index in self.lost

    def live(self, step: Step) -> list[Attempt]:
        """Return the tries of a step that are under way."""
        return self.attempts.get(step.index, [])


class Carried(Parcel):
    """A move of a request on its way to one try, or to the end of the request.

    Attributes:
        attempt: that it is for; None for an answer.
        move: between the nodes that it crosses.
        number: of the move in its way.
        request: that it is of.
        sent_s: when it left.
        path: of the request up to then.
    """

    __slots__ = ("attempt", "number")

    request: Course

    def __init__(
        self,
        request: Course,
        move: Move,
        number: int,
        attempt: Attempt | None,
        sent_s: float,
        path: Path,
    ) -> None:
        super().__init__(move, request, sent_s, path)
        self.number = number
        self.attempt = attempt

    @property
    def useless(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.request.over or (self.attempt is not None and self.attempt.over)
