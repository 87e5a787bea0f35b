"""Temperature of a node's device, and the speed that it leaves."""

from __future__ import annotations

from edgesim.hardware import Device, Thermal


def thermal_of(device: Device) -> Thermal | None:
    """Return how a device warms up; None where nobody knows."""
    found: Thermal | None = getattr(device, "thermal", None)
    return found
