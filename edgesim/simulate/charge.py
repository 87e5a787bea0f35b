"""What is left in a node's battery."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from simpy.events import Event

from edgesim.hardware import Battery
from edgesim.simulate.kernel import Kernel


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
