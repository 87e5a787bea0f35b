"""Messages of clients, which a node reads in turn so that those on their way fit its memory.

gRPC for Python reads the message of a unary call before it calls the handler, for as many calls as
there are. Here every call is one with a stream of messages: the handler says when one is read. What
is not read stays with its client, but for `UNREAD_BYTES` of each call. gRPC itself refuses, at its
first bytes, a message that announces more than the server accepts.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import itertools
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import grpc
from grpc import StatusCode

from edgesim.serve import connections
from edgesim.serve.addresses import join_address
from edgesim.serve.refusal import RefusalError
from edgesim.serve.telemetry import log_event

BUDGET_BYTES = 48 << 20
"""Bytes of messages that are read at a time, where each is a third of it or less."""
UNREAD_BYTES = 16 << 10
"""Bytes of a call that a client may send before its message is read."""
MOST_UNREAD = 256
"""Calls whose message is not read yet, in all."""
WAIT_S = 10.0
"""Time until the node begins to read a message, at most."""
READ_S = 10.0
"""Time until a message has arrived, from then on."""
LEAST_BYTES = 16 << 10
"""Bytes that arrive in each second of a read while another client waits."""
REFUSED_BYTE_S = 4 << 20
"""Rate at which one connection may send large messages that are refused."""
PAUSE_S = 10.0
"""Pause of a connection whose message did not arrive in time."""
_COPIES = 3
"""Copies of a message that gRPC for Python holds at the moment in which it hands one over."""
_LARGE_BYTES = 1 << 20
_RETURNED_BYTES = 4 << 20
"""Size from which freed memory goes back to the system at once."""
_MMAP_THRESHOLD = -3
"""Its name for glibc."""
_REMEMBERED = 2048
"""Connections."""
_CHECK_S = 1.0
_TRIM_S = 0.5

_FAULTS = (StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.UNIMPLEMENTED)
"""Statuses of calls whose message should not have been sent."""

_Context = grpc.aio.ServicerContext[Any, Any]


def options() -> list[tuple[str, int]]:
    """Return the options of a server that leave unread messages with their clients.

    gRPC else measures how much a connection could carry, and takes as much ahead of each call.
    """
    return [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", UNREAD_BYTES)]


def return_freed_memory() -> None:
    """Let the allocator of this process return what large messages took as soon as it is freed.

    glibc else raises its threshold to the largest block that it has seen, and from then on keeps
    such blocks, in each thread. Other allocators are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _RETURNED_BYTES)


