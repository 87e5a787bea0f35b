"""What becomes of a request when a node that it needs is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesim.simulate.recording import Outcome
from edgesim.simulate.work import Move, Request, Step

if TYPE_CHECKING:
    from edgesim.simulate.engine import Engine, Parcel


class Losses:
    """Decides whether a request goes on without a step, or fails.

    A step that is not optional takes its request with it. Without an optional one the request goes
    on, degraded: whoever waits for its output waits for one input less. A step that is left
    without any input is lost in its turn, and a request that is left without any ending fails.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def lose(self, request: Request, step: Step) -> None:
        """Count a step that has not run as lost."""
        if request.over:
            return
        lost = request.lacks().parts
        if step in lost:
            return
        lost[step] = None
        if not step.optional:
            self._engine.close(request, Outcome.FAILED)
            return
        if step.last:
            self._end_without(request)
        for move in step.moves():
            self._miss(request, move)

    def drop(self, parcel: Parcel) -> None:
        """Lose what a parcel carried, one of whose ends is down."""
        move, request = parcel.move, parcel.request
        if request.over:
            return
        if move.target is not None and move.target_node in self._engine.crashes.down:
            self.lose(request, move.target)
        elif move.source is not None and move.source.optional:
            self._miss(request, move)
        else:
            self._engine.close(request, Outcome.FAILED)

    def forget(self, node: str) -> None:
        """Lose every step that holds some of its inputs on ``node`` and waits for others."""
        for request in list(self._engine.live or ()):
            for step in request.way.joins:
                if step.server.node.name == node and request.holds(step):
                    self.lose(request, step)

    def _miss(self, request: Request, move: Move) -> None:
        """Go on without one transfer."""
        if request.over:
            return
        lost = request.lacks().parts
        lost[move] = None
        step = move.target
        if step is None:
            self._end_without(request)
            return
        if all(other in lost for other in request.way.moves if other.target is step):
            self.lose(request, step)
            return
        now = self._engine.kernel.time_s
        # Nothing says which part of the wait was what: it was waiting.
        self._engine.arrived(request, move, now, (now - request.arrival_s, 0.0, 0.0, 0.0))

    def _end_without(self, request: Request) -> None:
        """Count an ending that will not come."""
        missing = request.lacks()
        missing.endings += 1
        if missing.endings == request.way.ends:
            self._engine.close(request, Outcome.FAILED)
            return
        now = self._engine.kernel.time_s
        self._engine.end(request, now, (now - request.arrival_s, 0.0, 0.0, 0.0))
