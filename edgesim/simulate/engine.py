"""The engine: plays a plan on a cluster where nothing fails."""

from __future__ import annotations

from collections.abc import Callable

from simpy.events import Event

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan
from edgesim.simulate.recording import Recording
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.resilient import Resilient, can_fail
from edgesim.simulate.run import START, Parcel, Progress, Run, Setup
from edgesim.simulate.traffic import Traffic
from edgesim.simulate.work import Move, Path, Request, Step, Work


class Departure(Event):
    """Moves of one request on their way to the first byte."""

    def __init__(
        self, engine: Engine, moves: tuple[Move, ...], request: Request, sent_s: float, path: Path
    ) -> None:
        self.env = engine.kernel
        self.callbacks = engine.departed
        self._ok = True
        self._value = None
        self.moves = moves
        self.request = request
        self.sent_s = sent_s
        self.path = path


class Engine(Run):
    """A run in which nothing fails. Use `simulate`."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.departed: list[Callable[[Departure], None]] = [self._depart]

    def _admit(self) -> None:
        """Take in one request now."""
        now = self.kernel.time_s
        index = self._offered
        self._offered = index + 1
        self._arrival_s[index] = now
        way = self._only_way or self._least_loaded()
        way.load += 1
        request = Request(index, now, way)
        for step in way.roots:
            step.server.submit(Work(request, step, now, START))
        if way.local or way.fan:
            self._forward(request, way.local, way.fan, now, START)

    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        """Go on from a step that ran."""
        request, step = work.request, work.task
        path = self._worked(work, start_s, end_s, joules)
        if step.last:
            self.end(request, end_s, path)
        else:
            self._forward(request, step.local, step.fan, end_s, path)

    def _forward(
        self,
        request: Request,
        local: tuple[Move, ...],
        fan: tuple[tuple[float, tuple[Move, ...]], ...],
        now: float,
        path: Path,
    ) -> None:
        for move in local:
            self._arrived(request, move, now, path)
        for before_s, moves in fan:
            if before_s > 0.0:
                departure = Departure(self, moves, request, now, path)
                self.kernel.at(now + before_s, departure)
            else:
                for move in moves:
                    self._send(Parcel(move, request, now, path))

    def _depart(self, departure: Departure) -> None:
        for move in departure.moves:
            self._send(Parcel(move, departure.request, departure.sent_s, departure.path))

    def _send(self, parcel: Parcel) -> None:
        """Start the flow of a parcel."""
        move = parcel.move
        assert move.route is not None
        self.flows.begin(move.route, move.size, parcel)

    def _delivered(self, token: Parcel) -> None:
        after_s = token.move.after_s
        if after_s > 0.0:
            self.kernel.call_after(after_s, lambda _: self._received(token))
        else:
            self._received(token)

    def _received(self, parcel: Parcel) -> None:
        now = self.kernel.time_s
        path = self._carried(parcel, now)
        self._arrived(parcel.request, parcel.move, now, path)

    def _arrived(self, request: Request, move: Move, now: float, path: Path) -> None:
        """Count an input that is there; the last one carries the critical path."""
        step: Step | None = move.target
        if step is None:
            self.end(request, now, path)
            return
        if step.inputs > 1:
            left = request.waiting[step.index] - 1
            request.waiting[step.index] = left
            if left:
                return
        step.server.submit(Work(request, step, now, path))


def simulate(
    plan: Plan,
    cluster: Cluster,
    traffic: Traffic,
    *,
    seed: int,
    replication: int = 0,
    trace_requests: int = 1000,
    progress: Progress | None = None,
    recovery: Recovery | None = None,
) -> Recording:
    """Play ``plan`` on ``cluster`` under ``traffic`` and return what happened.

    Args:
        plan: checked by `edgesim.placement.place`.
        cluster: nodes and network.
        traffic: what is asked.
        seed: of every random stream.
        replication: number of the repetition; each has streams of its own.
        trace_requests: how many leading requests leave spans.
        progress: told now and then how many requests ended.
        recovery: what is done about parts that do not answer; None for nothing.

    An interrupt (Ctrl-C) ends the run; the recording is then marked partial.
    """
    setup = Setup(
        plan=plan,
        cluster=cluster,
        traffic=traffic,
        seed=seed,
        replication=replication,
        trace_requests=trace_requests,
        progress=progress,
        recovery=recovery or Recovery(),
    )
    fails = can_fail(cluster) or setup.recovery != Recovery()
    return (Resilient if fails else Engine)(setup).play()
