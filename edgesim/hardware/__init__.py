"""Devices, links, and the cluster that they form."""

from edgesim.common.validation import key, spec
from edgesim.hardware.device import (
    Asking,
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
from edgesim.hardware.network import (
    Batch,
    Cluster,
    Duplex,
    Hop,
    Link,
    Medium,
    Network,
    Node,
    NodeOptions,
    Queue,
    Variability,
)

__all__ = [
    "Asking",
    "Batch",
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
    "Medium",
    "Messaging",
    "Network",
    "Node",
    "NodeOptions",
    "Outage",
    "Power",
    "Queue",
    "Thermal",
    "Variability",
    "key",
    "spec",
]
