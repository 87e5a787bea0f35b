"""Channels from clients to nodes."""

from __future__ import annotations

import grpc

from edgesim.common.errors import InputError
from edgesim.serve.access import Access
from edgesim.serve.addresses import is_loopback, split_address
from edgesim.serve.options import MAX_MESSAGE_BYTES

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""In what gRPC says where the other side's certificate is of another authority or host."""


def open_channel(
    address: str,
    access: Access,
    *,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    insecure_anywhere: bool = False,
    apart: bool = False,
) -> grpc.aio.Channel:
    """Return a channel to a node; it connects when it is first used, and anew after a break.

    Args:
        address: HOST:PORT.
        access: what the client proves itself with.
        max_message_bytes: largest message that it takes.
        insecure_anywhere: without TLS, speak to other machines too.
        apart: over a connection that no other channel shares, nor waits to be made anew.

    Raises:
        InputError: without TLS, the address is of another machine.
    """
    host, _ = split_address(address)
    options = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        # A node that is started again is found again within a second or two.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1000),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.use_local_subchannel_pool", int(apart)),
    ]
    credentials = access.channel_credentials()
    if credentials is not None:
        return grpc.aio.secure_channel(address, credentials, options=options)
    if not is_loopback(host) and not insecure_anywhere:
        raise InputError(f"{address} is another machine: without TLS it is not spoken to")
    return grpc.aio.insecure_channel(address, options=options)
