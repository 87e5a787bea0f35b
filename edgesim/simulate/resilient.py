"""The engine where something may fail: tries, deadlines, and answers without a part."""

from __future__ import annotations

from collections import Counter
from math import nan

import numpy as np

from edgesim.hardware import Cluster, FaultKind, Node
from edgesim.placement.plan import Plan
from edgesim.simulate.attempts import Attempt, Carried, Course, Gave, Tried
from edgesim.simulate.choices import MEANS, Choices
from edgesim.simulate.exhaustion import Memories
from edgesim.simulate.fault_record import FaultRecord
from edgesim.simulate.faults import FaultPlayer
from edgesim.simulate.health import Checks
from edgesim.simulate.hosts import Host
from edgesim.simulate.loss import tail_s
from edgesim.simulate.meter import MeteredPort
from edgesim.simulate.ports import Port
from edgesim.simulate.reassign import Mover, Shipment
from edgesim.simulate.recording import Outcome, Span
from edgesim.simulate.recovery import Recovery
from edgesim.simulate.run import START, Progress, Run
from edgesim.simulate.streams import stream
from edgesim.simulate.totals import transfer_joules
from edgesim.simulate.traffic import Traffic
from edgesim.simulate.work import Path, Request, Step, Way, Work

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


class Resilient(Run):
    """A run in which nodes and links fail. Use `simulate`.

    A step that was lost is tried again as the recovery says: its inputs are sent once more by
    those that still have them, and what nobody has any more is computed again. A step that is
    given up takes its request with it, unless it is optional; then whoever waits for its output
    waits for one input less, a step that is left without any input is given up in its turn, and a
    request that is left without any ending fails.
    """

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        traffic: Traffic,
        seed: int,
        replication: int,
        trace_requests: int,
        progress: Progress | None,
        recovery: Recovery,
    ) -> None:
        self._slowing = {fault.target for fault in cluster.faults if fault.kind in _SLOWING}
        self._own_hosts: dict[str, Host] = {}
        super().__init__(plan, cluster, traffic, seed, replication, trace_requests, progress)
        self._recovery = recovery
        self._home = plan.input_node or plan.branches[0].tasks[0].node
        self.live: dict[Course, None] = {}
        self._lives = dict.fromkeys(cluster.nodes, 0)
        self._answered: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._used_j = self._lost_j = 0.0
        self._tries = 0
        self._tail = stream(seed, replication, "loss")
        self._chance = stream(seed, replication, "recovery")
        self.faults = FaultPlayer(
            self.kernel, cluster, self.servers, self.flows, seed, replication,
            self._crashed, self._returned,
        )  # fmt: skip
        for name, host in self._own_hosts.items():
            if _has_meter(cluster.nodes[name]):
                self.faults.meter(name, host, self.ports[name])
        self.choices = {
            way: Choices(way, branch.tasks, plan, cluster, self.flows, traffic.samples)
            for way, branch in zip(self.ways, plan.branches, strict=True)
        }
        self._add_choices()
        self._memories = Memories(self.kernel, cluster, plan.memory_bytes(), self._out_of_memory)
        self._input_bytes = {
            (way, step.index): sum(
                way.moves[number].size for number in self.choices[way].into[step.index]
            )
            for way in self.ways
            for step in way.steps
        }
        self._checks: Checks | None = None
        if recovery.health is not None:
            self._checks = Checks(
                self.kernel, recovery.health, self.faults, self._ways_to(), lambda name: None
            )
        self._mover: Mover | None = None
        if recovery.reassign is not None:
            self._mover = Mover(self, plan, cluster, recovery.reassign, self._home)

    def _port(self, node: Node) -> Port:
        return MeteredPort() if _has_meter(node) else Port()

    def _host(self, node: Node) -> Host | None:
        if node.name not in self._slowing and not _has_meter(node):
            return None
        host = Host(self.kernel, node.device.cores, 1)
        self._own_hosts[node.name] = host
        return host

    def _add_choices(self) -> None:
        for way, choices in self.choices.items():
            for step in way.steps:
                if step.fusion or step.message:
                    continue
                for name in self._recovery.standby:
                    choices.add(step.index, self.servers[name], "standby")
                for other in self.ways:
                    for twin in other.steps:
                        if other is not way and twin.name == step.name:
                            choices.add(step.index, twin.server, "retry")

    def _ways_to(self) -> dict[str, tuple[str, ...]]:
        """Return the links between whoever checks and every node that runs something."""
        found = {}
        for choices in self.choices.values():
            for steps in choices.all_options():
                for step, _ in steps:
                    name = step.server.node.name
                    hops = self._cluster.network.route(self._home, name)
                    if name != self._home and hops is not None:
                        found[name] = tuple(hop.link for hop in hops)
        return found

    def _begin(self) -> None:
        self.faults.begin()
        if self._checks is not None:
            self._checks.begin()
        super()._begin()

    def _admit(self) -> None:
        now = self.kernel.time_s
        index = self._offered
        self._offered = index + 1
        self._arrival_s[index] = now
        way = self._only_way or self._least_loaded()
        way.load += 1
        request = Course(index, now, way)
        self.live[request] = None
        for step in way.roots:
            self._try(request, step)
        for number in self.choices[way].entering:
            self._offer(request, number, None, now, START)

    def _known_down(self, name: str) -> bool:
        if self._checks is not None:
            return name in self._checks.out
        return not self.servers[name].up

    def _choose(self, request: Course, step: Step, *, hedge: bool) -> tuple[Step, int] | None:
        """Return the node to ask for a step, and why; None where none is worth asking."""
        best: tuple[tuple[bool, int, int], Step, str] | None = None
        busy = {attempt.step.server.node.name for attempt in request.live(step)}
        for order, (place, means) in enumerate(self.choices[request.way].options(step)):
            name = place.server.node.name
            if hedge and name in busy:
                continue
            rank = (self._known_down(name), request.asked.get((step.index, name), 0), order)
            if best is None or rank < best[0]:
                best = (rank, place, means)
        if best is None or (best[0][0] and (hedge or self._checks is not None)):
            return None
        _, place, means = best
        if hedge:
            means = "hedge"
        elif means == "first try" and request.tried.get(step.index, 0) > 1:
            means = "retry"
        return place, MEANS.index(means)

    def _try(self, request: Course, step: Step, *, hedge: bool = False) -> Attempt | None:
        """Begin a try of a step; return None where it is over at once."""
        index = step.index
        if not hedge:
            request.tried[index] = request.tried.get(index, 0) + 1
        chosen = self._choose(request, step, hedge=hedge)
        if chosen is None:
            if not hedge:
                self._again(request, step, "out of service")
            return None
        place, means = chosen
        self._tries += 1
        name = place.server.node.name
        request.asked[index, name] = request.asked.get((index, name), 0) + 1
        into = self.choices[request.way].into[index]
        waiting = sum(number not in request.gone for number in into)
        attempt = Attempt(request, place, waiting, means)
        request.attempts.setdefault(index, []).append(attempt)
        if not waiting:
            self._asked_all(request, step)
            self._submit(attempt, self.kernel.time_s, START)
        return attempt

    def _offer(
        self, request: Course, number: int, source: Step | None, now: float, path: Path
    ) -> None:
        """Send an input that is ready to every try that waits for it."""
        target = request.way.moves[number].target
        if target is None:
            self._ship(request, number, source, None, now, path)
            return
        if request.settled(target):
            return
        attempts = request.live(target)
        if not attempts:
            # One that failed before fetches its inputs when it is tried again.
            if request.tried.get(target.index) or self._try(request, target) is None:
                return
            attempts = request.live(target)
        for attempt in tuple(attempts):
            self._ship(request, number, source, attempt, now, path)
        self._asked_all(request, target)

    def _asked_all(self, request: Course, step: Step) -> None:
        """Start the clocks of a step once everything that it needs has been sent."""
        if request.settled(step):
            return
        choices = self.choices[request.way]
        for number in choices.into[step.index]:
            source = request.way.moves[number].source
            if (
                source is not None
                and number not in request.gone
                and source.index not in request.done
            ):
                return
        recovery, now = self._recovery, self.kernel.time_s
        unit = choices.units[step.index]
        if recovery.deadline_s is not None and unit not in request.begun:
            request.begun.add(unit)
            self.kernel.call_at(now + recovery.deadline_s, lambda _: self._late(request, unit))
        for attempt in request.live(step):
            if attempt.timed:
                continue
            attempt.timed = True
            self._start_clocks(attempt, now)

    def _start_clocks(self, attempt: Attempt, now: float) -> None:
        retry, hedge_s = self._recovery.retry, self._recovery.hedge_after_s
        if retry is not None and retry.timeout_s is not None:
            self.kernel.call_at(now + retry.timeout_s, lambda _: self.fail(attempt, "timeout"))
        if hedge_s is not None and MEANS[attempt.means] != "hedge":
            self.kernel.call_at(now + hedge_s, lambda _: self._hedge(attempt))

    def _hedge(self, attempt: Attempt) -> None:
        request, step = attempt.request, attempt.step
        if attempt.over or request.settled(step) or len(request.live(step)) > 1:
            return
        second = self._try(request, step, hedge=True)
        if second is not None:
            self._fetch(second)

    def _fetch(self, attempt: Attempt) -> None:
        """Send a try the inputs that are there; what is there no more is computed again."""
        request, step, now = attempt.request, attempt.step, self.kernel.time_s
        for number in self.choices[request.way].into[step.index]:
            source = request.way.moves[number].source
            if number in request.gone or attempt.over or request.over:
                continue
            if source is None:
                self._ship(request, number, None, attempt, now, self._waited(request))
                continue
            gave = request.done.get(source.index)
            if gave is None:
                continue
            if self._intact(gave):
                self._ship(request, number, gave.step, attempt, now, self._waited(request))
            else:
                self._redo(request, source)
        self._asked_all(request, step)

    def _waited(self, request: Course) -> Path:
        # Nothing says which part of a failed try was what: it was waiting.
        return (self.kernel.time_s - request.arrival_s, 0.0, 0.0, 0.0)

    def _intact(self, gave: Gave) -> bool:
        name = gave.step.server.node.name
        return gave.step.server.up and self._lives[name] == gave.life

    def _redo(self, request: Course, step: Step) -> None:
        """Compute a step again whose result is lost."""
        gave = request.done.pop(step.index, None)
        if gave is not None:
            self._lost_j += gave.joules
            self._again(request, step, "crash")

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
            self._strike(move.target_node)
            self.fail(attempt, "crash")
        elif move.source is not None and not self.servers[move.source_node].up:
            self._redo(request, request.way.steps[move.source.index])
        elif attempt is not None:
            self.fail(attempt, "crash")
        else:
            self._fail_request(request, "nobody takes the answer")

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
            self.kernel.call_at(self.kernel.time_s + after_s, lambda _: self._received(token))
        else:
            self._received(token)

    def _received(self, parcel: Carried) -> None:
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
        self._arrived(parcel, now, path)

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
            self._submit(attempt, now, path)

    def _submit(self, attempt: Attempt, now: float, path: Path) -> None:
        server = attempt.step.server
        name = server.node.name
        if not server.up:
            self._strike(name)
            self.fail(attempt, "crash")
            return
        attempt.work = work = Tried(attempt, now, path)
        self._memories.take(name, self._bytes_of(attempt))
        server.submit(work)

    def _bytes_of(self, attempt: Attempt) -> float:
        return self._input_bytes[attempt.request.way, attempt.step.index]

    def _ran(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        assert isinstance(work, Tried)
        attempt = work.attempt
        request, step = attempt.request, attempt.step
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
        name = step.server.node.name
        if request.index < self._trace_requests:
            self._spans.append(
                Span(request.index, step.name, name, "", step.span_kind, start_s, end_s, joules)
            )
        self._memories.give(name, self._bytes_of(attempt), ran=True)
        if self._checks is not None:
            self._checks.passed(name)
        if attempt.over or request.settled(step):
            self._lost_j += joules
            return
        path = (queue_s, compute_s, transfer_s, fusion_s)
        request.done[step.index] = Gave(step, path, self._lives[name], joules)
        request.means = max(request.means, attempt.means)
        self._call_off(request, step)
        for number in self.choices[request.way].out_of[step.index]:
            if not request.over:
                self._offer(request, number, step, end_s, path)
        if step.last:
            self.end(request, end_s, path)

    def _call_off(self, request: Course, step: Step) -> None:
        """End every try of a step; what runs goes on for nothing."""
        for attempt in request.attempts.pop(step.index, ()):
            self._drop(attempt)

    def _drop(self, attempt: Attempt) -> None:
        attempt.over = True
        for parcel in attempt.coming:
            if parcel.move.route is not None and parcel.number not in attempt.arrived:
                self.flows.withdraw(parcel.move.route, parcel)
        work = attempt.work
        if work is not None and attempt.step.server.withdraw(work):
            name = attempt.step.server.node.name
            self._memories.give(name, self._bytes_of(attempt), ran=False)

    def fail(self, attempt: Attempt, why: str) -> None:
        """End a try that came to nothing; go on with another, or without."""
        request, step = attempt.request, attempt.step
        if attempt.over or request.settled(step):
            return
        self._drop(attempt)
        live = request.attempts[step.index]
        live.remove(attempt)
        if not live:
            self._again(request, step, why)

    def _again(self, request: Course, step: Step, why: str) -> None:
        """Try a step again after a pause, or give it up."""
        retry, tried = self._recovery.retry, request.tried.get(step.index, 0)
        home = request.way.steps[step.index]
        if retry is None or tried >= retry.attempts:
            self.lose(request, home, why)
            return
        pause_s = retry.pause_s(tried, float(self._chance.random()))
        self.kernel.call_at(self.kernel.time_s + pause_s, lambda _: self._retry(request, home))

    def _retry(self, request: Course, step: Step) -> None:
        if request.settled(step) or request.live(step):
            return
        attempt = self._try(request, step)
        if attempt is not None and attempt.waiting:
            self._fetch(attempt)

    def _late(self, request: Course, unit: str) -> None:
        """Give up what has not answered by its deadline."""
        units = self.choices[request.way].units
        for step in request.way.steps:
            if units[step.index] == unit and not request.settled(step):
                self.lose(request, step, "deadline")

    def lose(self, request: Course, step: Step, why: str) -> None:
        """Give up a step."""
        if request.settled(step):
            return
        request.lost.add(step.index)
        self._call_off(request, step)
        request.lacks().parts[step] = None
        if not step.optional or not self._recovery.degrade:
            self._fail_request(request, why)
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
        request.lacks().parts[move] = None
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
                    self._submit(attempt, self.kernel.time_s, self._waited(request))
        self._asked_all(request, step)

    def _end_without(self, request: Course, why: str) -> None:
        """Count an ending that will not come."""
        missing = request.lacks()
        missing.endings += 1
        if missing.endings == request.way.ends:
            self._fail_request(request, why)
            return
        self.end(request, self.kernel.time_s, self._waited(request))

    def _fail_request(self, request: Course, why: str) -> None:
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
            self._call_off(request, request.way.steps[index])
        super().close(request, outcome)

    def _strike(self, name: str) -> None:
        if self._checks is not None:
            self._checks.strike(name)

    def _crashed(self, name: str, lost: list[tuple[Work, float]]) -> None:
        """Go on from a node that went down."""
        self._lives[name] += 1
        self._memories.clear(name)
        for work, joules in lost:
            assert isinstance(work, Tried)
            self._lost_j += joules
            self._strike(name)
            self.fail(work.attempt, "crash")
        for token in self.flows.cut(name):
            if isinstance(token, Shipment):
                token.lost()
            else:
                assert isinstance(token, Carried)
                self._dropped(token)
        for request in list(self.live):
            for attempts in list(request.attempts.values()):
                for attempt in tuple(attempts):
                    if attempt.step.server.node.name == name and attempt.arrived:
                        self.fail(attempt, "crash")
        if self._mover is not None:
            self._mover.crashed(name)

    def _returned(self, name: str) -> None:
        if self._mover is not None:
            self._mover.returned(name)

    def _out_of_memory(self, name: str) -> None:
        if self.servers[name].up:
            self.faults.crash(name, "memory", "out of memory")
            self.faults.repair(name, "memory")

    def _off_s(self, now: float) -> dict[str, float]:
        return self.faults.off_s(now)

    def _fault_record(self, now: float) -> FaultRecord:
        self._lost_j += sum(server.unfinished_j() for server in self.servers.values())
        return FaultRecord(
            events=tuple(self.faults.events),
            nodes=self.faults.node_rows(now),
            links=self.faults.link_rows(now),
            answered={means: self._answered[means] for means in MEANS if self._answered[means]},
            reasons=dict(self._reasons),
            used_j=self._used_j,
            lost_j=self._lost_j,
            attempts=self._tries,
            recover_s=self._recover_s(),
        )

    def _recover_s(self) -> tuple[float, ...]:
        """Return how long each failure went without a whole answer; NaN where there was none."""
        arrival_s = np.frombuffer(self._arrival_s, dtype=np.float64)[: self._offered]
        latency_s = np.frombuffer(self._latency_s, dtype=np.float64)[: self._offered]
        outcome = np.frombuffer(self._outcome, dtype=np.uint8)[: self._offered]
        whole = outcome == int(Outcome.COMPLETED)
        ends_s = np.where(whole, arrival_s + latency_s, np.inf)
        first_s = np.minimum.accumulate(ends_s[::-1])[::-1]
        found = []
        for began_s in self.faults.began_s:
            index = int(np.searchsorted(arrival_s, began_s, side="left"))
            known = index < len(first_s) and np.isfinite(first_s[index])
            found.append(float(first_s[index] - began_s) if known else nan)
        return tuple(found)


__all__ = ["Resilient", "Way", "can_fail"]
