"""Steps of requests tried, tried again, and tried elsewhere."""

from __future__ import annotations

import numpy as np

from edgesim.simulate.attempts import Attempt, Course, Gave, Tried
from edgesim.simulate.choices import MEANS
from edgesim.simulate.exhaustion import Memories
from edgesim.simulate.giving import Giving
from edgesim.simulate.health import Checks
from edgesim.simulate.run import START
from edgesim.simulate.work import Path, Step, Way, Work


class Tries(Giving):
    """Tries every step of a request until one try has a result, or none is left.

    A step that was lost is tried again as the recovery says: its inputs are sent once more by those
    that still have them, and what nobody has any more is computed again.
    """

    _chance: np.random.Generator
    _checks: Checks | None
    _input_bytes: dict[tuple[Way, int], float]
    _lives: dict[str, int]
    _memories: Memories
    _tries: int

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
            self.asked_all(request, step)
            self.submit(attempt, self.kernel.time_s, START)
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
        self.asked_all(request, target)

    def asked_all(self, request: Course, step: Step) -> None:
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
        retry, hedge = self._recovery.retry, self._recovery.hedge
        if retry is not None and retry.timeout_s is not None:
            self.kernel.call_at(now + retry.timeout_s, lambda _: self.fail(attempt, "timeout"))
        if hedge is not None and MEANS[attempt.means] != "hedge":
            self.kernel.call_at(now + hedge.after_s, lambda _: self._hedge(attempt))

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
                self._ship(request, number, None, attempt, now, self.waited(request))
                continue
            gave = request.done.get(source.index)
            if gave is None:
                continue
            if self._intact(gave):
                self._ship(request, number, gave.step, attempt, now, self.waited(request))
            else:
                self.redo(request, source)
        self.asked_all(request, step)

    def _intact(self, gave: Gave) -> bool:
        name = gave.step.server.node.name
        return gave.step.server.up and self._lives[name] == gave.life

    def redo(self, request: Course, step: Step) -> None:
        """Compute a step again whose result is lost."""
        gave = request.done.pop(step.index, None)
        if gave is not None:
            self._lost_j += gave.joules
            self._again(request, step, "crash")

    def submit(self, attempt: Attempt, now: float, path: Path) -> None:
        """Hand a try whose every input is there to its server."""
        server = attempt.step.server
        name = server.node.name
        if not server.up:
            self.strike(name)
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
        name = step.server.node.name
        path = self._worked(work, start_s, end_s, joules)
        self._memories.give(name, self._bytes_of(attempt), ran=True)
        if self._checks is not None:
            self._checks.passed(name)
        if attempt.over or request.settled(step):
            self._lost_j += joules
            return
        request.done[step.index] = Gave(step, path, self._lives[name], joules)
        request.means = max(request.means, attempt.means)
        self.call_off(request, step)
        for number in self.choices[request.way].out_of[step.index]:
            if not request.over:
                self._offer(request, number, step, end_s, path)
        if step.last:
            self.end(request, end_s, path)

    def call_off(self, request: Course, step: Step) -> None:
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
        self.kernel.call_after(pause_s, lambda _: self._retry(request, home))

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

    def strike(self, name: str) -> None:
        """Count a failure of a node, where nodes are checked."""
        if self._checks is not None:
            self._checks.strike(name)
