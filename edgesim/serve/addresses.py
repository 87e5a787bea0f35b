"""Addresses of nodes, as text."""

from __future__ import annotations

import ipaddress

from edgesim.common.errors import InputError


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; an IPv6 address may stand in brackets.

    Raises:
        InputError: it is none.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InputError(f"expected HOST:PORT such as '127.0.0.1:50051', got {address!r}")
    return host, int(port)


def join_address(host: str, port: int) -> str:
    """Return ``HOST:PORT``, with brackets where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
