"""Connections beyond the bounds of a node: which are closed, which stay, and after what time."""

from __future__ import annotations

import asyncio
import io
import json
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from edgesim.serve import connections, telemetry
from edgesim.serve.access import open_channel, read_access
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import SERVER_LIVE, register
from tests.abuse.clients import open_ones, silent

HELLO = b"hello"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=300) as server:
        yield server


def accept(server: socket.socket, count: int, stack: ExitStack) -> None:
    """Take connections and hold them, as a server does."""
    for _ in range(count):
        stack.enter_context(server.accept()[0])


def test_of_one_address_those_that_said_something_stay(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    address = f"127.0.0.1:{port}"
    many = connections.MOST_OF_ONE + 7
    with ExitStack() as stack:
        before = stack.enter_context(silent(address, many))
        talker = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        talker.sendall(HELLO)
        other = stack.enter_context(silent(address, 3, "127.0.0.2"))
        accept(listening, many + 4, stack)
        assert connections.close_excess({port + 1}) == {}
        assert connections.close_excess({port}) == {"127.0.0.1": 8}
        assert open_ones(before) == connections.MOST_OF_ONE - 1
        assert open_ones([talker, *other]) == 4
        held = len(os.listdir("/proc/self/fd"))
        assert connections.close_excess({port}) == {"127.0.0.1": 8}, "its server has them still"
        assert len(os.listdir("/proc/self/fd")) == held


def test_all_addresses_share_a_bound(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST", 80)
    port = listening.getsockname()[1]
    with ExitStack() as stack:
        for last in range(2, 5):
            stack.enter_context(silent(f"127.0.0.1:{port}", 40, f"127.0.0.{last}"))
        accept(listening, 120, stack)
        assert sum(connections.close_excess({port}).values()) == 40


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(host: str, origin: str) -> None:
    assert connections.origin_of(host) == origin


def test_the_soft_limit_of_descriptors_is_raised() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        assert connections.raise_file_limit() == min(connections.FILES, hard)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(connections.FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (connections.FILES + 1, hard))
        assert connections.raise_file_limit() == connections.FILES + 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "TLS"])
def test_silent_connections_leave_room_for_clients_and_end(
    plain: bool, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_OF_ONE", 16)
    monkeypatch.setattr(connections, "MOST", 48)
    log = io.StringIO()
    logger = telemetry.start("info", log)

    async def live(request: wire.ServerLiveRequest, context: object) -> wire.ServerLiveResponse:
        return wire.ServerLiveResponse(live=True)

    async def attack() -> tuple[bool, int, int]:
        server = grpc.aio.server(options=connections.channel_options())
        register(server, {SERVER_LIVE: live}, logger)
        credentials = read_access(keys / "localhost", plain=plain).server_credentials(
            known_clients=True
        )
        free = "127.0.0.1:0"
        port = (
            server.add_insecure_port(free)
            if credentials is None
            else server.add_secure_port(free, credentials)
        )
        await server.start()
        watching = asyncio.create_task(connections.watch({port}, logger))
        with ExitStack() as stack:
            many = stack.enter_context, silent(f"127.0.0.1:{port}", 100)
            sockets = await asyncio.to_thread(*many)
            while (kept := open_ones(sockets)) > connections.MOST_OF_ONE:
                await asyncio.sleep(0.01)
            access = read_access(keys / "client", plain=plain)
            async with open_channel(f"127.0.0.1:{port}", access) as channel:
                # Those that it closes count for gRPC until it has noticed: a client tries again.
                reply = await SERVER_LIVE.on(channel)(
                    wire.ServerLiveRequest(), timeout=30.0, wait_for_ready=True
                )
            while left := open_ones(sockets):
                await asyncio.sleep(0.01)
        watching.cancel()
        await server.stop(None)
        return reply.live, kept, left

    answered, kept, left = asyncio.run(asyncio.wait_for(attack(), 60.0))
    assert answered
    assert (kept <= connections.MOST_OF_ONE, left) == (True, 0)
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    closed = [one["closed"] for one in events if one["event"] == "connections closed"]
    assert closed[0].keys() == {"127.0.0.1"}
    assert 0 < closed[0]["127.0.0.1"] <= 100 - connections.MOST_OF_ONE
