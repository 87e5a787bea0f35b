"""Devices, links, and the cluster that they form."""

from edgesim.common.validation import key, spec
from edgesim.hardware.device import (
    Asking,
    BaseDevice,
    Cooling,
    Cost,
    Device,
    Messaging,
    Power,
)
from edgesim.hardware.faults import (
    Battery,
    Exhaustion,
    Fault,
    FaultKind,
    Faults,
    Outage,
    Thermal,
)
from edgesim.hardware.network import Cluster, Duplex, Hop, Link, Network, Node

__all__ = [
    "Asking",
    "BaseDevice",
    "Battery",
    "Cluster",
    "Cooling",
    "Cost",
    "Device",
    "Duplex",
    "Exhaustion",
    "Fault",
    "FaultKind",
    "Faults",
    "Hop",
    "Link",
    "Messaging",
    "Network",
    "Node",
    "Outage",
    "Power",
    "Thermal",
    "key",
    "spec",
]
