"""The engine: plays a plan on a cluster under traffic."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from heapq import heappush

import numpy as np
from simpy.events import NORMAL, Event

from edgesim.hardware import Cluster
from edgesim.placement.plan import Plan
from edgesim.simulate.arrivals import CLOSED_LOOP, arrival_times, in_flight
from edgesim.simulate.faults import Crashes
from edgesim.simulate.flows import Flows
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.losses import Losses
from edgesim.simulate.ports import Port
from edgesim.simulate.recording import Outcome, Recording, Span
from edgesim.simulate.server import Server
from edgesim.simulate.streams import service_factors
from edgesim.simulate.totals import link_totals, node_totals, transfer_joules
from edgesim.simulate.traffic import Traffic
from edgesim.simulate.work import Move, Path, Request, Step, Way, Work

Progress = Callable[[int], None]
"""Called now and then with the number of requests that ended."""

# Looking a member up in an enumeration costs more than the rest of the line that stores it.
_COMPLETED = int(Outcome.COMPLETED)
_DEGRADED = int(Outcome.DEGRADED)
_START: Path = (0.0, 0.0, 0.0, 0.0)


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


class Parcel:
    """One move of one request."""

    __slots__ = ("move", "path", "request", "sent_s")

    def __init__(self, move: Move, request: Request, sent_s: float, path: Path) -> None:
        self.move = move
        self.request = request
        self.sent_s = sent_s
        self.path = path


class Engine:
    """One run of a plan. Use `simulate`."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        traffic: Traffic,
        seed: int,
        replication: int,
        trace_requests: int,
        progress: Progress | None,
    ) -> None:
        self.kernel = kernel = Kernel()
        self.departed: list[Callable[[Departure], None]] = [self._depart]
        self._agenda, self._serial = kernel.agenda, kernel.serial
        self._cluster = cluster
        self._traffic = traffic
        self._trace_requests = trace_requests
        self._progress = progress
        self._step = max(1, traffic.requests // 200)
        self.ports = {name: Port() for name in cluster.nodes}
        self.flows = Flows(kernel, cluster.network, self.ports, self._delivered)
        sharing = Counter(node.host for node in cluster.nodes.values())
        hosts = {name: Host(kernel, cores, sharing[name]) for name, cores in cluster.hosts.items()}
        self.servers = {
            name: Server(
                kernel,
                node,
                service_factors(node, seed, replication),
                self._ran,
                None if node.host is None else hosts[node.host],
            )
            for name, node in cluster.nodes.items()
        }
        self.ways = tuple(
            Way(branch, plan, self.servers, traffic.samples) for branch in plan.branches
        )
        for way in self.ways:
            way.connect(self.flows, cluster)
        self._only_way = self.ways[0] if len(self.ways) == 1 else None
        self.over = kernel.event()
        self.crashes = Crashes(self, cluster, seed, replication)
        self.losses = Losses(self)
        self.live: dict[Request, None] | None = {} if self.crashes.possible else None
        """Requests in flight, kept only where a node can fail."""
        count = traffic.requests
        self._times = arrival_times(traffic, seed, replication)
        self._arrival_s = array("d", bytes(8 * count))
        self._latency_s = array("d", [float("nan")]) * count
        self._path_s = tuple(array("d", bytes(8 * count)) for _ in range(4))
        self._outcome = bytearray(count)
        self._missing: dict[frozenset[str], int] = {}
        self._spans: list[Span] = []
        self._offered = 0
        self._asked = 0
        self._ended = 0

    def play(self) -> Recording:
        """Run to the end of the last request, or until interrupted."""
        partial = False
        try:
            self._begin()
            self.kernel.play(self.over)
        except KeyboardInterrupt:
            partial = True
        return self._record(partial)

    def _begin(self) -> None:
        traffic = self._traffic
        self.crashes.begin()
        if self._times is None:
            assert traffic.arrivals in CLOSED_LOOP
            self._asked = min(in_flight(traffic), traffic.requests)
            for _ in range(self._asked):
                self._admit()
            return
        self._arrivals = iter(self._times.tolist())
        self._arrival_callbacks = [self._arrive]
        self._next_arrival = self.kernel.event()
        self._next_arrival._ok = True
        self._next_arrival._value = None
        for time_s in self._arrivals:
            self._next_arrival.callbacks = self._arrival_callbacks  # type: ignore[assignment]
            self.kernel.at(time_s, self._next_arrival)
            break

    def _arrive(self, event: Event) -> None:
        self._admit()
        for time_s in self._arrivals:
            event.callbacks = self._arrival_callbacks  # type: ignore[assignment]
            heappush(self._agenda, (time_s, NORMAL, next(self._serial), event))
            return

    def _admit(self) -> None:
        """Take in one request now."""
        now = self.kernel.time_s
        index = self._offered
        self._offered = index + 1
        self._arrival_s[index] = now
        way = self._only_way or self._least_loaded()
        way.load += 1
        request = Request(index, now, way)
        if self.live is not None:
            self.live[request] = None
        for step in way.roots:
            if step.server.up:
                step.server.submit(Work(request, step, now, _START))
            else:
                self.losses.lose(request, step)
        if way.local or way.fan:
            self._forward(request, way.local, way.fan, now, _START)

    def _least_loaded(self) -> Way:
        """Return the way with the least work ahead of a new request, among those that are up."""
        up = [way for way in self.ways if all(server.up for server in way.servers)]
        return min(up or self.ways, key=lambda way: (way.load + 1) * way.expected_s)

    def _enter(self, request: Request, step: Step, now: float, path: Path) -> None:
        """Hand a step all of whose inputs are there to its server."""
        if not step.server.up:
            self.losses.lose(request, step)
        elif not request.over:
            step.server.submit(Work(request, step, now, path))

    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        """Go on from a step that ran."""
        request = work.request
        step = work.task
        queue_s, compute_s, transfer_s, fusion_s = work.path
        if step.message:
            # The wait for whoever handles messages is part of the way.
            transfer_s += end_s - work.ready_s
        else:
            queue_s += start_s - work.ready_s
            if step.fusion:
                fusion_s += end_s - start_s
            else:
                compute_s += end_s - start_s
        if request.index < self._trace_requests:
            self._spans.append(
                Span(
                    request.index, step.name, step.server.node.name, "", step.span_kind,
                    start_s, end_s, joules,
                )
            )  # fmt: skip
        if request.over:
            return
        path = (queue_s, compute_s, transfer_s, fusion_s)
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
            self.arrived(request, move, now, path)
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
        """Start the flow of a parcel, unless one of its ends is down."""
        move = parcel.move
        if parcel.request.over:
            return
        if self.crashes.any_down and self.crashes.severed(move):
            self.losses.drop(parcel)
            return
        assert move.route is not None
        self.flows.begin(move.route, move.size, parcel)

    def _delivered(self, parcel: Parcel) -> None:
        after_s = parcel.move.after_s
        if after_s > 0.0:
            self.kernel.call_at(self.kernel.time_s + after_s, lambda _: self._received(parcel))
        else:
            self._received(parcel)

    def _received(self, parcel: Parcel) -> None:
        now = self.kernel.time_s
        queue_s, compute_s, transfer_s, fusion_s = parcel.path
        move, request = parcel.move, parcel.request
        if request.index < self._trace_requests:
            joules = transfer_joules(move, self._cluster)
            self._spans.append(
                Span(
                    request.index, move.name, move.source_node, move.target_node, "transfer",
                    parcel.sent_s, now, joules,
                )
            )  # fmt: skip
        path = (queue_s, compute_s, transfer_s + (now - parcel.sent_s), fusion_s)
        self.arrived(request, move, now, path)

    def arrived(self, request: Request, move: Move, now: float, path: Path) -> None:
        """Count an input that is there; the last one carries the critical path."""
        if request.over:
            return
        step = move.target
        if step is None:
            self.end(request, now, path)
            return
        if step.inputs > 1:
            left = request.waiting[step.index] - 1
            request.waiting[step.index] = left
            if left:
                return
        self._enter(request, step, now, path)

    def end(self, request: Request, now: float, path: Path) -> None:
        """Count one ending; the last one answers the request."""
        request.remaining -= 1
        if request.remaining:
            return
        index = request.index
        self._latency_s[index] = now - request.arrival_s
        queue, compute, transfer, fusion = self._path_s
        queue[index], compute[index], transfer[index], fusion[index] = path
        if request.missing is None:
            self.close(request, _COMPLETED)
            return
        missing = request.missing.results()
        self._missing[missing] = self._missing.get(missing, 0) + 1
        self.close(request, _DEGRADED)

    def close(self, request: Request, outcome: int) -> None:
        """End a request."""
        request.over = True
        request.way.load -= 1
        if self.live is not None:
            del self.live[request]
        self._outcome[request.index] = outcome
        self._ended += 1
        if self._progress is not None and self._ended % self._step == 0:
            self._progress(self._ended)
        if self._ended == self._traffic.requests:
            self.over.succeed()
        elif self._times is None and self._asked < self._traffic.requests:
            # A new event, not a call: a request that fails at once must not recurse.
            self._asked += 1
            self.kernel.call_at(self.kernel.time_s, lambda _: self._admit())

    def _record(self, partial: bool) -> Recording:
        now = self.kernel.time_s
        for server in self.servers.values():
            server.close(now)
        for port in self.ports.values():
            port.close(now)
        self.flows.close(now)
        offered = self._offered if partial else self._traffic.requests
        columns = [np.frombuffer(column, dtype=np.float64)[:offered] for column in self._path_s]
        keys = ("queue", "compute", "transfer", "fusion")
        return Recording(
            arrival_s=np.frombuffer(self._arrival_s, dtype=np.float64)[:offered],
            latency_s=np.frombuffer(self._latency_s, dtype=np.float64)[:offered],
            breakdown_s=dict(zip(keys, columns, strict=True)),
            outcome=np.frombuffer(self._outcome, dtype=np.uint8)[:offered],
            missing=self._missing,
            spans=tuple(self._spans),
            nodes=node_totals(self.servers, self.ports, self.crashes.down_s(now), now),
            links=link_totals(self._cluster.network, self.flows.channels, now),
            simulated_s=now,
            partial=partial,
        )


def simulate(
    plan: Plan,
    cluster: Cluster,
    traffic: Traffic,
    *,
    seed: int,
    replication: int = 0,
    trace_requests: int = 1000,
    progress: Progress | None = None,
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

    An interrupt (Ctrl-C) ends the run; the recording is then marked partial.
    """
    engine = Engine(plan, cluster, traffic, seed, replication, trace_requests, progress)
    return engine.play()