def places(largest_bytes: int) -> int:
    """Return how many messages of a size may be read at a time within `BUDGET_BYTES`."""
    return max(1, BUDGET_BYTES // largest_bytes - (_COPIES - 1))


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Address:
    """One machine.

    Attributes:
        turn: when it had its latest turn.
        unread: its calls whose message is not read yet.
    """

    turn: int = 0
    unread: int = 0


@dataclass(slots=True, eq=False)
class _Connection:
    """One connection.

    Attributes:
        client: host and port of its client.
        address: the machine that it is from.
        turn: when it had its latest turn.
        answered: whether its latest message was answered.
        paused_until_s: time on the loop's clock before which none of its messages is read.
        reads: whether one of its messages is read now.
        extra: whether that one has the extra place.
        limit: time-out of that one.
        unread: its calls whose message is not read yet.
    """

    client: tuple[str, int]
    address: _Address
    turn: int = 0
    answered: bool = False
    paused_until_s: float = 0.0
    reads: bool = False
    extra: bool = False
    limit: asyncio.Timeout | None = None
    unread: deque[asyncio.Future[None]] = field(default_factory=deque)

    @property
    def order(self) -> tuple[int, int]:
        """Return its rank, the smallest first: machines take turns, then their connections."""
        return self.address.turn, self.turn


class Reading(grpc.aio.ServerInterceptor):
    """Decides which message a server reads next.

    A connection reads one message at a time. There are `places`, and an extra one for connections
    whose latest message was answered, which thus do not wait for strangers. A connection pauses
    after a large message that was refused, and after one that did not arrive in time.
    """

    def __init__(self, largest_bytes: int, logger: logging.Logger) -> None:
        """Prepare for messages of at most ``largest_bytes``."""
        self._logger = logger
        self._places = places(largest_bytes)
        self._extra = 1
        self._known: OrderedDict[str, _Connection] = OrderedDict()
        self._addresses: WeakValueDictionary[str, _Address] = WeakValueDictionary()
        self._waiting: dict[_Connection, None] = {}
        self._turns = itertools.count(1)
        self._trim: asyncio.TimerHandle | None = None

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of a method, its messages read in turn; None of an unknown method."""
        handler = await continuation(handler_call_details)
        return None if handler is None else self._deferred(handler)

    def _deferred(self, handler: Any) -> Any:
        """Return a handler that reads the messages, one or many, and lets another one serve."""
        parse = handler.request_deserializer or bytes

        async def request(call: _Call) -> Any:
            if handler.request_streaming:
                return (parse(data) async for data in call.messages())
            return parse(await call.message())

        if handler.response_streaming:
            serve = handler.stream_stream or handler.unary_stream
            make: Any = grpc.stream_stream_rpc_method_handler
        else:
            serve = handler.stream_unary or handler.unary_unary
            make = grpc.stream_unary_rpc_method_handler

        async def unary(_: object, context: _Context) -> Any:
            with self._call(context) as call:
                return await serve(await request(call), context)

        async def stream(_: object, context: _Context) -> AsyncIterator[Any]:
            with self._call(context) as call:
                async for reply in serve(await request(call), context):
                    yield reply

        behavior = stream if inspect.isasyncgenfunction(serve) else unary
        return make(behavior, None, handler.response_serializer)

    def _call(self, context: _Context) -> _Call:
        peer = context.peer()
        if (one := self._known.get(peer)) is None:
            client = connections.client_of(peer)
            origin = connections.origin_of(client[0])
            address = self._addresses.setdefault(origin, _Address())
            one = self._known[peer] = _Connection(client, address)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(peer)
        return _Call(self, one, context)

    async def take_turn(self, one: _Connection) -> None:
        """Wait until a message of a connection may be read.

        Raises:
            RefusalError: it may not within `WAIT_S`, or too many messages wait.
        """
        if not one.unread and self._may_read(one):
            self._begin(one)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        one.unread.append(turn)
        one.address.unread += 1
        self._waiting[one] = None
        self._refuse_excess()
        try:
            async with asyncio.timeout(WAIT_S):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.end_turn(one)
            if isinstance(error, TimeoutError):
                raise _busy(f"no message of this client was read for {WAIT_S:g} s") from None
            raise
        finally:
            self._forget(one, turn)

    def end_turn(self, one: _Connection) -> None:
        """Let another message be read, after one was or was not."""
        one.reads = False
        if one.extra:
            self._extra += 1
        else:
            self._places += 1
        self._grant()

    def _may_read(self, one: _Connection) -> bool:
        free = self._places > 0 or (one.answered and self._extra > 0)
        return free and not one.reads and one.paused_until_s <= asyncio.get_running_loop().time()

    def _begin(self, one: _Connection) -> None:
        one.extra = one.answered and self._extra > 0
        if one.extra:
            self._extra -= 1
        else:
            self._places -= 1
        one.reads = True
        one.turn = one.address.turn = next(self._turns)

    def _grant(self) -> None:
        """Begin the reads that may begin."""
        while ready := [one for one in self._waiting if self._may_read(one)]:
            one = min(ready, key=lambda one: one.order)
            turn = one.unread[0]
            self._forget(one, turn)
            if not turn.done():
                self._begin(one)
                turn.set_result(None)

    def _forget(self, one: _Connection, turn: asyncio.Future[None]) -> None:
        """Count a call no longer among those that wait."""
        if turn in one.unread:
            one.unread.remove(turn)
            one.address.unread -= 1
            if not one.unread:
                self._waiting.pop(one, None)

    def _refuse_excess(self) -> None:
        """Refuse the latest call of who has most where more than `MOST_UNREAD` wait."""
        if sum(len(one.unread) for one in self._waiting) > MOST_UNREAD:
            one = max(self._waiting, key=lambda one: (one.address.unread, len(one.unread)))
            turn = one.unread[-1]
            self._forget(one, turn)
            if not turn.done():
                turn.set_exception(_busy(f"{MOST_UNREAD} messages waited to be read"))

    def judge(self, one: _Connection, size: int, *, answered: bool) -> None:
        """Note what came of a message of ``size`` bytes."""
        one.answered = answered
        if size < _LARGE_BYTES:
            return
        if not answered:
            self.pause(one, size / REFUSED_BYTE_S, f"a message of {size} bytes was refused")
        self.trim_soon()

    def pause(self, one: _Connection, seconds: float, reason: str) -> None:
        """Read no message of a connection for some time, and log it."""
        loop = asyncio.get_running_loop()
        one.answered = False
        one.paused_until_s = loop.time() + seconds
        loop.call_at(one.paused_until_s, self._grant)
        log_event(
            self._logger, "connection paused", logging.WARNING,
            client=join_address(*one.client), seconds=round(seconds, 3), reason=reason,
        )  # fmt: skip

    def trim_soon(self) -> None:
        """Give freed memory back to the system: the allocator keeps what large messages took."""
        if self._trim is None:
            self._trim = asyncio.get_running_loop().call_later(_TRIM_S, self._trim_now)

    def _trim_now(self) -> None:
        self._trim = None
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)

    async def watch(self, ports: Collection[int]) -> None:
        """End reads that receive less than `LEAST_BYTES` a second while others wait; never return.

        Args:
            ports: ports of this process.
        """
        before: dict[tuple[_Connection, int], int] = {}
        while True:
            await asyncio.sleep(_CHECK_S)
            others = self._able_to_read()
            received = connections.received_bytes(ports) if others else {}
            now: dict[tuple[_Connection, int], int] = {}
            for one in tuple(self._known.values()):
                if one.limit is not None and others - {one} and one.client in received:
                    key, seen = (one, one.turn), received[one.client]
                    now[key] = seen
                    if seen - before.get(key, -LEAST_BYTES) < LEAST_BYTES:
                        one.limit.reschedule(0.0)
            before = now

    def _able_to_read(self) -> set[_Connection]:
        """Return the connections that wait only for a place."""
        now_s = asyncio.get_running_loop().time()
        return {one for one in self._waiting if not one.reads and one.paused_until_s <= now_s}


@dataclass(slots=True)
class _Call:
    """One call; its end tells whether its connection sent something good."""

    reading: Reading
    connection: _Connection
    context: _Context
    size: int = 0

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A node that is full, and a client that has gone, say nothing of the message.
        if kind is None or self.context.code() in _FAULTS:
            self.reading.judge(self.connection, self.size, answered=kind is None)

    async def message(self) -> bytes:
        """Return the one message."""
        data = await self._next()
        if data is None:
            await self.context.abort(StatusCode.INVALID_ARGUMENT, "the call brought no message")
        return data

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield the messages."""
        while (data := await self._next()) is not None:
            yield data

    async def _next(self) -> bytes | None:
        """Return the next message, in its turn; None at the end of the call."""
        try:
            await self.reading.take_turn(self.connection)
            try:
                data = await self._arriving()
            except BaseException:
                # Nobody knows how much of it was here.
                self.reading.trim_soon()
                raise
            finally:
                # Not before this message was looked at, and is gone if it was refused: the next
                # one takes as much again.
                loop = asyncio.get_running_loop()
                loop.call_soon(self.reading.end_turn, self.connection)
        except RefusalError as error:
            refusal = error.code, str(error)
        else:
            if data is grpc.aio.EOF:
                return None
            whole: bytes = data
            self.size += len(whole)
            return whole
        await self.context.abort(*refusal)

    async def _arriving(self) -> Any:
        """Return a message once it is here; `EOF` at the end.

        Raises:
            RefusalError: it did not arrive in time.
        """
        try:
            async with asyncio.timeout(READ_S) as self.connection.limit:
                return await self.context.read()
        except TimeoutError:
            reason = (
                f"the message did not arrive within {READ_S:g} s, "
                f"or less than {LEAST_BYTES} bytes a second of it while others waited"
            )
            self.reading.pause(self.connection, PAUSE_S, reason)
            raise RefusalError(StatusCode.ABORTED, reason) from None
        finally:
            self.connection.limit = None


def _busy(message: str) -> RefusalError:
    return RefusalError(StatusCode.RESOURCE_EXHAUSTED, f"{message}; ask again later")
