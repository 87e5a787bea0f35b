"""Servers that have the keys of a node, and answer inference with bytes of any kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc

from edgesim.serve.access import read_access
from edgesim.serve.services import INFERENCE


async def start_fake_nodes(
    keys: Path, nodes: int, methods: Mapping[str, Callable[[bytes, Any], Awaitable[bytes]]]
) -> grpc.aio.Server:
    """Answer at as many ports of loopback, with TLS; print their addresses on one line.

    Args:
        keys: folder of the nodes' keys.
        nodes: how many.
        methods: what answers each method of the inference service, message for message.
    """
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(INFERENCE, handlers),))
    credentials = read_access(keys, plain=False).server_credentials(known_clients=True)
    assert credentials is not None
    ports = [server.add_secure_port("127.0.0.1:0", credentials) for _ in range(nodes)]
    await server.start()
    print(*(f"127.0.0.1:{port}" for port in ports), flush=True)
    return server
