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
import urllib.parse
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

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
    closed: Counter[str] = Counter()
    kept: Counter[tuple[int, str] | int] = Counter()
    with _accepted(ports, more_than=MOST_OF_ONE) as found:
        for one in sorted(found, key=lambda one: -one.received_bytes):
            origin = origin_of(one.host)
            if kept[one.port, origin] < MOST_OF_ONE and kept[one.port] < MOST:
                kept.update(((one.port, origin), one.port))
            else:
                with suppress(OSError):
                    one.socket.shutdown(socket.SHUT_RDWR)
                closed[origin] += 1
    return dict(closed)


def received_bytes(ports: Collection[int]) -> dict[tuple[str, int], int]:
    """Return the bytes that each connection received so far, by host and port of the client.

    Args:
        ports: ports of this process.
    """
    with _accepted(ports) as found:
        return {(one.host, one.client_port): one.received_bytes for one in found}


def client_of(peer: str) -> tuple[str, int]:
    """Return host and port of a client, as `received_bytes` has them, from gRPC's name for it."""
    host, _, port = urllib.parse.unquote(peer).partition(":")[2].rpartition(":")
    return _plain(host.strip("[]")), int(port)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A connection that a port of this process accepted.

    Attributes:
        socket: a copy.
        port: here.
        host: address of the client.
        client_port: there.
        received_bytes: bytes that it received so far.
    """

    socket: socket.socket
    port: int
    host: str
    client_port: int
    received_bytes: int


@contextmanager
def _accepted(ports: Collection[int], more_than: int = 0) -> Iterator[list[_Accepted]]:
    """Hold copies of accepted connections; none where the process has so few descriptors."""
    try:
        handles = [int(name) for name in os.listdir(_FOLDER)]
    except OSError:
        handles = []
    found: list[_Accepted] = []
    with ExitStack() as stack:
        for handle in handles if len(handles) > more_than else ():
            # gRPC may close it, and another may get its number: only a copy stays what it is.
            with suppress(OSError, ValueError):
                copy = os.dup(handle)
                if not stat.S_ISSOCK(os.fstat(copy).st_mode):
                    os.close(copy)
                    continue
                one = stack.enter_context(socket.socket(fileno=copy))
                if one.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                port, (host, client_port) = one.getsockname()[1], one.getpeername()[:2]
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size)
                if port in ports:
                    (received,) = _RECEIVED.unpack(info)
                    found.append(_Accepted(one, port, _plain(host), client_port, received))
        yield found


def _plain(host: str) -> str:
    """Return an address in its usual form: IPv4 also where IPv6 carries it, and without a zone.

    Raises:
        ValueError: ``host`` is no address: its socket is not of the internet.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def origin_of(host: str) -> str:
    """Return what counts as one address: IPv4 as it is, of IPv6 the network of 64 bits.

    Raises:
        ValueError: ``host`` is no address.
    """
    plain = _plain(host)
    return plain if "." in plain else str(ipaddress.ip_network((plain, 64), strict=False))
