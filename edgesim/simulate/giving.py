"""What becomes of a request when a step of it is given up."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter

from edgesim.simulate.attempts import Course
from edgesim.simulate.carrying import Carrying
from edgesim.simulate.choices import MEANS
from edgesim.simulate.recording import Outcome
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.work import Path, Request, Step

_FAILED = int(Outcome.FAILED)


class Giving(Carrying):
    """Gives steps up: a request goes on without an optional one, and fails with any other.

    Whoever waits for the output of a step that was given up waits for one input less. A step that
    is left without any input is given up in its turn, and a request that is left without any
    ending fails.

    Attributes:
        live: requests under way.
    """

    live: dict[Course, None]
    _recovery: Recovery
    _answered: Counter[str]
    _reasons: Counter[str]
    _used_j: float
    _lost_j: float

    @abstractmethod
    def call_off(self, request: Course, step: Step) -> None:
        """End every try of a step."""

    @abstractmethod
    def asked_all(self, request: Course, step: Step) -> None:
        """Start the clocks of a step once everything that it needs has been sent."""

    def waited(self, request: Course) -> Path:
        """Return the path of a request until now: all of it was waiting.

        Nothing says which part of a try that failed was what.
        """
        return (self.kernel.time_s - request.arrival_s, 0.0, 0.0, 0.0)

    def lose(self, request: Course, step: Step, why: str) -> None:
        """Give up a step."""
        if request.settled(step):
            return
        request.lost.add(step.index)
        self.call_off(request, step)
        request.mark_missing().parts[step] = None
        if not step.optional or not self._recovery.degrade:
            self.fail_request(request, why)
            return
        if step.last:
            self._end_without(request, why)
        for number in self.choices[request.way].out_of[step.index]:
            self._miss(request, number, why)

    def _miss(self, request: Course, number: int, why: str) -> None:
        """Go on without one transfer."""
        move = request.way.moves[number]
        step = move.target
        if request.over or number in request.gone or (step is not None and request.settled(step)):
            return
        live = [] if step is None else request.live(step)
        if live and all(number in attempt.arrived for attempt in live):
            return
        request.gone.add(number)
        request.mark_missing().parts[move] = None
        if step is None:
            self._end_without(request, why)
            return
        if all(other in request.gone for other in self.choices[request.way].into[step.index]):
            self.lose(request, step, why)
            return
        for attempt in tuple(live):
            if number not in attempt.arrived and not attempt.over:
                attempt.waiting -= 1
                if not attempt.waiting:
                    self.submit(attempt, self.kernel.time_s, self.waited(request))
        self.asked_all(request, step)

    def _end_without(self, request: Course, why: str) -> None:
        """Count an ending that will not come."""
        missing = request.mark_missing()
        missing.endings += 1
        if missing.endings == request.way.ends:
            self.fail_request(request, why)
            return
        self.end(request, self.kernel.time_s, self.waited(request))

    def fail_request(self, request: Course, why: str) -> None:
        """End a request without an answer."""
        self._reasons[why] += 1
        self.close(request, _FAILED)

    def close(self, request: Request, outcome: int) -> None:
        """End a request."""
        assert isinstance(request, Course)
        joules = sum(gave.joules for gave in request.done.values())
        if outcome == _FAILED:
            self._lost_j += joules
        else:
            self._used_j += joules
            self._answered[MEANS[request.means]] += 1
        del self.live[request]
        for index in tuple(request.attempts):
            self.call_off(request, request.way.steps[index])
        super().close(request, outcome)
