"""One run of a plan: its clock, its servers and flows, what arrives, and what is recorded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappush

import numpy as np
from simpy.events import NORMAL, Event

from edgesim.hardware import Cluster, Node
from edgesim.placement.plan import Plan
from edgesim.simulate.flows import Flows
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.ports import Port
from edgesim.simulate.recording import FaultRecord, Outcome, Recording, Span, transfer_name
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.server import Server
from edgesim.simulate.streams import service_factors
from edgesim.simulate.totals import link_totals, node_totals, transfer_joules
from edgesim.simulate.traffic import CLOSED_LOOP, Traffic, arrival_times, in_flight
from edgesim.simulate.work import Move, Path, Request, Way, Work

Progress = Callable[[int], None]
"""Called now and then with the number of requests that ended."""

# Looking a member up in an enumeration costs more than the rest of the line that stores it.
_COMPLETED = int(Outcome.COMPLETED)
_DEGRADED = int(Outcome.DEGRADED)
START: Path = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run plays: the arguments of `edgesim.simulate.simulate`."""

    plan: Plan
    cluster: Cluster
    traffic: Traffic
    seed: int
    replication: int
    trace_requests: int
    progress: Progress | None
    recovery: Recovery


class Parcel:
    """One move of one request."""

    __slots__ = ("move", "path", "request", "sent_s")

    def __init__(self, move: Move, request: Request, sent_s: float, path: Path) -> None:
        self.move = move
        self.request = request
        self.sent_s = sent_s
        self.path = path


class Run(ABC):
    """One run of a plan; how a request goes through it is the subclass's."""

    def __init__(self, setup: Setup) -> None:
        self.kernel = kernel = Kernel()
        cluster, traffic = setup.cluster, setup.traffic
        self._agenda, self._serial = kernel.agenda, kernel.serial
        self._cluster = cluster
        self._traffic = traffic
        self._trace_requests = setup.trace_requests
        self._progress = setup.progress
        self._step = max(1, traffic.requests // 200)
        self.ports = {name: Port() for name in cluster.nodes}
        self.flows = Flows(kernel, cluster, self.ports, self._delivered)
        sharing = Counter(node.host for node in cluster.nodes.values())
        self.hosts = {
            name: Host(kernel, cores, sharing[name]) for name, cores in cluster.hosts.items()
        }
        self.servers = {
            name: Server(
                kernel,
                node,
                service_factors(node, setup.seed, setup.replication),
                self._ran,
                self._host(node) if node.host is None else self.hosts[node.host],
            )
            for name, node in cluster.nodes.items()
        }
        self.ways = tuple(
            Way(branch, setup.plan, cluster, self.servers, self.flows, traffic.samples)
            for branch in setup.plan.branches
        )
        self._only_way = self.ways[0] if len(self.ways) == 1 else None
        self.over = kernel.event()
        count = traffic.requests
        self._times = arrival_times(traffic, setup.seed, setup.replication)
        self._arrival_s = array("d", bytes(8 * count))
        self._latency_s = array("d", [float("nan")]) * count
        self._path_s = tuple(array("d", bytes(8 * count)) for _ in range(4))
        self._outcome = bytearray(count)
        self._missing: dict[frozenset[str], int] = {}
        self._spans: list[Span] = []
        self._offered = 0
        self._asked = 0
        self._ended = 0

    def _host(self, node: Node) -> Host | None:
        """Return the machine of a node that shares none; None where its cores need no keeper."""
        return None

    @abstractmethod
    def _admit(self) -> None:
        """Take in one request now."""

    @abstractmethod
    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        """Go on from a piece of work that ran."""

    @abstractmethod
    def _delivered(self, token: Parcel) -> None:
        """Go on from a flow whose last byte is there."""

    def _worked(self, work: Work, start_s: float, end_s: float, joules: float) -> Path:
        """Keep the span of a piece of work that ran; return its request's path up to its end."""
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
        if work.request.index < self._trace_requests:
            self._spans.append(
                Span(
                    work.request.index, step.name, step.server.node.name, "", step.span_kind,
                    start_s, end_s, joules,
                )
            )  # fmt: skip
        return (queue_s, compute_s, transfer_s, fusion_s)

    def _carried(self, parcel: Parcel, now: float) -> Path:
        """Keep the span of a move that is there; return its request's path up to now."""
        queue_s, compute_s, transfer_s, fusion_s = parcel.path
        move, index = parcel.move, parcel.request.index
        if index < self._trace_requests:
            ends = move.tasks()
            self._spans.append(
                Span(
                    index, transfer_name(*ends), move.source_node, move.target_node, "transfer",
                    parcel.sent_s, now, transfer_joules(move, self._cluster), *ends,
                )
            )  # fmt: skip
        return (queue_s, compute_s, transfer_s + (now - parcel.sent_s), fusion_s)

    def _off_s(self, now: float) -> dict[str, float]:
        """Return the seconds that each node drew no power until ``now``."""
        return {}

    def _fault_record(self, now: float) -> FaultRecord | None:
        """Return what failed, and what came of it; None where nothing can."""
        return None

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

    def _least_loaded(self) -> Way:
        """Return the way with the least work ahead of a new request, among those that are up."""
        up = [way for way in self.ways if all(server.up for server in way.servers)]
        return min(up or self.ways, key=lambda way: (way.load + 1) * way.expected_s)

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
        faults = self._fault_record(now)
        down_s = {} if faults is None else {one: row.down_s for one, row in faults.nodes.items()}
        return Recording(
            arrival_s=np.frombuffer(self._arrival_s, dtype=np.float64)[:offered],
            latency_s=np.frombuffer(self._latency_s, dtype=np.float64)[:offered],
            breakdown_s=dict(zip(keys, columns, strict=True)),
            outcome=np.frombuffer(self._outcome, dtype=np.uint8)[:offered],
            missing=self._missing,
            spans=tuple(self._spans),
            nodes=node_totals(self.servers, self.ports, down_s, self._off_s(now), now),
            links=link_totals(self._cluster.network, self.flows.channels, now),
            simulated_s=now,
            partial=partial,
            faults=faults,
        )
