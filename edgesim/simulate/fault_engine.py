"""The engine where something may fail: attempts, deadlines, and answers without a part."""

from __future__ import annotations

from collections import Counter

from edgesim.hardware import Cluster, FaultKind, Node
from edgesim.simulate.attempts import (
    Attempt,
    AttemptParcel,
    AttemptWork,
    TaskResult,
    TrackedRequest,
)
from edgesim.simulate.choices import HEDGE, MEASURES, Choices, links_to_nodes
from edgesim.simulate.engine import Engine, Setup
from edgesim.simulate.faults import FaultInjector
from edgesim.simulate.health import HealthChecks
from edgesim.simulate.hosts import Host
from edgesim.simulate.memory import MemoryLimits
from edgesim.simulate.processes import start_processes
from edgesim.simulate.reassign import Reassigner, WeightTransfer
from edgesim.simulate.recording import FaultRecord, Outcome
from edgesim.simulate.routes import tail_s
from edgesim.simulate.streams import stream
from edgesim.simulate.work import START, Path, ReadyTask, Request, Work

_FAILED = int(Outcome.FAILED)
_SLOWING = (FaultKind.FREEZE, FaultKind.SLOW)


def can_fail(cluster: Cluster) -> bool:
    """Return whether anything of a cluster can fail, slow down, or lose something."""
    if cluster.faults:
        return True
    if any(link.faults is not None or link.loss > 0.0 for link in cluster.network.links.values()):
        return True
    return any(
        node.faults is not None or node.exhaustion is not None or _has_meter(node)
        for node in cluster.nodes.values()
    )


def _has_meter(node: Node) -> bool:
    return node.battery is not None or node.ambient_c is not None


