"""What becomes of requests where something may fail: attempts, deadlines, recovery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from edgesim.simulate.attempts import FIRST, Attempt, TrackedRequest, Trouble, obsolete
from edgesim.simulate.choices import MEASURES, Choices
from edgesim.simulate.deadlines import Clocks
from edgesim.simulate.degradation import Degradation
from edgesim.simulate.dropping import FULL
from edgesim.simulate.outages import Outages
from edgesim.simulate.reassign import WeightTransfer
from edgesim.simulate.recording import FaultRecord, Outcome
from edgesim.simulate.routes import tail_s
from edgesim.simulate.setup import Running, Setup
from edgesim.simulate.streams import stream
from edgesim.simulate.work import START, Parcel, Path, ReadyBranch, ReadyTask, Request, Work

_FAILED = int(Outcome.FAILED)


class Failures:
    """Attempts at the tasks of requests: what the engine asks where nodes or links may fail.

    Every task of a request is attempted until one attempt has a result, or none is left. After a
    failure a task is attempted again as the recovery says: its inputs are sent once more by the
    nodes that still have them, and results that are lost are computed again.

    A task without a result is given up (`edgesim.simulate.degradation`).

    Args:
        engine: runs the requests; with its clock, servers and flows.
        setup: plan, cluster, seeds and recovery.

    Attributes:
        watches: whether clocks, health checks or limits of memory watch every attempt.
        down: names of the nodes that are down.
    """

    def __init__(self, engine: Running, setup: Setup) -> None:
        plan, cluster, recovery = setup.plan, setup.cluster, setup.recovery
        self._engine = engine
        self._kernel = kernel = engine.kernel
        self._servers, self._flows = engine.servers, engine.flows
        self._recovery = recovery
        self._joining: dict[TrackedRequest, None] = {}
        self._answered = [0] * len(MEASURES)
        self._outcome = engine.recorder.outcome
        self._used_j = self._lost_j = 0.0
        self._attempts = 0
        self._loss_stream = stream(setup.seed, setup.replication, "loss")
        self._backoff_stream = stream(setup.seed, setup.replication, "recovery")
        standby = [engine.servers[name] for name in recovery.standby]
        placed = [(source, branch) for source in plan.sources for branch in source.branches]
        self._choices = {
            one: Choices(
                one, branch.tasks, source, cluster, engine.flows, setup.traffic, standby,
                engine.branches[: len(plan.branches)],
            )
            for one, (source, branch) in zip(engine.branches, placed, strict=True)
        }  # fmt: skip
        self._degradation = Degradation(engine, recovery, self._choices, self._cancel_attempts)
        self._clocks: Clocks | None = None
        if recovery.bounds_waits or recovery.hedge is not None:
            self._clocks = self._degradation.clocks = Clocks(
                kernel, recovery, self._choices, self._degradation.give_up, self._fail, self._hedge
            )
        self._outages = Outages(engine, setup, self._choices, self._crashed)
        self._memory, self._checks = self._outages.memory, self._outages.checks
        self._known_down = self._outages.known_down
        watchers = (self._clocks, self._memory, self._checks)
        self.watches = any(one is not None for one in watchers)
        self.down: Collection[str] = self._outages.faults.down

    @property
    def dropped(self) -> Counter[str]:
        """Number of requests that queues dropped, by the reason."""
        return self._degradation.dropped

    def begin(self) -> None:
        """Schedule faults and health checks."""
        self._outages.begin()

    # What the engine asks as a request moves

    def admitted(self, request: Request, branch: ReadyBranch) -> None:
        """Take in a request that arrived while no node was down: its first tasks have begun."""
        self._attempts += len(request.begins)
        if branch.joins or branch.sends:
            assert isinstance(request, TrackedRequest)
            if branch.joins:
                self._joining[request] = None
            self._send_inputs(request)

    def admit(self, request: Request, branch: ReadyBranch) -> None:
        """Take in a request whose first tasks may not begin."""
        assert isinstance(request, TrackedRequest)
        if branch.joins:
            self._joining[request] = None
        for attempt in request.begins:
            attempt.ended = True
        for task in branch.roots:
            self._attempt(request, task)
        self._send_inputs(request)

    def _send_inputs(self, request: TrackedRequest) -> None:
        for number in self._choices[request.branch].entering:
            self._send_output(request, number, None, request.arrival_s, START)

    def accepts(self, work: Work) -> bool:
        """Take note of a task all of whose inputs have arrived; return whether its node is up."""
        assert isinstance(work, Attempt)
        if not work.task.server.up:
            self._outages.strike(work.node)
            self._fail(work, "crash")
            return False
        if self._memory is not None:
            self._memory.add_inputs(work.node, self._input_bytes(work))
        return True

    def has_result(self, work: Work, joules: float) -> bool:
        """Take note of a task that ran; return whether its result is of use."""
        assert isinstance(work, Attempt)
        request, task = work.request, work.task
        if self._memory is not None:
            self._memory.remove_inputs(task.node, self._input_bytes(work), ran=True)
        if self._checks is not None:
            self._checks.answered(task.node)
        if work.ended or request.ended:
            self._lost_j += joules
            return False
        work.joules = joules
        work.crashes = self._outages.crashes[task.node]
        request.add_result(work)
        if request.trouble is None:
            request.joules += joules
            work.ended = True
            return True
        if work.measure > request.measure:
            request.measure = work.measure
        for attempt in request.trouble.live.pop(task.index):
            self._cancel(attempt, ran=attempt is work)
        return True

    def send_outputs(self, work: Work, now: float, path: Path) -> None:
        """Send every output of a task that has a result."""
        assert isinstance(work, Attempt)
        request, task = work.request, work.task
        work.path = path
        for number in self._choices[request.branch].outputs[task.index]:
            if not request.ended:
                self._send_output(request, number, task, now, path)

    def drop(self, work: Work, reason: str) -> None:
        """Go on without work that its queue dropped.

        What a full queue refuses is attempted again like what fails; a node that drops the rest
        has newer work, or sees that it would be late.
        """
        assert isinstance(work, Attempt)
        request, task = work.request, work.task
        if work.ended or request.settled(task):
            return
        if self._memory is not None:
            self._memory.remove_inputs(work.node, self._input_bytes(work), ran=False)
        self._fail(work, reason, again=reason == FULL)

    def leaves(self, parcel: Parcel) -> bool:
        """Return whether a transfer can begin now; go on without it where it cannot."""
        if obsolete(parcel):
            return False
        servers, transfer, attempt = self._servers, parcel.transfer, parcel.work
        if not (servers[transfer.source_node].up and servers[transfer.target_node].up):
            self._undeliverable(parcel)
            return False
        if isinstance(attempt, Attempt):
            attempt.coming.append(parcel)
        return True

    def tail_s(self, parcel: Parcel) -> float:
        """Return the delay of the last bytes of a transfer, in seconds."""
        route = parcel.transfer.route
        return 0.0 if route is None else tail_s(route.loss, self._loss_stream)

    def takes(self, parcel: Parcel) -> bool:
        """Take note of data that arrived; return whether something waited for them."""
        attempt, number = parcel.work, parcel.transfer.number
        if obsolete(parcel):
            return False
        if isinstance(attempt, Attempt):
            if number in attempt.arrived:
                return False
            attempt.arrived.add(number)
        return True

    def closed(self, request: Request, last_j: float) -> None:
        """Count the energy of a request that was answered or has failed; end what goes on.

        Args:
            request: the request.
            last_j: joules of its last task, of whose result no note was taken.
        """
        assert isinstance(request, TrackedRequest)
        branch = request.branch
        if branch.joins:
            del self._joining[request]
        if request.trouble is not None:
            self._closed_after_trouble(request, request.trouble)
            return
        self._used_j += request.joules + last_j
        self._answered[FIRST] += 1
        if self._clocks is None:
            # Nothing refers to it any more: all that it sent has arrived, and no clock runs.
            request.renew()
            branch.spare.append(request)
        else:
            request.ended = True

    def _closed_after_trouble(self, request: TrackedRequest, trouble: Trouble) -> None:
        joules = 0.0
        for result in request.results.values():
            joules += result.joules
        for index in tuple(trouble.live):
            self._cancel_attempts(request, request.branch.tasks[index])
        request.ended = True
        if self._outcome[request.index] >= _FAILED:
            self._lost_j += joules
        else:
            self._used_j += joules
            self._answered[request.measure] += 1

    def _crashed(self, name: str, lost: list[tuple[Work, float]]) -> None:
        """Go on after a node has crashed."""
        for work, joules in lost:
            assert isinstance(work, Attempt)
            self._lost_j += joules
            self._outages.strike(name)
            self._fail(work, "crash")
        for token in self._flows.cut(name):
            if isinstance(token, WeightTransfer):
                token.lost()
            else:
                self._undeliverable(token)
        for request in list(self._joining):
            for attempt in request.in_progress():
                if attempt.node == name and attempt.arrived:
                    self._fail(attempt, "crash")

    # Attempts

    def _attempt(self, request: TrackedRequest, task: ReadyTask) -> Attempt | None:
        """Begin an attempt at a task; return None where it has ended at once."""
        attempt: Attempt | None
        if request.trouble is None and task.node not in self._known_down:
            attempt = request.begin(task)
        else:
            attempt = self._choose(request, task, hedge=False)
            if attempt is None:
                return None
        self._attempts += 1
        if not attempt.waiting:
            self._submit(attempt)
        return attempt

    def _submit(self, attempt: Attempt) -> None:
        """Hand an attempt that needs no input to its server."""
        now = self._kernel.time_s
        if self._clocks is not None:
            self._clocks.start(attempt.request, attempt.task)
        server = attempt.task.server
        path = (now - attempt.request.arrival_s, 0.0, 0.0, 0.0)
        if self._memory is None and server.up:
            attempt.ready_s = now
            attempt.path = path
            server.submit(attempt)
        else:
            self._engine.submit(attempt, now, path)

    def _choose(self, request: TrackedRequest, task: ReadyTask, *, hedge: bool) -> Attempt | None:
        """Return an attempt at a task on the node that is best for it now; None without any."""
        index, trouble = task.index, request.mark_trouble()
        if not hedge:
            trouble.attempted[index] = trouble.attempted.get(index, 0) + 1
        choices = self._choices[request.branch]
        allow_down = self._checks is None and not hedge
        chosen = choices.choose(request, task, self._known_down, hedge=hedge, allow_down=allow_down)
        if chosen is None:
            if not hedge:
                self._again(request, task, "out of service")
            return None
        waiting = sum(number not in trouble.cancelled for number in choices.inputs[index])
        attempt = Attempt(request, chosen[0], waiting, chosen[1])
        trouble.asked[index, attempt.node] = trouble.asked.get((index, attempt.node), 0) + 1
        trouble.live.setdefault(index, []).append(attempt)
        return attempt

    def _input_bytes(self, attempt: Attempt) -> float:
        return self._choices[attempt.request.branch].input_bytes[attempt.task.index]

    def _hedge(self, attempt: Attempt) -> None:
        request, task = attempt.request, attempt.task
        if attempt.ended or request.settled(task) or len(request.live(task)) > 1:
            return
        second = self._choose(request, task, hedge=True)
        if second is None:
            return
        self._attempts += 1
        if not second.waiting:
            self._submit(second)
        self._fetch_inputs(second)

    def _cancel_attempts(self, request: TrackedRequest, task: ReadyTask) -> None:
        """End every attempt at a task; what runs goes on, and its result is not used."""
        for attempt in request.mark_trouble().live.pop(task.index, ()):
            self._cancel(attempt)

    def _cancel(self, attempt: Attempt, *, ran: bool = False) -> None:
        attempt.ended = True
        for parcel in attempt.coming:
            route = parcel.transfer.route
            if route is not None and parcel.transfer.number not in attempt.arrived:
                self._flows.withdraw(route, parcel)
        waits = not ran and not attempt.waiting and attempt.task.server.withdraw(attempt)
        if waits and self._memory is not None:
            self._memory.remove_inputs(attempt.node, self._input_bytes(attempt), ran=False)

    def _fail(self, attempt: Attempt, reason: str, *, again: bool = True) -> None:
        """End an attempt without a result; go on with another one, or without the task."""
        request, task = attempt.request, attempt.task
        if attempt.ended or request.settled(task):
            return
        live = request.mark_trouble().live[task.index]
        self._cancel(attempt)
        live.remove(attempt)
        if not live and again:
            self._again(request, task, reason)
        elif not live:
            self._degradation.give_up(request, request.branch.tasks[task.index], reason)

    def _again(self, request: TrackedRequest, task: ReadyTask, reason: str) -> None:
        """Attempt a task again after a pause, or give it up."""
        retry, attempted = self._recovery.retry, request.attempted(task)
        own = request.branch.tasks[task.index]
        if retry is None or attempted >= retry.attempts:
            self._degradation.give_up(request, own, reason)
            return
        pause_s = retry.pause_s(attempted, float(self._backoff_stream.random()))
        self._kernel.call_after(pause_s, lambda _: self._retry(request, own))

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
            if request.attempted(target) or self._attempt(request, target) is None:
                return
            attempts = request.live(target)
        for attempt in tuple(attempts):
            self._send(request, number, source, attempt, now, path)
        if self._clocks is not None:
            self._clocks.start(request, target)

    def _fetch_inputs(self, attempt: Attempt) -> None:
        """Send an attempt the inputs that exist; compute again those that are lost."""
        request, task, now = attempt.request, attempt.task, self._kernel.time_s
        choices = self._choices[request.branch]
        path = request.waited(now, choices.sources[task.index], lost=False)
        for number in choices.inputs[task.index]:
            source = request.branch.transfers[number].source
            if request.cancelled(number) or attempt.ended or request.ended:
                continue
            if source is None:
                self._send(request, number, None, attempt, now, path)
                continue
            result = request.results.get(source.index)
            if result is None:
                continue
            server = result.task.server
            if server.up and self._outages.crashes[result.node] == result.crashes:
                self._send(request, number, result.task, attempt, now, path)
            else:
                self._compute_again(request, source)
        if self._clocks is not None:
            self._clocks.start(request, task)

    def _compute_again(self, request: TrackedRequest, task: ReadyTask) -> None:
        """Compute a task again whose result is lost."""
        request.mark_trouble()
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
        transfer = request.branch.transfers[number]
        if source is not transfer.source or target is not transfer.target:
            transfer = self._choices[request.branch].transfer(number, source, target)
        parcel = Parcel(transfer, request, attempt, now, path)
        if transfer.route is None:
            self._engine.arrived(parcel, now, path)
        else:
            self._engine.send(transfer.before_s + transfer.route.extra_s, (parcel,))

    def _undeliverable(self, parcel: Parcel) -> None:
        """Go on without a parcel one of whose ends is down."""
        request, transfer, attempt = parcel.request, parcel.transfer, parcel.work
        if obsolete(parcel):
            return
        assert isinstance(request, TrackedRequest)
        if isinstance(attempt, Attempt) and not self._servers[transfer.target_node].up:
            self._outages.strike(transfer.target_node)
            self._fail(attempt, "crash")
        elif transfer.source is not None and not self._servers[transfer.source_node].up:
            self._compute_again(request, request.branch.tasks[transfer.source.index])
        elif isinstance(attempt, Attempt):
            self._fail(attempt, "crash")
        else:
            self._degradation.fail(request, "nobody takes the answer")

    def record(self, now: float, offered: int) -> FaultRecord:
        """Return what failed, and what came of it, when the run ends."""
        faults = self._outages.faults
        self._lost_j += sum(server.unfinished_j() for server in self._servers.values())
        return FaultRecord(
            answered={
                name: many for name, many in zip(MEASURES, self._answered, strict=True) if many
            },
            reasons=dict(self._degradation.reasons),
            used_j=self._used_j,
            lost_j=self._lost_j,
            attempts=self._attempts,
            events=tuple(faults.events),
            nodes=faults.node_rows(now),
            links=faults.link_rows(now),
            recover_s=self._engine.recorder.recover_s(faults.began_s, offered),
        )
