"""A node's power as it changes, and what follows from it: its temperature and its charge."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

from simpy.events import Event

from edgesim.hardware import Battery, Node, Thermal
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
        port: its network side.
    """

    def __init__(self, kernel: Kernel, node: Node, host: Host, port: Port) -> None:
        self.powered = True
        self.followers: list[Follower] = []
        self._kernel = kernel
        self._node = node
        self._host = host
        self._sending_w, self._receiving_w = port_watts(node)
        self._port = port
        self._since_s = 0.0
        self._watts = node.device.power.idle_w
        host.changed = port.changed = self.update

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
        watts += self._sending_w * bool(self._port.sending)
        return watts + self._receiving_w * bool(self._port.receiving)


class Throttle:
    """Follows a node's temperature, exactly between two changes of its power.

    Args:
        kernel: the clock.
        thermal: of the device.
        ambient_c: around it.
        watts: that it draws at the start, and has drawn for long.
        set_speed: told the share of its speed that it may have.
    """

    def __init__(
        self,
        kernel: Kernel,
        thermal: Thermal,
        ambient_c: float,
        watts: float,
        set_speed: Callable[[float], None],
    ) -> None:
        self.celsius = ambient_c + thermal.resistance_k_w * watts
        self.hottest_c = self.celsius
        self.hot = False
        self._kernel = kernel
        self._thermal = thermal
        self._ambient_c = ambient_c
        self._set_speed = set_speed
        self._next: Event | None = None

    def advance(self, watts: float, time_s: float) -> None:
        """Warm up, or cool down, for ``time_s`` at constant power."""
        self.celsius = self._thermal.after(self.celsius, self._ambient_c, watts, time_s)
        self.hottest_c = max(self.hottest_c, self.celsius)

    def plan(self, watts: float) -> None:
        """Wait for the temperature at which the speed changes, if this power leads there."""
        self._next = None
        thermal = self._thermal
        if self.hot:
            to_c, there = thermal.release_c, self.celsius <= thermal.release_c
        else:
            to_c, there = thermal.limit_c, self.celsius >= thermal.limit_c
        after_s = 0.0
        if not there:
            after_s = thermal.reaches_s(self.celsius, self._ambient_c, watts, to_c)
        if after_s < inf:
            self._next = self._kernel.call_at(
                self._kernel.time_s + after_s, lambda event: self._switch(event, to_c)
            )

    def _switch(self, event: Event, at_c: float) -> None:
        if event is not self._next:
            return
        self._next = None
        self.hot = not self.hot
        # Setting the speed lets the time pass first, and then tells the new power.
        self._set_speed(self._thermal.speed if self.hot else 1.0)
        if abs(self.celsius - at_c) < 1e-6:
            # Only rounding is between.
            self.celsius = at_c


class Charge:
    """Follows the charge of a battery, exactly: power is constant between two changes.

    Args:
        kernel: the clock.
        battery: of the node.
        empty: called when nothing is left.
        charged: called when an empty battery has enough for the node to start again.
    """

    def __init__(
        self,
        kernel: Kernel,
        battery: Battery,
        empty: Callable[[], None],
        charged: Callable[[], None],
    ) -> None:
        self.joules = battery.capacity_j * battery.charge
        self._kernel = kernel
        self._battery = battery
        self._empty = empty
        self._charged = charged
        self._was_empty = False
        self._next: Event | None = None

    def advance(self, watts: float, time_s: float) -> None:
        """Draw ``watts`` for ``time_s``, while power comes in."""
        left_j = self.joules + (self._battery.recharge_w - watts) * time_s
        self.joules = min(max(left_j, 0.0), self._battery.capacity_j)

    def plan(self, watts: float) -> None:
        """Wait for the end of the charge, or for enough of it, if this power leads there."""
        self._next = None
        gain_w = self._battery.recharge_w - watts
        after_s = inf
        if self._was_empty:
            wanted_j = self._battery.restart * self._battery.capacity_j - self.joules
            if wanted_j <= 0.0:
                after_s = 0.0
            elif gain_w > 0.0:
                after_s = wanted_j / gain_w
        elif gain_w < 0.0:
            after_s = self.joules / -gain_w
        if after_s < inf:
            self._next = self._kernel.call_at(self._kernel.time_s + after_s, self._turn)

    def _turn(self, event: Event) -> None:
        if event is not self._next:
            return
        self._next = None
        self._was_empty = not self._was_empty
        # Both let the time pass and tell the new power.
        if self._was_empty:
            self._empty()
            self.joules = 0.0
        else:
            self._charged()
