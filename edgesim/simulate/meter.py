"""A node's power as it changes, and what follows from it: its temperature and its charge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
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


@dataclass(eq=False)
class Throttle:
    """Follows a node's temperature, exactly between two changes of its power.

    Attributes:
        kernel: the clock.
        thermal: of the device.
        ambient_c: around it.
        watts: that it draws at the start, and has drawn for long.
        set_speed: told the share of its speed that it may have.
    """

    kernel: Kernel
    thermal: Thermal
    ambient_c: float
    watts: InitVar[float]
    set_speed: Callable[[float], None]
    celsius: float = field(init=False)
    hottest_c: float = field(init=False)
    hot: bool = False
    _next: Event | None = None

    def __post_init__(self, watts: float) -> None:
        self.celsius = self.ambient_c + self.thermal.resistance_k_w * watts
        self.hottest_c = self.celsius

    def advance(self, watts: float, time_s: float) -> None:
        """Warm up, or cool down, for ``time_s`` at constant power."""
        self.celsius = self.thermal.after(self.celsius, self.ambient_c, watts, time_s)
        self.hottest_c = max(self.hottest_c, self.celsius)

    def plan(self, watts: float) -> None:
        """Wait for the temperature at which the speed changes, if this power leads there."""
        self._next = None
        thermal = self.thermal
        if self.hot:
            to_c, there = thermal.release_c, self.celsius <= thermal.release_c
        else:
            to_c, there = thermal.limit_c, self.celsius >= thermal.limit_c
        after_s = 0.0
        if not there:
            after_s = thermal.reaches_s(self.celsius, self.ambient_c, watts, to_c)
        if after_s < inf:
            self._next = self.kernel.call_after(after_s, lambda event: self._switch(event, to_c))

    def _switch(self, event: Event, at_c: float) -> None:
        if event is not self._next:
            return
        self._next = None
        self.hot = not self.hot
        # Setting the speed lets the time pass first, and then tells the new power.
        self.set_speed(self.thermal.speed if self.hot else 1.0)
        if abs(self.celsius - at_c) < 1e-6:
            # Only rounding is between.
            self.celsius = at_c


@dataclass(eq=False)
class Charge:
    """Follows the charge of a battery, exactly: power is constant between two changes.

    Attributes:
        kernel: the clock.
        battery: of the node.
        empty: called when nothing is left.
        charged: called when an empty battery has enough for the node to start again.
    """

    kernel: Kernel
    battery: Battery
    empty: Callable[[], None]
    charged: Callable[[], None]
    joules: float = field(init=False)
    _was_empty: bool = False
    _next: Event | None = None

    def __post_init__(self) -> None:
        self.joules = self.battery.capacity_j * self.battery.charge

    def advance(self, watts: float, time_s: float) -> None:
        """Draw ``watts`` for ``time_s``, while power comes in."""
        left_j = self.joules + (self.battery.recharge_w - watts) * time_s
        self.joules = min(max(left_j, 0.0), self.battery.capacity_j)

    def plan(self, watts: float) -> None:
        """Wait for the end of the charge, or for enough of it, if this power leads there."""
        self._next = None
        gain_w = self.battery.recharge_w - watts
        after_s = inf
        if self._was_empty:
            wanted_j = self.battery.restart * self.battery.capacity_j - self.joules
            if wanted_j <= 0.0:
                after_s = 0.0
            elif gain_w > 0.0:
                after_s = wanted_j / gain_w
        elif gain_w < 0.0:
            after_s = self.joules / -gain_w
        if after_s < inf:
            self._next = self.kernel.call_after(after_s, self._turn)

    def _turn(self, event: Event) -> None:
        if event is not self._next:
            return
        self._next = None
        self._was_empty = not self._was_empty
        # Both let the time pass and tell the new power.
        if self._was_empty:
            self.empty()
            self.joules = 0.0
        else:
            self.charged()
