"""Power of a node: energy by part, power over time, and the temperature and charge from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from math import inf
from typing import Protocol

from edgesim.hardware import Battery, Cost, Device, Node, Thermal
from edgesim.simulate.hosts import Host
from edgesim.simulate.kernel import Call, Kernel
from edgesim.simulate.routes import Port, port_watts

_REST = "rest"
"""Part to which all belongs that a device assigns to no part."""


class PartEnergy:
    """Energy of each part of a device above its idle power.

    Idle power is the device's ``idle_by_part_w``. The rest of ``idle_w``, and executions without
    energy by part, are the part ``rest``, so that the parts sum to the node's energy.

    Args:
        device: device of the node.
    """

    def __init__(self, device: Device) -> None:
        self._idle_w, idle_w = dict(device.idle_by_part_w), device.power.idle_w
        self._has_parts = bool(self._idle_w)
        left_w = idle_w - sum(self._idle_w.values())
        if abs(left_w) > 1e-12 * idle_w:
            self._idle_w[_REST] = self._idle_w.get(_REST, 0.0) + left_w
        self._above_idle_j: dict[str, float] = {}

    def add(self, cost: Cost, time_s: float) -> None:
        """Add an execution that took ``time_s``, at the powers of ``cost``."""
        if not cost.by_part_j:
            return
        self._has_parts = True
        above = self._above_idle_j
        stretch = time_s / cost.time_s if cost.time_s else 0.0
        for part, joules in cost.by_part_j.items():
            above[part] = above.get(part, 0.0) + joules * stretch
        for part, watts in self._idle_w.items():
            above[part] = above.get(part, 0.0) - watts * time_s

    def joules(self, idle_s: float, above_idle_j: float, ports_j: float) -> dict[str, float]:
        """Return the joules of each part; nothing where the device has no parts.

        Args:
            idle_s: seconds in service.
            above_idle_j: joules of all executions above idle.
            ports_j: joules of sending and receiving above idle, the part ``ports``.
        """
        if not self._has_parts:
            return {}
        found = {part: watts * idle_s for part, watts in self._idle_w.items()}
        for part, joules in self._above_idle_j.items():
            found[part] = found.get(part, 0.0) + joules
        other_j = above_idle_j - sum(self._above_idle_j.values())
        if abs(other_j) > 1e-9 * (abs(above_idle_j) + sum(map(abs, found.values()))):
            found[_REST] = found.get(_REST, 0.0) + other_j
        if ports_j:
            found["ports"] = ports_j
        return found


class Follower(Protocol):
    """A state of a node that its power changes."""

    def advance(self, watts: float, time_s: float) -> None:
        """Advance the state by ``time_s`` seconds at constant power."""

    def plan(self, watts: float) -> None:
        """Schedule the next change of the state, if the power stays as it is."""


class Meter:
    """Measures the power of one node, constant between two changes, for its followers.

    Args:
        kernel: the clock.
        node: node that is measured.
        host: machine of the node.
        port: network port of the node.
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
        host.changed = port.sending.changed = port.receiving.changed = self.update

    def begin(self) -> None:
        """Give the followers the power at the start."""
        for follower in self.followers:
            follower.plan(self._watts)

    def pass_time(self) -> None:
        """Advance the followers by the time since the last change."""
        now = self._kernel.time_s
        passed_s = now - self._since_s
        self._since_s = now
        if passed_s > 0.0:
            for follower in self.followers:
                follower.advance(self._watts, passed_s)

    def update(self) -> None:
        """Measure the power again, after something changed."""
        self.pass_time()
        self._watts = self._now_w()
        for follower in self.followers:
            follower.plan(self._watts)

    def _now_w(self) -> float:
        if not self.powered:
            return 0.0
        watts = self._node.device.power.idle_w + self._host.above_idle_w()
        watts += self._sending_w * bool(self._port.sending.count)
        return watts + self._receiving_w * bool(self._port.receiving.count)


@dataclass(eq=False)
class Throttle:
    """Temperature of a node, exact between two changes of its power, and its throttling.

    Attributes:
        kernel: the clock.
        thermal: thermal model of the device.
        ambient_c: ambient temperature, in °C.
        watts: power at the start, at which its temperature is steady.
        set_speed: called with the share of full speed at which the node may run.
    """

    kernel: Kernel
    thermal: Thermal
    ambient_c: float
    watts: InitVar[float]
    set_speed: Callable[[float], None]
    celsius: float = field(init=False)
    hottest_c: float = field(init=False)
    hot: bool = False
    _next: Call | None = None

    def __post_init__(self, watts: float) -> None:
        self.celsius = self.ambient_c + self.thermal.resistance_k_w * watts
        self.hottest_c = self.celsius

    def advance(self, watts: float, time_s: float) -> None:
        """Advance the temperature by ``time_s`` seconds at constant power."""
        self.celsius = self.thermal.after(self.celsius, self.ambient_c, watts, time_s)
        self.hottest_c = max(self.hottest_c, self.celsius)

    def plan(self, watts: float) -> None:
        """Schedule the change of speed, if the temperature reaches its limit at this power."""
        self._next = None
        thermal = self.thermal
        if self.hot:
            to_c, reached = thermal.release_c, self.celsius <= thermal.release_c
        else:
            to_c, reached = thermal.limit_c, self.celsius >= thermal.limit_c
        after_s = 0.0
        if not reached:
            after_s = thermal.reaches_s(self.celsius, self.ambient_c, watts, to_c)
        if after_s < inf:
            self._next = self.kernel.call_after(after_s, lambda event: self._switch(event, to_c))

    def _switch(self, event: Call, at_c: float) -> None:
        if event is not self._next:
            return
        self._next = None
        self.hot = not self.hot
        # Setting the speed advances the temperature first, and then gives the new power.
        self.set_speed(self.thermal.speed if self.hot else 1.0)
        if abs(self.celsius - at_c) < 1e-6:
            # The difference is rounding only.
            self.celsius = at_c


@dataclass(eq=False)
class Charge:
    """Charge of a battery, exact: power is constant between two changes.

    Attributes:
        kernel: the clock.
        battery: battery of the node.
        empty: called when the battery is empty.
        charged: called when an empty battery has enough charge for the node to start again.
    """

    kernel: Kernel
    battery: Battery
    empty: Callable[[], None]
    charged: Callable[[], None]
    joules: float = field(init=False)
    _was_empty: bool = False
    _next: Call | None = None

    def __post_init__(self) -> None:
        self.joules = self.battery.capacity_j * self.battery.charge

    def advance(self, watts: float, time_s: float) -> None:
        """Draw ``watts`` for ``time_s`` seconds, while the battery is recharged."""
        left_j = self.joules + (self.battery.recharge_w - watts) * time_s
        self.joules = min(max(left_j, 0.0), self.battery.capacity_j)

    def plan(self, watts: float) -> None:
        """Schedule the time at which the battery is empty, or charged enough, at this power."""
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

    def _turn(self, event: Call) -> None:
        if event is not self._next:
            return
        self._next = None
        self._was_empty = not self._was_empty
        # Both advance the charge and give the new power.
        if self._was_empty:
            self.empty()
            self.joules = 0.0
        else:
            self.charged()