class FaultEngine(Engine):
    """One run of a plan in which nodes and links fail. Use `edgesim.simulate.simulate`.

    Every task of a request is attempted until one attempt has a result, or none is left. After a
    failure a task is attempted again as the recovery says: its inputs are sent once more by the
    nodes that still have them, and results that are lost are computed again.

    A task without a result is given up. A request goes on without an optional one, and fails with
    any other. Whatever waits for the output of a task that was given up waits for one input less;
    a task that is left without any input is given up as well, and a request that is left without
    any ending fails.
    """

    def __init__(self, setup: Setup) -> None:
        self._processes = setup.processes
        super().__init__(setup)
        plan, cluster, recovery = setup.plan, setup.cluster, setup.recovery
        self._recovery = recovery
        retry = recovery.retry
        self._has_clocks = (
            recovery.deadline_s is not None
            or recovery.hedge is not None
            or (retry is not None and retry.timeout_s is not None)
        )
        self._live: dict[TrackedRequest, None] = {}
        self._crashes = dict.fromkeys(cluster.nodes, 0)
        self._answered: Counter[int] = Counter()
        self._reasons: Counter[str] = Counter()
        self._used_j = self._lost_j = 0.0
        self._attempts = 0
        self._loss_stream = stream(setup.seed, setup.replication, "loss")
        self._backoff_stream = stream(setup.seed, setup.replication, "recovery")
        self._faults = FaultInjector(
            self.kernel, cluster, self.servers, self.flows, setup.seed, setup.replication,
            self._crashed,
        )  # fmt: skip
        for name, node in cluster.nodes.items():
            host = self.servers[name].host
            if _has_meter(node) and node.host is None and host is not None:
                self._faults.meter(name, host, self.ports[name])
        self._choices = {
            one: Choices(one, branch.tasks, plan, cluster, self.flows, self._traffic.samples)
            for one, branch in zip(self.branches, plan.branches, strict=True)
        }
        standby = [self.servers[name] for name in recovery.standby]
        for choices in self._choices.values():
            choices.add_copies(standby, self.branches)
        self._memory = MemoryLimits(self.kernel, cluster, plan.memory_bytes(), self._out_of_memory)
        home = plan.input_node or plan.branches[0].tasks[0].node
        self._checks: HealthChecks | None = None
        if recovery.health is not None:
            links = links_to_nodes(self._choices, cluster, home)
            self._checks = HealthChecks(self.kernel, recovery.health, self._faults, links)
        self._reassigner: Reassigner | None = None
        if recovery.reassign is not None:
            self._reassigner = Reassigner(
                self.kernel, plan, cluster, self.servers, self.flows, self._choices, self._faults,
                recovery.reassign, home,
            )  # fmt: skip

    def _own_host(self, node: Node) -> Host | None:
        slowed = bool(self._processes) or any(
            fault.target == node.name and fault.kind in _SLOWING for fault in self.cluster.faults
        )
        return Host(self.kernel, node.device.cores, 1) if slowed or _has_meter(node) else None

    def _begin(self) -> None:
        self._faults.begin()
        if self._processes:
            start_processes(self._processes, self.kernel, self.servers, self.ports, self._faults)
        if self._checks is not None:
            self._checks.begin()
        super()._begin()

    # Nodes that fail

    def _crashed(self, name: str, lost: list[tuple[Work, float]]) -> None:
        """Go on after a node has crashed."""
        self._crashes[name] += 1
        self._memory.clear(name)
        for work, joules in lost:
            assert isinstance(work, AttemptWork)
            self._lost_j += joules
            self._strike(name)
            self._fail(work.attempt, "crash")
        for token in self.flows.cut(name):
            if isinstance(token, WeightTransfer):
                token.lost()
            else:
                assert isinstance(token, AttemptParcel)
                self._undeliverable(token)
        for request in list(self._live):
            for attempts in list(request.attempts.values()):
                for attempt in tuple(attempts):
                    if attempt.node == name and attempt.arrived:
                        self._fail(attempt, "crash")
        if self._reassigner is not None:
            self._reassigner.crashed(name)

    def _out_of_memory(self, name: str) -> None:
        if self.servers[name].up:
            self._faults.crash(name, "memory", "out of memory")
            self._faults.repair(name, "memory")

    def _known_down(self, name: str) -> bool:
        if self._checks is not None:
            return name in self._checks.out
        return not self.servers[name].up

    def _strike(self, name: str) -> None:
        """Count a failure of a node, where nodes are checked."""
        if self._checks is not None:
            self._checks.strike(name)

    # Dispatch: attempts at tasks

    def _admit(self) -> None:
        now = self.kernel.time_s
        index, branch = self._next_request()
        request = TrackedRequest(index, now, branch)
        self._live[request] = None
        for task in branch.roots:
            self._attempt(request, task)
        for number in self._choices[branch].entering:
            self._send_output(request, number, None, now, START)

    def _attempt(
        self, request: TrackedRequest, task: ReadyTask, *, hedge: bool = False
    ) -> Attempt | None:
        """Begin an attempt at a task; return None where it has ended at once."""
        index = task.index
        if not hedge:
            request.attempted[index] = request.attempted.get(index, 0) + 1
        choices = self._choices[request.branch]
        allow_down = self._checks is None and not hedge
        chosen = choices.choose(request, task, self._known_down, hedge=hedge, allow_down=allow_down)
        if chosen is None:
            if not hedge:
                self._again(request, task, "out of service")
            return None
        self._attempts += 1
        waiting = len(choices.inputs[index])
        if request.cancelled:
            waiting = sum(number not in request.cancelled for number in choices.inputs[index])
        attempt = Attempt(request, chosen[0], waiting, chosen[1])
        request.asked[index, attempt.node] = request.asked.get((index, attempt.node), 0) + 1
        request.attempts.setdefault(index, []).append(attempt)
        if not waiting:
            self._start_clocks(request, task)
            self._submit(attempt, self.kernel.time_s, START)
        return attempt

    def _start_clocks(self, request: TrackedRequest, task: ReadyTask) -> None:
        """Start the deadline, time-outs and hedges of a task whose inputs have all been sent."""
        if not self._has_clocks or request.settled(task):
            return
        choices, transfers = self._choices[request.branch], request.branch.transfers
        for number in choices.inputs[task.index]:
            source = transfers[number].source
            if (
                source is not None
                and number not in request.cancelled
                and source.index not in request.results
            ):
                return
        recovery, now = self._recovery, self.kernel.time_s
        unit = choices.units[task.index]
        if recovery.deadline_s is not None and unit not in request.timed_units:
            request.timed_units = request.timed_units | {unit}
            self.kernel.call_at(now + recovery.deadline_s, lambda _: self._late(request, unit))
        for attempt in request.live(task):
            if not attempt.timed:
                attempt.timed = True
                self._start_timeout(attempt, now)

    def _start_timeout(self, attempt: Attempt, now: float) -> None:
        retry, hedge = self._recovery.retry, self._recovery.hedge
        if retry is not None and retry.timeout_s is not None:
            self.kernel.call_at(now + retry.timeout_s, lambda _: self._fail(attempt, "timeout"))
        if hedge is not None and attempt.measure != HEDGE:
            self.kernel.call_at(now + hedge.after_s, lambda _: self._hedge(attempt))

    def _hedge(self, attempt: Attempt) -> None:
        request, task = attempt.request, attempt.task
        if attempt.ended or request.settled(task) or len(request.live(task)) > 1:
            return
        second = self._attempt(request, task, hedge=True)
        if second is not None:
            self._fetch_inputs(second)

    def _submit(self, attempt: Attempt, now: float, path: Path) -> None:
        """Hand an attempt whose inputs have all arrived to its server."""
        server, name = attempt.task.server, attempt.node
        if not server.up:
            self._strike(name)
            self._fail(attempt, "crash")
            return
        attempt.work = work = AttemptWork(attempt.request, attempt.task, now, path, attempt)
        self._memory.add_inputs(name, self._input_bytes(attempt))
        server.submit(work)

    def _input_bytes(self, attempt: Attempt) -> float:
        return self._choices[attempt.request.branch].input_bytes[attempt.task.index]

    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        assert isinstance(work, AttemptWork)
        attempt = work.attempt
        request, task, name = attempt.request, attempt.task, attempt.node
        path = self.recorder.task_ended(work, start_s, end_s, joules)
        self._memory.remove_inputs(name, self._input_bytes(attempt), ran=True)
        if self._checks is not None:
            self._checks.answered(name)
        if attempt.ended or request.settled(task):
            self._lost_j += joules
            return
        request.results[task.index] = TaskResult(task, self._crashes[name], joules)
        request.measure = max(request.measure, attempt.measure)
        self._cancel_attempts(request, task)
        for number in self._choices[request.branch].outputs[task.index]:
            if not request.ended:
                self._send_output(request, number, task, end_s, path)
        if task.last:
            self._end(request, end_s, path)

    def _cancel_attempts(self, request: TrackedRequest, task: ReadyTask) -> None:
        """End every attempt at a task; what runs goes on, and its result is not used."""
        for attempt in request.attempts.pop(task.index, ()):
            self._cancel(attempt)

    def _cancel(self, attempt: Attempt) -> None:
        attempt.ended = True
        for parcel in attempt.coming:
            if parcel.transfer.route is not None and parcel.number not in attempt.arrived:
                self.flows.withdraw(parcel.transfer.route, parcel)
        if attempt.work is not None and attempt.task.server.withdraw(attempt.work):
            self._memory.remove_inputs(attempt.node, self._input_bytes(attempt), ran=False)

    def _fail(self, attempt: Attempt, reason: str) -> None:
        """End an attempt without a result; go on with another one, or without the task."""
        request, task = attempt.request, attempt.task
        if attempt.ended or request.settled(task):
            return
        self._cancel(attempt)
        live = request.attempts[task.index]
        live.remove(attempt)
        if not live:
            self._again(request, task, reason)

    def _again(self, request: TrackedRequest, task: ReadyTask, reason: str) -> None:
        """Attempt a task again after a pause, or give it up."""
        retry, attempted = self._recovery.retry, request.attempted.get(task.index, 0)
        own = request.branch.tasks[task.index]
        if retry is None or attempted >= retry.attempts:
            self._give_up(request, own, reason)
            return
        pause_s = retry.pause_s(attempted, float(self._backoff_stream.random()))
        self.kernel.call_after(pause_s, lambda _: self._retry(request, own))

    def _retry(self, request: TrackedRequest, task: ReadyTask) -> None:
        if request.settled(task) or request.live(task):
            return
        attempt = self._attempt(request, task)
        if attempt is not None and attempt.waiting:
            self._fetch_inputs(attempt)

    # Transfers: inputs of attempts, and answers

    def _send_output(
        self,
        request: TrackedRequest,
        number: int,
        source: ReadyTask | None,
        now: float,
        path: Path,
    ) -> None:
        """Send an output to every attempt that waits for it, or as the answer."""
        target = request.branch.transfers[number].target
        if target is None:
            self._send(request, number, source, None, now, path)
            return
        if request.settled(target):
            return
        attempts = request.live(target)
        if not attempts:
            # A task whose attempt failed fetches its inputs when it is attempted again.
            if request.attempted.get(target.index) or self._attempt(request, target) is None:
                return
            attempts = request.live(target)
        for attempt in tuple(attempts):
            self._send(request, number, source, attempt, now, path)
        self._start_clocks(request, target)

    def _fetch_inputs(self, attempt: Attempt) -> None:
        """Send an attempt the inputs that exist; compute again those that are lost."""
        request, task, now = attempt.request, attempt.task, self.kernel.time_s
        for number in self._choices[request.branch].inputs[task.index]:
            source = request.branch.transfers[number].source
            if number in request.cancelled or attempt.ended or request.ended:
                continue
            if source is None:
                self._send(request, number, None, attempt, now, self._waited(request))
                continue
            result = request.results.get(source.index)
            if result is None:
                continue
            server = result.task.server
            if server.up and self._crashes[server.node.name] == result.crashes:
                self._send(request, number, result.task, attempt, now, self._waited(request))
            else:
                self._compute_again(request, source)
        self._start_clocks(request, task)

    def _compute_again(self, request: TrackedRequest, task: ReadyTask) -> None:
        """Compute a task again whose result is lost."""
        result = request.results.pop(task.index, None)
        if result is not None:
            self._lost_j += result.joules
            self._again(request, task, "crash")

    def _send(
        self,
        request: TrackedRequest,
        number: int,
        source: ReadyTask | None,
        attempt: Attempt | None,
        now: float,
        path: Path,
    ) -> None:
        target = None if attempt is None else attempt.task
        transfer = self._choices[request.branch].transfer(number, source, target)
        parcel = AttemptParcel(transfer, request, now, path, number, attempt)
        if transfer.route is None:
            self._input_arrived(parcel, now, path)
            return
        before_s = transfer.before_s + transfer.route.extra_s
        if before_s > 0.0:
            self.kernel.call_at(now + before_s, lambda _: self._begin_flow(parcel))
        else:
            self._begin_flow(parcel)

    def _begin_flow(self, parcel: AttemptParcel) -> None:
        if parcel.obsolete:
            return
        transfer = parcel.transfer
        if not self.servers[transfer.source_node].up or not self.servers[transfer.target_node].up:
            self._undeliverable(parcel)
            return
        assert transfer.route is not None
        if parcel.attempt is not None:
            parcel.attempt.coming.append(parcel)
        self.flows.begin(transfer.route, transfer.size, parcel)

    def _undeliverable(self, parcel: AttemptParcel) -> None:
        """Go on without a parcel one of whose ends is down."""
        request, transfer, attempt = parcel.request, parcel.transfer, parcel.attempt
        if parcel.obsolete:
            return
        if attempt is not None and not self.servers[transfer.target_node].up:
            self._strike(transfer.target_node)
            self._fail(attempt, "crash")
        elif transfer.source is not None and not self.servers[transfer.source_node].up:
            self._compute_again(request, request.branch.tasks[transfer.source.index])
        elif attempt is not None:
            self._fail(attempt, "crash")
        else:
            self._fail_request(request, "nobody takes the answer")

    def _delivered(self, token: object) -> None:
        if isinstance(token, WeightTransfer):
            token.delivered()
            return
        assert isinstance(token, AttemptParcel)
        route = token.transfer.route
        after_s = token.transfer.after_s
        if route is not None and route.loss > 0.0:
            after_s += tail_s(route.loss, self._loss_stream)
        if after_s > 0.0:
            self.kernel.call_after(after_s, lambda _: self._parcel_received(token))
        else:
            self._parcel_received(token)

    def _parcel_received(self, parcel: AttemptParcel) -> None:
        now = self.kernel.time_s
        self._input_arrived(parcel, now, self.recorder.transfer_ended(parcel, now))

    def _input_arrived(self, parcel: AttemptParcel, now: float, path: Path) -> None:
        """Count an input that has arrived; the last one carries the critical path."""
        attempt = parcel.attempt
        if parcel.obsolete:
            return
        if attempt is None:
            self._end(parcel.request, now, path)
            return
        if parcel.number in attempt.arrived:
            return
        attempt.arrived.add(parcel.number)
        attempt.waiting -= 1
        if not attempt.waiting:
            self._submit(attempt, now, path)

    # Tasks that are given up

    def _late(self, request: TrackedRequest, unit: str) -> None:
        """Give up the tasks of a unit that have no result by their deadline."""
        for own, task_unit in zip(
            request.branch.tasks, self._choices[request.branch].units, strict=True
        ):
            if task_unit == unit and not request.settled(own):
                self._give_up(request, own, "deadline")

    def _give_up(self, request: TrackedRequest, task: ReadyTask, reason: str) -> None:
        """Go on without the result of a task."""
        if request.settled(task):
            return
        request.lose(task)
        self._cancel_attempts(request, task)
        request.mark_missing().parts[task] = None
        if not task.optional or not self._recovery.degrade:
            self._fail_request(request, reason)
            return
        if task.last:
            self._end_without(request, reason)
        for number in self._choices[request.branch].outputs[task.index]:
            self._cancel_transfer(request, number, reason)

    def _cancel_transfer(self, request: TrackedRequest, number: int, reason: str) -> None:
        """Go on without one transfer."""
        transfer = request.branch.transfers[number]
        task = transfer.target
        settled = request.ended if task is None else request.settled(task)
        if settled or number in request.cancelled:
            return
        live = [] if task is None else request.live(task)
        if live and all(number in attempt.arrived for attempt in live):
            return
        request.cancel(number)
        request.mark_missing().parts[transfer] = None
        if task is None:
            self._end_without(request, reason)
            return
        if request.cancelled.issuperset(self._choices[request.branch].inputs[task.index]):
            self._give_up(request, task, reason)
            return
        for attempt in tuple(live):
            if number not in attempt.arrived and not attempt.ended:
                attempt.waiting -= 1
                if not attempt.waiting:
                    self._submit(attempt, self.kernel.time_s, self._waited(request))
        self._start_clocks(request, task)

    def _waited(self, request: TrackedRequest) -> Path:
        """Return the path of a request until now, all of it queueing.

        The parts of the path of a failed attempt are not known.
        """
        return (self.kernel.time_s - request.arrival_s, 0.0, 0.0, 0.0)

    def _end_without(self, request: TrackedRequest, reason: str) -> None:
        """Count an ending that will not come."""
        missing = request.mark_missing()
        missing.endings += 1
        if missing.endings == request.branch.endings:
            self._fail_request(request, reason)
            return
        self._end(request, self.kernel.time_s, self._waited(request))

    def _fail_request(self, request: TrackedRequest, reason: str) -> None:
        """Close a request without an answer."""
        self._reasons[reason] += 1
        self._close(request, _FAILED)

    def _close(self, request: Request, outcome: int) -> None:
        assert isinstance(request, TrackedRequest)
        joules = 0.0
        for result in request.results.values():
            joules += result.joules
        if outcome == _FAILED:
            self._lost_j += joules
        else:
            self._used_j += joules
            self._answered[request.measure] += 1
        del self._live[request]
        if request.attempts:
            for index in tuple(request.attempts):
                self._cancel_attempts(request, request.branch.tasks[index])
        super()._close(request, outcome)

    def _fault_record(self, now: float) -> FaultRecord:
        self._lost_j += sum(server.unfinished_j() for server in self.servers.values())
        return FaultRecord(
            events=tuple(self._faults.events),
            nodes=self._faults.node_rows(now),
            links=self._faults.link_rows(now),
            answered={MEASURES[one]: many for one, many in sorted(self._answered.items())},
            reasons=dict(self._reasons),
            used_j=self._used_j,
            lost_j=self._lost_j,
            attempts=self._attempts,
            recover_s=self.recorder.recover_s(self._faults.began_s, self._offered),
        )
