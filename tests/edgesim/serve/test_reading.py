"""Which message a node reads next: turns, places, pauses, and what is refused unread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from edgesim.serve import reading
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.reading import Reading
from edgesim.serve.refusal import RefusalError
from edgesim.serve.services import INFERENCE, MODEL_INFER, SERVER_LIVE, register
from tests.abuse.clients import Http2, message

LOG = logging.getLogger("test")
LARGEST = 14 << 20
"""Of which one is read at a time."""


class Context:
    """What the turns need of a call."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer


class Turns:
    """Calls of connections, and the order in which their messages are read."""

    def __init__(self, largest_bytes: int = LARGEST) -> None:
        self.reading = Reading(largest_bytes, LOG)
        self.read: list[str] = []
        self.refused: list[str] = []

    def connection(self, name: str) -> Any:
        """Return the connection `host:port` of a name such as ``a1``."""
        host = {"a": "192.0.2.1", "b": "192.0.2.2"}[name[0]]
        return self.reading._call(Context(f"ipv4:{host}:{name[1:]}")).connection  # type: ignore[arg-type]

    def ask(self, name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._ask(name))

    async def _ask(self, name: str) -> None:
        try:
            await self.reading.take_turn(self.connection(name))
            self.read.append(name)
        except RefusalError as refusal:
            self.refused.append(f"{name}: {refusal}")

    def end(self, name: str) -> None:
        self.reading.end_turn(self.connection(name))


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(play: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(play(), 60.0))  # type: ignore[arg-type]


def test_as_many_places_as_copies_fit_the_budget() -> None:
    # gRPC for Python holds one message three times.
    assert [reading.places(mib << 20) for mib in (1, 4, 8, 12, 14, 48, 100)] == [
        46, 10, 4, 2, 1, 1, 1
    ]  # fmt: skip


def test_machines_take_turns_and_then_their_connections() -> None:
    async def play() -> None:
        turns = Turns()
        for name in ("a1", "a1", "a2", "a3", "b1", "b1"):
            turns.ask(name)
            await settle()
        for _ in range(6):
            turns.end(turns.read[-1])
            await settle()
        assert turns.read == ["a1", "b1", "a2", "b1", "a3", "a1"]

    run(play)


def test_a_connection_reads_one_message_at_a_time() -> None:
    async def play() -> None:
        turns = Turns(largest_bytes=1 << 20)
        for name in ("a1", "a1", "a2"):
            turns.ask(name)
        await settle()
        assert turns.read == ["a1", "a2"]
        turns.end("a1")
        await settle()
        assert turns.read == ["a1", "a2", "a1"]

    run(play)


def test_who_was_answered_has_a_place_more_until_it_is_wrong() -> None:
    async def play() -> None:
        turns = Turns()
        turns.reading.judge(turns.connection("b1"), 100, answered=True)
        for name in ("a1", "a2", "b1", "b1"):
            turns.ask(name)
        await settle()
        assert turns.read == ["a1", "b1"]
        turns.end("b1")
        await settle()
        assert turns.read == ["a1", "b1", "b1"]
        turns.end("b1")
        turns.reading.judge(turns.connection("b1"), 100, answered=False)
        turns.ask("b1")
        await settle()
        assert turns.read == ["a1", "b1", "b1"]
        turns.end("a1")
        await settle()
        assert turns.read[3:] == ["a2"]

    run(play)


def test_a_connection_pauses_after_a_large_message_that_was_refused() -> None:
    async def play() -> None:
        turns = Turns()
        one = turns.connection("a1")
        before_s = asyncio.get_running_loop().time()
        turns.reading.judge(one, 1000, answered=False)
        assert one.paused_until_s == 0.0
        turns.reading.judge(one, reading.REFUSED_BYTE_S, answered=False)
        assert 1.0 <= one.paused_until_s - before_s < 2.0
        turns.ask("a1")
        turns.ask("a2")
        await settle()
        assert turns.read == ["a2"]
        turns.end("a2")
        while len(turns.read) < 2:
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() >= one.paused_until_s

    run(play)


def test_who_has_most_unread_calls_is_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_UNREAD", 4)

    async def play() -> None:
        turns = Turns()
        for name in ("a9", "b1", "a1", "a1", "a2", "b1"):
            turns.ask(name)
            await settle()
        assert turns.refused == ["a1: 4 messages waited to be read; ask again later"]
        assert turns.read == ["a9"]

    run(play)


def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WAIT_S", 0.01)

    async def play() -> None:
        turns = Turns()
        turns.ask("a1")
        await turns.ask("b1")
        text = "no message of this client was read for 0.01 s; ask again later"
        assert turns.refused == [f"b1: {text}"]
        assert turns.connection("b1").address.unread == 0
        turns.end("a1")
        await turns.ask("b1")
        assert turns.read == ["a1", "b1"]

    run(play)


