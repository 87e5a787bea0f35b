"""Links that lose packets, and what TCP makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

SEGMENT_BYTES = 1448
"""Payload of a TCP segment in an Ethernet frame of 1500 bytes, with timestamps (RFC 7323)."""
TIMEOUT_S = 0.2
"""Least retransmission timeout of Linux (TCP_RTO_MIN); RFC 6298 would have a second."""
_PER_ACKNOWLEDGEMENT = 2
_MOST_TIMEOUTS = 16


@dataclass(frozen=True, slots=True)
class LinkState:
    """What a link is like now.

    Attributes:
        bandwidth_byte_s: 0 where it is cut.
        latency_s: on top of its own.
        loss: share of packets.
    """

    bandwidth_byte_s: float
    latency_s: float = 0.0
    loss: float = 0.0


def tcp_byte_s(loss: float, round_trip_s: float) -> float:
    """Return the bytes per second that packet loss leaves one TCP flow; infinity without loss.

    B = S / (R sqrt(2 b p / 3) + T min(1, 3 sqrt(3 b p / 8)) p (1 + 32 p^2)), with b = 2 packets an
    acknowledgement: Padhye, Firoiu, Towsley and Kurose, ACM SIGCOMM 1998, equation 30.

    Args:
        loss: share of packets, p.
        round_trip_s: R.
    """
    if loss <= 0.0:
        return inf
    steady = round_trip_s * sqrt(2.0 * _PER_ACKNOWLEDGEMENT * loss / 3.0)
    timeouts = min(1.0, 3.0 * sqrt(3.0 * _PER_ACKNOWLEDGEMENT * loss / 8.0))
    timeouts *= TIMEOUT_S * loss * (1.0 + 32.0 * loss * loss)
    return SEGMENT_BYTES / (steady + timeouts)


def tail_s(loss: float, generator: np.random.Generator) -> float:
    """Return the wait for the last packet of a message, whose loss nothing but a timeout tells.

    It is lost k times with probability p^k (1 - p), and waits T (2^k - 1): timeouts double (RFC
    6298, 5.5).
    """
    if loss <= 0.0:
        return 0.0
    times = min(int(generator.geometric(1.0 - loss)) - 1, _MOST_TIMEOUTS)
    return float(TIMEOUT_S * (2**times - 1))
