"""Temperature of a node's device, and the speed that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from simpy.events import Event

from edgesim.hardware import Device, Thermal
from edgesim.simulate.kernel import Kernel


def thermal_of(device: Device) -> Thermal | None:
    """Return how a device warms up; None where nobody knows."""
    found: Thermal | None = getattr(device, "thermal", None)
    return found


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
