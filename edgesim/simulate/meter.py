"""A node's power as it changes, for what depends on it: temperature and charge."""

from __future__ import annotations

from typing import Protocol

from edgesim.hardware import Node
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.ports import Port
from edgesim.simulate.totals import port_watts


class Follower(Protocol):
    """Something that follows from a node's power."""

    def advance(self, watts: float, time_s: float) -> None:
        """Let ``time_s`` seconds pass at constant power."""

    def plan(self, watts: float) -> None:
        """Expect this power from now on."""


class Meter:
    """Tells its followers the power of one node, constant between two changes.

    Args:
        kernel: the clock.
        node: whose power.
        host: what keeps its cores.
    """

    def __init__(self, kernel: Kernel, node: Node, host: Host) -> None:
        self.powered = True
        self.followers: list[Follower] = []
        self._kernel = kernel
        self._node = node
        self._host = host
        self._sending_w, self._receiving_w = port_watts(node)
        self._port: Port | None = None
        self._since_s = 0.0
        self._watts = node.device.power.idle_w
        host.changed = self.update

    def watch(self, port: MeteredPort) -> None:
        """Count what the node's port draws, too."""
        self._port = port
        port.changed = self.update

    def begin(self) -> None:
        """Let the followers expect what the node draws at the start."""
        for follower in self.followers:
            follower.plan(self._watts)

    def pass_time(self) -> None:
        """Let the time since the last change pass."""
        now = self._kernel.time_s
        passed_s = now - self._since_s
        self._since_s = now
        if passed_s > 0.0:
            for follower in self.followers:
                follower.advance(self._watts, passed_s)

    def update(self) -> None:
        """See what the node draws now."""
        self.pass_time()
        self._watts = self._now_w()
        for follower in self.followers:
            follower.plan(self._watts)

    def _now_w(self) -> float:
        if not self.powered:
            return 0.0
        watts = self._node.device.power.idle_w + self._host.above_idle_w()
        if self._port is not None:
            watts += self._sending_w * bool(self._port.sending)
            watts += self._receiving_w * bool(self._port.receiving)
        return watts


class MeteredPort(Port):
    """A port that tells when it begins or ends to send or receive."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        super().__init__()
        self.changed = _nothing

    def start_sending(self, now: float) -> None:
        """Count one more flow that leaves."""
        super().start_sending(now)
        if self.sending == 1:
            self.changed()

    def stop_sending(self, now: float) -> None:
        """Count one flow less that leaves."""
        super().stop_sending(now)
        if not self.sending:
            self.changed()

    def start_receiving(self, now: float) -> None:
        """Count one more flow that enters."""
        super().start_receiving(now)
        if self.receiving == 1:
            self.changed()

    def stop_receiving(self, now: float) -> None:
        """Count one flow less that enters."""
        super().stop_receiving(now)
        if not self.receiving:
            self.changed()


def _nothing() -> None:
    """Where nobody listens."""
