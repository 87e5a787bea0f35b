"""Devices, links, and the cluster that they form."""

from edgesim.hardware.device import Asking, Cooling, Cost, Device, Messaging, Power
from edgesim.hardware.network import (
    Cluster,
    Duplex,
    Faults,
    Hop,
    Link,
    Network,
    Node,
    Outage,
)

__all__ = [
    "Asking",
    "Cluster",
    "Cooling",
    "Cost",
    "Device",
    "Duplex",
    "Faults",
    "Hop",
    "Link",
    "Messaging",
    "Network",
    "Node",
    "Outage",
    "Power",
]
