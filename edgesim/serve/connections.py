"""Connections of a node: how many it may have, and which it closes when one peer has too many.

gRPC bounds the connections of a server in all, and the time of a handshake. It knows no bound for
each address: one peer could hold all of them, without a certificate, by connecting again and again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import resource
import socket
import stat
import struct
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack, suppress

from edgesim.serve.telemetry import log_event

MOST = 512
"""Connections of one port, at most."""
MOST_OF_ONE = 64
"""Connections of one address to one port, at most; of IPv6 of one network of 64 bits."""
HANDSHAKE_S = 5.0
"""Time from the beginning of a connection until TLS and HTTP/2 have begun."""
FILES = 4096
"""Descriptors that a node may have, where the hard limit allows it."""
_PAUSE_S = 0.25
_FOLDER = "/proc/self/fd"
_RECEIVED = struct.Struct("128xQ")
"""Bytes received, in Linux's ``struct tcp_info``."""


def channel_options() -> list[tuple[str, int]]:
    """Return the options of a server that bound its connections."""
    return [
        ("grpc.max_allowed_incoming_connections", MOST),
        ("grpc.server_handshake_timeout_ms", round(HANDSHAKE_S * 1e3)),
    ]


def raise_file_limit() -> int:
    """Raise the soft limit of descriptors, which often is 1,024, to `FILES`; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


async def watch(ports: Collection[int], logger: logging.Logger) -> None:
    """Close connections beyond the bounds, and log it, until cancelled."""
    while True:
        if closed := close_excess(ports):
            log_event(
                logger, "connections closed", logging.WARNING, closed=closed,
                most=MOST, most_of_one_address=MOST_OF_ONE,
            )  # fmt: skip
        await asyncio.sleep(_PAUSE_S)


def close_excess(ports: Collection[int]) -> dict[str, int]:
    """Close connections beyond `MOST_OF_ONE` and `MOST`, first those that received least.

    A peer that floods a node keeps none of its own clients from it: a connection that said nothing
    goes before one that does.

    Args:
        ports: ports of this process.

    Returns:
        Number of closed connections by address. Where the system shows no descriptors (Linux
        does): none.
    """
    try:
        handles = [int(name) for name in os.listdir(_FOLDER)]
    except OSError:
        return {}
    if len(handles) <= MOST_OF_ONE:
        return {}
    closed: Counter[str] = Counter()
    kept: Counter[tuple[int, str] | int] = Counter()
    with ExitStack() as stack:
        found = []
        for handle in handles:
            # gRPC may close it, and another may get its number: only a copy stays what it is.
            with suppress(OSError, ValueError):
                copy = os.dup(handle)
                if not stat.S_ISSOCK(os.fstat(copy).st_mode):
                    os.close(copy)
                    continue
                one = stack.enter_context(socket.socket(fileno=copy))
                if one.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                port, origin = one.getsockname()[1], _origin(one.getpeername()[0])
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size)
                if port in ports:
                    found.append((_RECEIVED.unpack(info)[0], port, origin, one))
        found.sort(key=lambda row: -row[0])
        for _, port, origin, one in found:
            if kept[port, origin] < MOST_OF_ONE and kept[port] < MOST:
                kept.update(((port, origin), port))
            else:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                closed[origin] += 1
    return dict(closed)


def _origin(host: str) -> str:
    """Return what counts as one address: IPv4 as it is, of IPv6 the network of 64 bits.

    Raises:
        ValueError: ``host`` is no address: its socket is not of the internet.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
