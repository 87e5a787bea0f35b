"""Cost of one message between two nodes, for engine, bounds, planner and coordinator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgesim.hardware.device import Asking, Messaging
from edgesim.hardware.network import Cluster

Bytes = TypeVar("Bytes", float, NDArray[np.float64])
"""The size of a message, or an array of sizes."""


class Software(NamedTuple):
    """Seconds of software at one end of a message: for the message, and for each of its bytes."""

    per_message_s: float = 0.0
    per_byte_s: float = 0.0

    @classmethod
    def of(cls, end: Messaging | Asking) -> Software:
        """Return what a node spends on a message, or a coordinator: processor time, no delay."""
        return cls(end.per_message_s, end.per_byte_s)

    def time_s(self, size: Bytes) -> Bytes:
        """Return the seconds of a message of ``size`` bytes."""
        return self.per_message_s + self.per_byte_s * size


_NO_SOFTWARE = Software()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Passage of a message from one node to another over an idle network.

    A message takes the sender's software and the latency of the route, then a flow of its bytes,
    then the receiver's delay and software. On one machine it takes no time.

    Attributes:
        sender: software ahead of the first byte.
        latency_s: sum of the latencies of the links, in seconds; infinite without a route.
        bandwidth_byte_s: bandwidth of the slowest link, in bytes per second; of a medium that is
            crossed twice, half of it.
        receiver: delay and software after the last byte.
    """

    sender: Software = _NO_SOFTWARE
    latency_s: float = 0.0
    bandwidth_byte_s: float = inf
    receiver: Software = _NO_SOFTWARE

    def before_s(self, size: Bytes) -> Bytes:
        """Return the seconds from the start of sending to the first byte on the links."""
        return self.sender.time_s(size) + self.latency_s

    def flow_s(self, size: Bytes) -> Bytes:
        """Return the seconds of a flow that has its links to itself."""
        return size / self.bandwidth_byte_s

    def after_s(self, size: Bytes) -> Bytes:
        """Return the seconds from the last byte to the message in the receiver's hands."""
        return self.receiver.time_s(size)

    def total_s(self, size: Bytes) -> Bytes:
        """Return the seconds from the start of sending to the message in the receiver's hands."""
        return self.before_s(size) + self.flow_s(size) + self.after_s(size)


def passage(cluster: Cluster, source: str, target: str) -> Passage:
    """Return the passage of a message between two nodes; of infinite latency without a route."""
    hops = cluster.network.route(source, target)
    if hops is None:
        return Passage(latency_s=inf)
    if not hops:
        return Passage()
    links = [cluster.network.links[hop.link] for hop in hops]
    # A flow that crosses a medium twice takes it twice.
    crossings = Counter(hop.link for hop in hops)
    sender, receiver = (cluster.nodes[name].device.messaging for name in (source, target))
    return Passage(
        sender=Software.of(sender),
        latency_s=sum(link.latency_s for link in links),
        bandwidth_byte_s=min(link.bandwidth_byte_s / crossings[link.name] for link in links),
        receiver=Software(receiver.delay_s + receiver.per_message_s, receiver.per_byte_s),
    )
