"""Health checks of nodes, as a coordinator makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgesim.simulate.faults import FaultInjector
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.recovery import Health


@dataclass(eq=False)
class HealthChecks:
    """Checks every node periodically; one that fails gets no work until it passes a check.

    A check of a node that is down fails at once (a refused connection). A check of a node that is
    frozen, or behind a cut link, fails after an interval. Checks begin an interval apart, or when
    the one before has ended.

    Attributes:
        kernel: the clock.
        health: interval of the checks, and failures until a node is taken out.
        faults: state of nodes and links.
        links: names of the links to each node that is checked.
        out: nodes that get no work until they pass a check.
    """

    kernel: Kernel
    health: Health
    faults: FaultInjector
    links: Mapping[str, Sequence[str]]
    out: set[str] = field(default_factory=set)
    _strikes: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """Schedule the first check of every node."""
        for name in self.links:
            self._schedule(name, self.health.interval_s)

    def _schedule(self, name: str, due_s: float) -> None:
        now = self.kernel.time_s
        self.kernel.call_at(max(now, due_s), lambda _: self._check(name, max(now, due_s)))

    def _check(self, name: str, began_s: float, *, ends: bool = False) -> None:
        reached = not any(map(self.faults.is_cut, self.links[name]))
        until_s = began_s + self.health.interval_s
        if reached and self.faults.answers(name):
            self._passed(name)
        elif ends or (reached and not self.faults.nodes[name].frozen):
            self.strike(name)
        else:
            self.kernel.call_at(until_s, lambda _: self._check(name, began_s, ends=True))
            return
        self._schedule(name, until_s)

    def _passed(self, name: str) -> None:
        self._strikes[name] = 0
        if name in self.out:
            self.out.discard(name)
            self.faults.record(name, "taken in")

    def answered(self, name: str) -> None:
        """Count a result of a part: failures in a row start again at 0."""
        if name in self.links and name not in self.out:
            self._strikes[name] = 0

    def strike(self, name: str) -> None:
        """Count a failure of a check or of a part."""
        if name not in self.links or name in self.out:
            return
        self._strikes[name] += 1
        if self._strikes[name] >= self.health.strikes:
            self.out.add(name)
            self.faults.record(name, "taken out")
