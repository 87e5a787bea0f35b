"""The engine: simulates a plan on a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from heapq import heappush
from itertools import chain

from simpy.events import NORMAL

from edgesim.simulate.attempts import TrackedRequest
from edgesim.simulate.balancer import Balancer
from edgesim.simulate.dropping import DroppingServer
from edgesim.simulate.failures import Failures
from edgesim.simulate.faults import can_fail, changes_speed
from edgesim.simulate.flows import Flows
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Call, Kernel
from edgesim.simulate.reassign import WeightTransfer
from edgesim.simulate.recorder import Recorder
from edgesim.simulate.recording import Recording
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.routes import Port
from edgesim.simulate.server import Server
from edgesim.simulate.setup import Setup
from edgesim.simulate.streams import service_factors
from edgesim.simulate.traffic import arrivals, think_times
from edgesim.simulate.work import (
    START,
    Parcel,
    Path,
    ReadyBranch,
    ReadyTask,
    Request,
    Work,
)

_BLOCK = 4096
"""Arrivals that are turned into Python's numbers at once."""


class Departure(Call):
    """Transfers of one request before their first bytes leave."""

    __slots__ = ("parcels",)

    def __init__(self, act: Callable[[Departure], None], parcels: Sequence[Parcel]) -> None:
        self.act = act
        self.parcels = parcels


