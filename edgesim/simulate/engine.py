"""The engine: simulates a plan on a cluster where nothing fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import chain

from simpy.events import NORMAL

from edgesim.hardware import Cluster, Node
from edgesim.placement.plan import Plan
from edgesim.simulate.flows import Flows
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Call, Kernel
from edgesim.simulate.processes import Process
from edgesim.simulate.recorder import Recorder
from edgesim.simulate.recording import FaultRecord, Outcome, Recording
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.routes import Port
from edgesim.simulate.server import Server
from edgesim.simulate.streams import service_factors
from edgesim.simulate.traffic import Traffic, arrival_times
from edgesim.simulate.work import (
    START,
    Departing,
    Parcel,
    Path,
    ReadyBranch,
    ReadyTransfer,
    Request,
    Work,
)

Progress = Callable[[int], None]
"""Called now and then with the number of requests that ended."""

_BLOCK = 4096
"""Arrivals that are turned into Python's numbers at once."""
# Looking a member up in an enumeration costs more than the rest of the line that stores it.
_COMPLETED = int(Outcome.COMPLETED)
_DEGRADED = int(Outcome.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The arguments of `edgesim.simulate.simulate`."""

    plan: Plan
    cluster: Cluster
    traffic: Traffic
    seed: int
    replication: int
    trace_requests: int
    progress: Progress | None
    recovery: Recovery
    processes: tuple[Process, ...] = ()


class Departure(Call):
    """Transfers of one request before their first bytes leave."""

    __slots__ = ("path", "request", "sent_s", "transfers")

    def __init__(
        self,
        engine: Engine,
        transfers: tuple[ReadyTransfer, ...],
        request: Request,
        sent_s: float,
        path: Path,
    ) -> None:
        self.act = engine.departed
        self.transfers = transfers
        self.request = request
        self.sent_s = sent_s
        self.path = path


class Balancer:
    """Chooses for each request the branch with the least work ahead of it: O(log n) for n branches.

    The heap has the work that a new request would find on each branch, and what it was before:
    an entry that no longer says what its branch has is skipped.
    """

    def __init__(self, branches: tuple[ReadyBranch, ...]) -> None:
        self._numbers = {branch: number for number, branch in enumerate(branches)}
        self._heap: list[tuple[float, int, ReadyBranch]] = []
        self._sort()

    def _sort(self) -> None:
        """Fill the heap anew, without entries of before."""
        self._heap = [
            (branch.next_work_s, number, branch) for branch, number in self._numbers.items()
        ]
        heapify(self._heap)

    def take(self) -> ReadyBranch:
        """Return the branch of a request that arrives now; of those that are up, if any is."""
        heap = self._heap
        down = []
        while heap:
            work_s, _, branch = heap[0]
            if work_s != branch.next_work_s:
                heappop(heap)
            elif all(server.up for server in branch.servers):
                break
            else:
                down.append(heappop(heap))
        chosen = heap[0][2] if heap else down[0][2]
        for entry in down:
            heappush(heap, entry)
        chosen.load += 1
        self._enter(chosen)
        return chosen

    def give_back(self, branch: ReadyBranch) -> None:
        """Take note that a request of a branch has ended."""
        branch.load -= 1
        self._enter(branch)

    def _enter(self, branch: ReadyBranch) -> None:
        heappush(self._heap, (branch.next_work_s, self._numbers[branch], branch))
        if len(self._heap) > 64 + 4 * len(self._numbers):
            self._sort()


class Engine:
    """One run of a plan: clock, servers, flows, arrivals. Use `edgesim.simulate.simulate`."""

    def __init__(self, setup: Setup) -> None:
        self.kernel = kernel = Kernel()
        self.cluster = cluster = setup.cluster
        self._traffic = traffic = setup.traffic
        self._progress = setup.progress
        self._progress_step = max(1, traffic.requests // 200)
        self.ports = {name: Port() for name in cluster.nodes}
        self.flows = Flows(kernel, cluster, self.ports, self._delivered)
        sharing = Counter(node.host for node in cluster.nodes.values())
        hosts = {name: Host(kernel, cores, sharing[name]) for name, cores in cluster.hosts.items()}
        self.servers = {
            name: Server(
                kernel,
                node,
                service_factors(node, setup.seed, setup.replication),
                self._ran,
                self._own_host(node) if node.host is None else hosts[node.host],
            )
            for name, node in cluster.nodes.items()
        }
        self.branches = tuple(
            ReadyBranch(branch, setup.plan, cluster, self.servers, self.flows, traffic.samples)
            for branch in setup.plan.branches
        )
        self._only_branch = self.branches[0] if len(self.branches) == 1 else None
        self._balancer = Balancer(self.branches)
        self.departed: Callable[[Departure], None] = self._depart
        self.recorder = Recorder(cluster, traffic.requests, setup.trace_requests)
        self._all_closed = kernel.event()
        self._times = arrival_times(traffic, setup.seed, setup.replication)
        self._offered = 0
        self._scheduled = 0
        self._closed = 0

    def _own_host(self, node: Node) -> Host | None:
        """Return the machine of a node that shares none; None where its speed is constant."""
        return None

    def _fault_record(self, now: float) -> FaultRecord | None:
        """Return what failed, and what came of it; None where nothing can fail."""
        return None

    def run(self) -> Recording:
        """Run to the end of the last request, or until interrupted."""
        partial = False
        try:
            self._begin()
            self.kernel.run_until(self._all_closed)
        except KeyboardInterrupt:
            partial = True
        now = self.kernel.time_s
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
            faults=self._fault_record(now),
        )

    def _begin(self) -> None:
        traffic = self._traffic
        if self._times is None:
            self._scheduled = min(traffic.in_flight, traffic.requests)
            for _ in range(self._scheduled):
                self._admit()
            return
        self.recorder.arrival_s = self._times
        # By blocks: a list of all would hold an object for each request.
        blocks = range(0, len(self._times), _BLOCK)
        self._arrivals = chain.from_iterable(
            self._times[start : start + _BLOCK].tolist() for start in blocks
        )
        for time_s in self._arrivals:
            self.kernel.call_at(time_s, self._arrive)
            break

    def _arrive(self, event: Call) -> None:
        self._admit()
        for time_s in self._arrivals:
            heappush(self.kernel.agenda, (time_s, NORMAL, next(self.kernel.serial), event))
            return

    def _next_request(self) -> tuple[int, ReadyBranch]:
        """Return the number and the branch of a request that arrives now."""
        index = self._offered
        self._offered = index + 1
        if self._times is None:
            self.recorder.arrival_s[index] = self.kernel.time_s
        return index, self._only_branch or self._balancer.take()

    def _admit(self) -> None:
        """Take in one request now."""
        now = self.kernel.time_s
        index, branch = self._next_request()
        request = Request(index, now, branch)
        for task in branch.roots:
            task.server.submit(Work(request, task, now, START))
        if branch.local or branch.remote:
            self._forward(request, branch.local, branch.remote, now, START)

    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        """Go on from a task that ran."""
        request, task = work.request, work.task
        path = self.recorder.task_ended(work, start_s, end_s, joules)
        if task.last:
            self._end(request, end_s, path)
        else:
            self._forward(request, task.local, task.remote, end_s, path)

    def _forward(
        self,
        request: Request,
        local: tuple[ReadyTransfer, ...],
        remote: tuple[Departing, ...],
        now: float,
        path: Path,
    ) -> None:
        for transfer in local:
            self._arrived(request, transfer, now, path)
        for before_s, transfers in remote:
            if before_s > 0.0:
                departure = Departure(self, transfers, request, now, path)
                self.kernel.at(now + before_s, departure)
            else:
                for transfer in transfers:
                    self._start_flow(Parcel(transfer, request, now, path))

    def _depart(self, departure: Departure) -> None:
        for transfer in departure.transfers:
            parcel = Parcel(transfer, departure.request, departure.sent_s, departure.path)
            self._start_flow(parcel)

    def _start_flow(self, parcel: Parcel) -> None:
        transfer = parcel.transfer
        assert transfer.route is not None
        self.flows.begin(transfer.route, transfer.size, parcel)

    def _delivered(self, token: Parcel) -> None:
        """Go on from a flow whose last byte has arrived."""
        after_s = token.transfer.after_s
        if after_s > 0.0:
            self.kernel.call_after(after_s, lambda _: self._received(token))
        else:
            self._received(token)

    def _received(self, parcel: Parcel) -> None:
        now = self.kernel.time_s
        path = self.recorder.transfer_ended(parcel, now)
        self._arrived(parcel.request, parcel.transfer, now, path)

    def _arrived(self, request: Request, transfer: ReadyTransfer, now: float, path: Path) -> None:
        """Count an input that has arrived; the last one carries the critical path."""
        task = transfer.target
        if task is None:
            self._end(request, now, path)
            return
        if task.inputs > 1:
            left = request.waiting[task.index] - 1
            request.waiting[task.index] = left
            if left:
                return
        task.server.submit(Work(request, task, now, path))

    def _end(self, request: Request, now: float, path: Path) -> None:
        """Count one ending; the last one answers the request."""
        request.remaining -= 1
        if request.remaining:
            return
        self.recorder.answered(request, now, path)
        self._close(request, _COMPLETED if request.missing is None else _DEGRADED)

    def _close(self, request: Request, outcome: int) -> None:
        """Close a request, answered or failed; in a closed loop the next one follows."""
        request.ended = True
        if self._only_branch is None:
            self._balancer.give_back(request.branch)
        self.recorder.outcome[request.index] = outcome
        self._closed += 1
        if self._progress is not None and self._closed % self._progress_step == 0:
            self._progress(self._closed)
        if self._closed == self._traffic.requests:
            self._all_closed.succeed()
        elif self._times is None and self._scheduled < self._traffic.requests:
            # A new event, not a call: a request that fails at once must not recurse.
            self._scheduled += 1
            self.kernel.call_at(self.kernel.time_s, lambda _: self._admit())