@pytest.mark.parametrize("granted", [True, False])
def test_who_leaves_takes_no_place_along(granted: bool) -> None:
    async def play() -> None:
        turns = Turns()
        turns.ask("a1")
        gone = turns.ask("b1")
        await settle()
        if granted:
            # It has its turn, and goes before it learns of it.
            turns.end("a1")
        gone.cancel()
        await settle()
        assert turns.read == ["a1"]
        if not granted:
            turns.end("a1")
        await turns.ask("a2")
        assert turns.read == ["a1", "a2"]

    run(play)


# Over gRPC


class Served:
    """A server that answers some methods, its messages read in turn."""

    def __init__(self) -> None:
        self.reading = Reading(LARGEST, LOG)
        self.sizes: list[int] = []
        self.server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", LARGEST), *reading.options()],
            interceptors=[self.reading],
        )
        methods: dict[Any, Any] = {SERVER_LIVE: self._live, MODEL_INFER: self._infer}
        register(self.server, methods, LOG)
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), self.server)
        reflection.enable_server_reflection((INFERENCE, reflection.SERVICE_NAME), self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{self.port}"

    async def _live(self, request: Any, context: Any) -> wire.ServerLiveResponse:
        return wire.ServerLiveResponse(live=True)

    async def _infer(self, request: Any, context: Any) -> wire.ModelInferResponse:
        self.sizes.append(request.ByteSize())
        raise RefusalError(grpc.StatusCode.NOT_FOUND, "no such model")

    async def __aenter__(self) -> Served:
        await self.server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.server.stop(None)


async def code_of(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


def test_every_kind_of_method_is_read_so() -> None:
    async def play() -> None:
        async with Served() as one, grpc.aio.insecure_channel(one.address) as channel:
            assert (await SERVER_LIVE.on(channel)(wire.ServerLiveRequest())).live
            check = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest()
            assert (await check.Check(asked)).status == health_pb2.HealthCheckResponse.SERVING
            watched = check.Watch(asked)
            assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
            watched.cancel()
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            questions = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
            (told,) = [reply async for reply in stub.ServerReflectionInfo(questions)]
            names = [service.name for service in told.list_services_response.service]
            assert names == sorted((INFERENCE, reflection.SERVICE_NAME))
            infer = MODEL_INFER.on(channel)(wire.ModelInferRequest(id="7"))
            assert await code_of(infer) == (grpc.StatusCode.NOT_FOUND, "no such model")
            empty = channel.stream_unary(f"/{INFERENCE}/ServerLive")(iter(()))
            assert await code_of(empty) == (
                grpc.StatusCode.INVALID_ARGUMENT, "the call brought no message"
            )  # fmt: skip
            unknown = channel.unary_unary(f"/{INFERENCE}/Nothing")(b"")
            assert (await code_of(unknown))[0] is grpc.StatusCode.UNIMPLEMENTED
            large = MODEL_INFER.on(channel)(
                wire.ModelInferRequest(raw_input_contents=[bytes(LARGEST)])
            )
            assert (await code_of(large))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED

    run(play)


def test_a_message_that_does_not_arrive_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "READ_S", 0.2)

    async def play() -> None:
        async with Served() as one:
            peer = Http2(one.address, None, message("none", 1 << 20), 1, withheld=1)
            await asyncio.to_thread(peer.run, time.monotonic() + 30.0, threading.Event())
            assert (peer.ended, one.sizes) == (1, [])
            (known,) = one.reading._known.values()
            assert known.paused_until_s > asyncio.get_running_loop().time()

    run(play)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux shows descriptors")
def test_a_client_that_sends_nothing_gives_way_to_one_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_CHECK_S", 0.1)
    monkeypatch.setattr(reading, "READ_S", 50.0)

    async def play() -> None:
        async with Served() as one, grpc.aio.insecure_channel(one.address) as channel:
            watching = asyncio.create_task(one.reading.watch({one.port}))
            peer = Http2(one.address, None, message("none", 1 << 20), 1, withheld=1)
            sending = asyncio.to_thread(peer.run, time.monotonic() + 50.0, threading.Event())
            task = asyncio.create_task(sending)
            while peer.sent < len(peer.data) - 1:
                await asyncio.sleep(0.01)
            infer = MODEL_INFER.on(channel)(wire.ModelInferRequest(id="7"), timeout=30.0)
            assert (await code_of(infer))[0] is grpc.StatusCode.NOT_FOUND
            await task
            assert peer.ended == 1
            watching.cancel()

    run(play)


def test_what_is_not_read_stays_with_its_client() -> None:
    calls = 20

    async def play() -> None:
        async with Served() as one:
            peer = Http2(one.address, None, message("none", 1 << 20), calls, withheld=1)
            stopped = threading.Event()
            sending = asyncio.to_thread(peer.run, time.monotonic() + 50.0, stopped)
            task = asyncio.create_task(sending)
            least = len(peer.data) - 1 + (calls - 1) * reading.UNREAD_BYTES
            while peer.sent < least:
                await asyncio.sleep(0.01)
            # Nothing says when a client would send more, could it.
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert peer.sent == least
            stopped.set()
            await task

    run(play)
