"""Joules of a node by part, where its device tells parts apart."""

from __future__ import annotations

from edgesim.hardware import Cost, Device

_REST = "rest"
"""What a device that tells parts says of none of them."""


class Parts:
    """Adds up what each part of a device draws above its idle power.

    Idle power is the device's ``idle_by_part_w``; what that leaves of ``idle_w``, and executions
    that tell no parts, are the part ``rest``. So the parts sum to the node's energy.

    Args:
        device: of the node.
    """

    def __init__(self, device: Device) -> None:
        self._idle_w, idle_w = dict(device.idle_by_part_w), device.power.idle_w
        self._told = bool(self._idle_w)
        left_w = idle_w - sum(self._idle_w.values())
        if abs(left_w) > 1e-12 * idle_w:
            self._idle_w[_REST] = self._idle_w.get(_REST, 0.0) + left_w
        self._above_j: dict[str, float] = {}

    def add(self, cost: Cost, time_s: float) -> None:
        """Add an execution that took ``time_s``, at the powers of ``cost``."""
        if not cost.by_part_j:
            return
        self._told = True
        above = self._above_j
        stretch = time_s / cost.time_s if cost.time_s else 0.0
        for part, joules in cost.by_part_j.items():
            above[part] = above.get(part, 0.0) + joules * stretch
        for part, watts in self._idle_w.items():
            above[part] = above.get(part, 0.0) - watts * time_s

    def joules(self, idle_s: float, above_idle_j: float, ports_j: float) -> dict[str, float]:
        """Return the joules of each part; nothing where the device does not tell parts.

        Args:
            idle_s: time in service.
            above_idle_j: what all executions drew above idle.
            ports_j: what sending and receiving drew above idle, the part ``ports``.
        """
        if not self._told:
            return {}
        found = {part: watts * idle_s for part, watts in self._idle_w.items()}
        for part, joules in self._above_j.items():
            found[part] = found.get(part, 0.0) + joules
        untold_j = above_idle_j - sum(self._above_j.values())
        if abs(untold_j) > 1e-9 * (abs(above_idle_j) + sum(map(abs, found.values()))):
            found[_REST] = found.get(_REST, 0.0) + untold_j
        if ports_j:
            found["ports"] = ports_j
        return found
