"""Channels, routes and ports: what flows share, how they share it, and what a link does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, sqrt

import numpy as np

from edgesim.hardware import Node

SEGMENT_BYTES = 1448
"""Payload of a TCP segment in an Ethernet frame of 1500 bytes, with timestamps (RFC 7323)."""
TIMEOUT_S = 0.2
"""Least retransmission timeout of Linux (TCP_RTO_MIN); RFC 6298 would have a second."""
_PER_ACKNOWLEDGEMENT = 2
_MOST_TIMEOUTS = 16


@dataclass(eq=False, slots=True)
class Activity:
    """Counts the flows in one direction of a port, and integrates the time with at least one.

    Attributes:
        count: number of flows now.
        since_s: time at which the first of them began.
        total_s: seconds with at least one flow.
        changed: called when it begins or ends.
    """

    count: int = 0
    since_s: float = 0.0
    total_s: float = 0.0
    changed: Callable[[], None] | None = None

    def start(self, now: float) -> None:
        """Count one more flow."""
        self.count += 1
        if self.count == 1:
            self.since_s = now
            if self.changed is not None:
                self.changed()

    def stop(self, now: float) -> None:
        """Count one flow less."""
        self.count -= 1
        if not self.count:
            self.total_s += now - self.since_s
            if self.changed is not None:
                self.changed()

    def close(self, now: float) -> None:
        """Add the time of flows that have not ended at the end of the run."""
        if self.count:
            self.total_s += now - self.since_s
            self.since_s = now


@dataclass(frozen=True, eq=False, slots=True)
class Port:
    """The network port of a node.

    Attributes:
        sending: flows that leave the node.
        receiving: flows that enter the node.
    """

    sending: Activity = field(default_factory=Activity)
    receiving: Activity = field(default_factory=Activity)


def port_watts(node: Node) -> tuple[float, float]:
    """Return what sending and receiving draw above idle, in watts."""
    power = node.device.power
    sending = 0.0 if power.sending_w is None else power.sending_w - power.idle_w
    receiving = 0.0 if power.receiving_w is None else power.receiving_w - power.idle_w
    return sending, receiving


@dataclass(frozen=True, slots=True)
class LinkState:
    """The state of a link.

    Attributes:
        bandwidth_byte_s: bytes per second; 0 where it is cut.
        latency_s: added to the latency of the link.
        loss: share of packets that are lost.
    """

    bandwidth_byte_s: float
    latency_s: float = 0.0
    loss: float = 0.0


def tcp_byte_s(loss: float, round_trip_s: float) -> float:
    """Return the bytes per second that packet loss leaves one TCP flow; infinity without loss.

    B = S / (R sqrt(2 b p / 3) + T min(1, 3 sqrt(3 b p / 8)) p (1 + 32 p^2)), with b = 2 packets an
    acknowledgement: Padhye, Firoiu, Towsley and Kurose, ACM SIGCOMM 1998, equation 30.

    Args:
        loss: share of packets that are lost, p.
        round_trip_s: round-trip time, R.
    """
    if loss <= 0.0:
        return inf
    steady = round_trip_s * sqrt(2.0 * _PER_ACKNOWLEDGEMENT * loss / 3.0)
    timeouts = min(1.0, 3.0 * sqrt(3.0 * _PER_ACKNOWLEDGEMENT * loss / 8.0))
    timeouts *= TIMEOUT_S * loss * (1.0 + 32.0 * loss * loss)
    return SEGMENT_BYTES / (steady + timeouts)


def tail_s(loss: float, generator: np.random.Generator) -> float:
    """Return the delay of the last packet of a message, whose loss is found by time-out only.

    It is lost k times with probability p^k (1 - p), and waits T (2^k - 1): timeouts double (RFC
    6298, 5.5).
    """
    if loss <= 0.0:
        return 0.0
    times = min(int(generator.geometric(1.0 - loss)) - 1, _MOST_TIMEOUTS)
    return float(TIMEOUT_S * (2**times - 1))