class Engine:
    """One run of a plan: clock, servers, flows, arrivals. Use `edgesim.simulate.simulate`.

    Where something may fail, `edgesim.simulate.failures` is asked as a request moves; elsewhere
    ``failures`` is None, and nothing is asked.
    """

    def __init__(self, setup: Setup) -> None:
        self.kernel = kernel = Kernel()
        cluster = setup.cluster
        self._traffic = traffic = setup.traffic
        self._progress = setup.progress
        self._progress_step = max(1, traffic.requests // 200)
        self.ports = {name: Port() for name in cluster.nodes}
        self.flows = Flows(kernel, cluster, self.ports, self._delivered)
        sharing = Counter(node.host for node in cluster.nodes.values())
        hosts = {name: Host(kernel, cores, sharing[name]) for name, cores in cluster.hosts.items()}
        self.servers: dict[str, Server] = {}
        for name, node in cluster.nodes.items():
            host = None if node.host is None else hosts[node.host]
            if host is None and (setup.processes or changes_speed(cluster, node)):
                host = Host(kernel, node.device.cores, 1)
            factors = service_factors(node, setup.seed, setup.replication)
            self.servers[name] = (
                DroppingServer(kernel, node, factors, self._ran, host, self._dropped)
                if node.queue.drops
                else Server(kernel, node, factors, self._ran, host)
            )
        self.branches = tuple(
            ReadyBranch(branch, plan, cluster, self.servers, self.flows, traffic, number)
            for number, plan in enumerate(setup.plan.sources)
            for branch in plan.branches
        )
        many = len(setup.plan.branches)
        for number in range(many):
            twins = self.branches[number::many]
            for branch in twins:
                branch.twins = twins
        self._only_branch = self.branches[0] if len(self.branches) == 1 else None
        self._balancer = Balancer(self.branches[:many])
        self._departed: Callable[[Departure], None] = self._depart
        self.recorder = Recorder(cluster, traffic.requests, setup.trace_requests, setup.plan.inputs)
        self._all_closed = kernel.event()
        self._times, self._source_of = arrivals(traffic, setup.seed, setup.replication)
        self._think = think_times(traffic, setup.seed, setup.replication)
        self._offered = 0
        self._scheduled = 0
        self._closed = 0
        self._fails = can_fail(cluster) or setup.recovery != Recovery() or bool(setup.processes)
        tracks = self._fails or any(node.queue.drops for node in cluster.nodes.values())
        self._failures = failures = Failures(self, setup) if tracks else None
        self._new_request: type[Request] = TrackedRequest if tracks else Request
        self._watched = failures is not None and failures.watches
        self._down: Collection[str] = () if failures is None else failures.down

    def run(self) -> Recording:
        """Run to the end of the last request, or until interrupted."""
        partial = False
        try:
            self._begin()
            self.kernel.run_until(self._all_closed)
        except KeyboardInterrupt:
            partial = True
        now, failures = self.kernel.time_s, self._failures
        for server in self.servers.values():
            server.close(now)
        for port in self.ports.values():
            port.sending.close(now)
            port.receiving.close(now)
        self.flows.close(now)
        return self.recorder.recording(
            self._offered if partial else self._traffic.requests,
            now,
            self.servers,
            self.ports,
            self.flows,
            partial=partial,
            faults=failures.record(now, self._offered) if failures and self._fails else None,
            dropped={} if failures is None else failures.dropped,
        )

    def _begin(self) -> None:
        if self._failures is not None:
            self._failures.begin()
        traffic = self._traffic
        if self._times is None:
            self._scheduled = min(traffic.in_flight, traffic.requests)
            for client in range(self._scheduled):
                source = client % traffic.sources
                if self._think is None:
                    self._admit(source=source)
                else:
                    self._admit_after(self._think(), source)
            return
        self.recorder.arrival_s = self._times
        # By blocks: a list of all would hold an object for each request.
        blocks = range(0, len(self._times), _BLOCK)
        self._arrivals = chain.from_iterable(
            self._times[start : start + _BLOCK].tolist() for start in blocks
        )
        for time_s in self._arrivals:
            self.kernel.call_at(time_s, self._admit)
            break

    def _admit_after(self, pause_s: float, source: int) -> None:
        """Take in the next request of a client after a pause."""
        self.kernel.call_after(pause_s, lambda _: self._admit(source=source))

    def _branch_for(self, index: int, source: int) -> ReadyBranch:
        """Return the branch of a request that arrives now, of several."""
        branch = self._balancer.take()
        if len(branch.twins) == 1:
            return branch
        if self._source_of is not None:
            source = int(self._source_of[index])
        self.recorder.source[index] = source
        return branch.twins[source]

    def _admit(self, event: Call | None = None, source: int = 0) -> None:
        """Take in one request now; an ``event`` happens again when the next one arrives."""
        now = self.kernel.time_s
        index = self._offered
        self._offered = index + 1
        branch = self._only_branch or self._branch_for(index, source)
        if event is None:
            self.recorder.arrival_s[index] = now
        spare, failures = branch.spare, self._failures
        request = spare.pop() if spare else self._new_request(branch)
        request.index = index
        request.arrival_s = now
        request.remaining = branch.endings
        if failures is not None and (self._watched or self._down):
            failures.admit(request, branch)
        else:
            for work in request.begins:
                work.ready_s = now
                work.task.server.submit(work)
            if failures is not None:
                failures.admitted(request, branch)
            elif branch.sends:
                self._forward(request, branch, now, START)
        if event is not None:
            for time_s in self._arrivals:
                heappush(self.kernel.agenda, (time_s, NORMAL, next(self.kernel.serial), event))
                return

    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        """Go on from a task that ran."""
        task, request = work.task, work.request
        if task.last and request.remaining == 1 and request.trouble is None and not self._watched:
            self.recorder.last_task_ended(work, start_s, end_s, joules)
            self.close(request, joules)
            return
        path = self.recorder.task_ended(work, start_s, end_s, joules)
        failures = self._failures
        if failures is not None and not failures.has_result(work, joules):
            return
        if task.last:
            self.end(request, end_s, path)
        elif failures is None:
            self._forward(request, task, end_s, path)
        else:
            failures.send_outputs(work, end_s, path)

    def _forward(
        self, request: Request, source: ReadyTask | ReadyBranch, now: float, path: Path
    ) -> None:
        """Send every output of a task, or the inputs of a request."""
        for transfer in source.local:
            target = transfer.target
            work = None if target is None else request.waiting_work(target)
            self.arrived(Parcel(transfer, request, work, now, path), now, path)
        for before_s, transfers in source.remote:
            parcels = []
            for one in transfers:
                target = one.target
                work = None if target is None else request.waiting_work(target)
                parcels.append(Parcel(one, request, work, now, path))
            self.send(before_s, parcels)

    def send(self, before_s: float, parcels: Sequence[Parcel]) -> None:
        """Let the first bytes of transfers leave together in ``before_s`` seconds."""
        if before_s > 0.0:
            kernel = self.kernel
            kernel.at(kernel.time_s + before_s, Departure(self._departed, parcels))
        else:
            for parcel in parcels:
                self._start_flow(parcel)

    def _depart(self, departure: Departure) -> None:
        for parcel in departure.parcels:
            self._start_flow(parcel)

    def _start_flow(self, parcel: Parcel) -> None:
        if self._failures is None or self._failures.leaves(parcel):
            transfer = parcel.transfer
            assert transfer.route is not None
            self.flows.begin(transfer.route, transfer.size, parcel)

    def _delivered(self, token: Parcel | WeightTransfer) -> None:
        """Go on from a flow whose last byte has arrived."""
        if isinstance(token, WeightTransfer):
            token.delivered()
            return
        after_s = token.transfer.after_s
        if self._failures is not None:
            after_s += self._failures.tail_s(token)
        if after_s > 0.0:
            self.kernel.call_after(after_s, lambda _: self._received(token))
        else:
            self._received(token)

    def _received(self, parcel: Parcel) -> None:
        now = self.kernel.time_s
        self.arrived(parcel, now, self.recorder.transfer_ended(parcel, now))

    def arrived(self, parcel: Parcel, now: float, path: Path) -> None:
        """Count an input that has arrived; the last one carries the critical path."""
        if self._failures is not None and not self._failures.takes(parcel):
            return
        work = parcel.work
        if work is None:
            self.end(parcel.request, now, path)
            return
        work.waiting -= 1
        if not work.waiting:
            self.submit(work, now, path)

    def _dropped(self, work: Work, reason: str) -> None:
        """Go on without work that a queue dropped."""
        assert self._failures is not None
        self._failures.drop(work, reason)

    def submit(self, work: Work, now: float, path: Path) -> None:
        """Hand a task all of whose inputs have arrived to its server."""
        work.ready_s = now
        work.path = path
        if self._failures is None or self._failures.accepts(work):
            work.task.server.submit(work)

    def end(self, request: Request, now: float, path: Path) -> None:
        """Count one ending; the last one answers the request."""
        request.remaining -= 1
        if request.remaining:
            return
        self.recorder.answered(request, now, path)
        self.close(request)

    def close(self, request: Request, last_j: float = 0.0) -> None:
        """Close a request, answered or failed; in a closed loop the next one follows.

        Args:
            request: the request.
            last_j: joules of its last task, where nothing but `close` is told of its end.
        """
        if self._failures is None:
            request.branch.spare.append(request)
        else:
            self._failures.closed(request, last_j)
        if self._only_branch is None:
            self._balancer.give_back(request.branch.twins[0])
        self._closed += 1
        if self._progress is not None and self._closed % self._progress_step == 0:
            self._progress(self._closed)
        if self._closed == self._traffic.requests:
            self._all_closed.succeed()
        elif self._times is None and self._scheduled < self._traffic.requests:
            # A new event, not a call: a request that fails at once must not recurse.
            self._scheduled += 1
            pause_s = 0.0 if self._think is None else self._think()
            self._admit_after(pause_s, request.branch.source)
