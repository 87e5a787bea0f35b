"""Crash and repair of nodes: exponential times, or a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from simpy.events import Event

from edgesim.hardware import Cluster, Faults
from edgesim.simulate.streams import stream
from edgesim.simulate.work import Move

if TYPE_CHECKING:
    from edgesim.simulate.engine import Engine


class Crashes:
    """Takes nodes out of service and back.

    A crash loses what the node ran, queued and held of inputs, and every flow to or from it.
    Those who depend on it know at once (a closed connection); there is no retry. A node that
    comes back is empty and has its weights loaded.
    """

    def __init__(self, engine: Engine, cluster: Cluster, seed: int, replication: int) -> None:
        self.down: dict[str, float] = {}
        """Nodes that are down now, and since when."""
        self.any_down = False
        self._engine = engine
        self._down_s: dict[str, float] = {}
        self._faults = {
            name: (node.faults, stream(seed, replication, f"faults {name}"))
            for name, node in cluster.nodes.items()
            if node.faults is not None
        }

    @property
    def possible(self) -> bool:
        """Whether any node can fail."""
        return bool(self._faults)

    def begin(self) -> None:
        """Schedule the first crash of every node that can fail."""
        for name, (faults, generator) in self._faults.items():
            for outage in faults.schedule:
                self._plan_outage(name, outage.at_s, outage.duration_s)
            if faults.mtbf_s is not None:
                self._plan_random(name, faults, generator, 0.0)

    def _plan_outage(self, name: str, at_s: float, duration_s: float) -> None:
        kernel = self._engine.kernel
        kernel.call_at(at_s, lambda _: self._crash(name))
        kernel.call_at(at_s + duration_s, lambda _: self._repair(name))

    def _plan_random(
        self, name: str, faults: Faults, generator: np.random.Generator, now: float
    ) -> None:
        kernel = self._engine.kernel
        assert faults.mtbf_s is not None
        at_s = now + float(generator.exponential(faults.mtbf_s))
        back_s = at_s + float(generator.exponential(faults.mttr_s or 0.0))

        def repair(_: Event) -> None:
            self._repair(name)
            self._plan_random(name, faults, generator, back_s)

        kernel.call_at(at_s, lambda _: self._crash(name))
        kernel.call_at(back_s, repair)

    def _crash(self, name: str) -> None:
        if name in self.down:
            return
        engine = self._engine
        self.down[name] = engine.kernel.time_s
        self.any_down = True
        for work in engine.servers[name].crash():
            engine.losses.lose(work.request, work.task)
        for parcel in engine.flows.cut(name):
            engine.losses.drop(parcel)
        engine.losses.forget(name)

    def _repair(self, name: str) -> None:
        since_s = self.down.pop(name, None)
        if since_s is None:
            return
        self._down_s[name] = self._down_s.get(name, 0.0) + self._engine.kernel.time_s - since_s
        self.any_down = bool(self.down)
        self._engine.servers[name].up = True

    def severed(self, move: Move) -> bool:
        """Whether one end of a move is down now."""
        return move.source_node in self.down or move.target_node in self.down

    def down_s(self, now: float) -> dict[str, float]:
        """Return the seconds that each node was down until ``now``."""
        total = dict(self._down_s)
        for name, since_s in self.down.items():
            total[name] = total.get(name, 0.0) + now - since_s
        return total
