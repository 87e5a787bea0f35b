"""How the data of requests travel where something may fail."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from edgesim.simulate.attempts import Attempt, Carried, Course
from edgesim.simulate.choices import Choices
from edgesim.simulate.loss import tail_s
from edgesim.simulate.reassign import Shipment
from edgesim.simulate.run import Run
from edgesim.simulate.work import Path, Step, Way


class Carrying(Run):
    """Sends the moves of requests to the tries that wait for them.

    Attributes:
        choices: where each step of a way can run.
    """

    choices: dict[Way, Choices]
    _tail: np.random.Generator

    @abstractmethod
    def fail(self, attempt: Attempt, why: str) -> None:
        """End a try that came to nothing."""

    @abstractmethod
    def fail_request(self, request: Course, why: str) -> None:
        """End a request without an answer."""

    @abstractmethod
    def redo(self, request: Course, step: Step) -> None:
        """Compute a step again whose result is lost."""

    @abstractmethod
    def submit(self, attempt: Attempt, now: float, path: Path) -> None:
        """Hand a try whose every input is there to its server."""

    @abstractmethod
    def strike(self, name: str) -> None:
        """Count a failure of a node."""

    def _ship(
        self,
        request: Course,
        number: int,
        source: Step | None,
        attempt: Attempt | None,
        now: float,
        path: Path,
    ) -> None:
        target = None if attempt is None else attempt.step
        move = self.choices[request.way].move(number, source, target)
        parcel = Carried(request, move, number, attempt, now, path)
        if move.route is None:
            self._arrived(parcel, now, path)
            return
        before_s = move.before_s + move.route.extra_s
        if before_s > 0.0:
            self.kernel.call_at(now + before_s, lambda _: self._send(parcel))
        else:
            self._send(parcel)

    def _send(self, parcel: Carried) -> None:
        if parcel.useless:
            return
        move = parcel.move
        if not self.servers[move.source_node].up or not self.servers[move.target_node].up:
            self._dropped(parcel)
            return
        assert move.route is not None
        if parcel.attempt is not None:
            parcel.attempt.coming.append(parcel)
        self.flows.begin(move.route, move.size, parcel)

    def _dropped(self, parcel: Carried) -> None:
        """Go on from a parcel one of whose ends is down."""
        request, move, attempt = parcel.request, parcel.move, parcel.attempt
        if parcel.useless:
            return
        if attempt is not None and not self.servers[move.target_node].up:
            self.strike(move.target_node)
            self.fail(attempt, "crash")
        elif move.source is not None and not self.servers[move.source_node].up:
            self.redo(request, request.way.steps[move.source.index])
        elif attempt is not None:
            self.fail(attempt, "crash")
        else:
            self.fail_request(request, "nobody takes the answer")

    def _delivered(self, token: object) -> None:
        if isinstance(token, Shipment):
            token.there()
            return
        assert isinstance(token, Carried)
        route = token.move.route
        after_s = token.move.after_s
        if route is not None and route.loss > 0.0:
            after_s += tail_s(route.loss, self._tail)
        if after_s > 0.0:
            self.kernel.call_after(after_s, lambda _: self._received(token))
        else:
            self._received(token)

    def _received(self, parcel: Carried) -> None:
        now = self.kernel.time_s
        self._arrived(parcel, now, self._carried(parcel, now))

    def _arrived(self, parcel: Carried, now: float, path: Path) -> None:
        """Count an input that is there; the last one carries the critical path."""
        attempt = parcel.attempt
        if parcel.useless:
            return
        if attempt is None:
            self.end(parcel.request, now, path)
            return
        if parcel.number in attempt.arrived:
            return
        attempt.arrived.add(parcel.number)
        attempt.waiting -= 1
        if not attempt.waiting:
            self.submit(attempt, now, path)
