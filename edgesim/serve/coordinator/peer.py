"""A node as the coordinator sees it: asked, checked, taken out of service, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from edgesim.common.text import foreign
from edgesim.serve.access import UNTRUSTED, Access, open_channel
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replies import InvalidReplyError, Reply, read_reply
from edgesim.serve.coordinator.work import BYTES_PER_VALUE, Piece
from edgesim.serve.options import MAX_SAMPLES
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.queues import told_queue
from edgesim.serve.services import MODEL_INFER, MODEL_METADATA, MODEL_READY, SERVER_METADATA

MOST_REASONS = 20
"""Reasons of failures that are told apart of one node."""
OTHER_REASONS = f"another reason than the first {MOST_REASONS} of this node"
_BESIDE_BYTES = 64 << 10
"""Bytes of a reply beside its tensor: names and parameters."""
MOST_OUTAGES = 5
"""Outages of one node that are told one by one."""
SILENT = "does not answer"
DEPLOY = "deploy them with `edgesim deploy`"


@dataclass(slots=True)
class Reasons:
    """Reasons of one node's failures.

    What the node says may be part of them: one that says something else each time neither fills a
    table nor keeps the reasons of other nodes out of it.
    """

    _known: set[str] = field(default_factory=set)

    def tell_apart(self, reason: str) -> str:
        """Return a reason; the same one for all after the first `MOST_REASONS`."""
        if reason not in self._known:
            if len(self._known) >= MOST_REASONS:
                return OTHER_REASONS
            self._known.add(reason)
        return reason


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a node was out of service, on the run's clock.

    Attributes:
        node: its name.
        begin_s: time at which it was taken out of service.
        end_s: time at which it was back; None where it was not.
        why: the reason, and what to do.
    """

    node: str
    begin_s: float
    end_s: float | None
    why: str

    @property
    def sentence(self) -> str:
        """The outage as a sentence."""
        return f"'{self.node}' was out of service {self.span}: it {self.why}"

    @property
    def span(self) -> str:
        """Its begin and its end, in words."""
        until = "the end" if self.end_s is None else f"{self.end_s:.1f} s"
        return f"from {self.begin_s:.1f} s to {until}"


def outage_sentences(outages: Sequence[Outage]) -> list[str]:
    """Return sentences on outages in order of time: of a node that goes and comes, a few."""
    by_node: dict[str, list[Outage]] = {}
    told = []
    for one in outages:
        known = by_node.setdefault(one.node, [])
        known.append(one)
        if len(known) <= MOST_OUTAGES:
            told.append(one.sentence)
    for node, found in by_node.items():
        if (more := len(found) - MOST_OUTAGES) > 0:
            told.append(
                f"'{node}' was out of service {more:,} more times, the last {found[-1].span}"
            )
    return told


@dataclass(slots=True)
class WastedBytes:
    """Bytes of attempts that failed, and of hedged requests whose answer came second.

    A request that ended UNAVAILABLE is not counted: mostly there was no connection to send it on.
    How much of a cancelled answer had arrived is not known.

    Attributes:
        sent_bytes: bytes of requests.
        received_bytes: bytes of answers.
    """

    sent_bytes: int = 0
    received_bytes: int = 0

    def add(self, sent_bytes: int, received_bytes: int = 0) -> None:
        """Count a request that was of no use, and its reply."""
        self.sent_bytes += sent_bytes
        self.received_bytes += received_bytes


@dataclass(eq=False)
class Peer:
    """One node; nothing is sent before its first method is called.

    Attributes:
        node: name in the scenario.
        address: HOST:PORT.
        pieces: models that it serves.
        access: keys of the coordinator.
        policy: policy of the run.
        clock: returns seconds.
        samples: of a request, at most.
        up: whether it is in service.
        why: reason for being out of service; empty where it is in service.
        wasted: bytes of messages without use.
        outages: outages that have ended.
        reasons: reasons of its failures.

    Raises:
        InputError: without TLS, the address is of another machine.
    """

    node: str
    address: str
    pieces: Sequence[Piece]
    access: Access
    policy: Policy
    clock: Callable[[], float]
    samples: int = MAX_SAMPLES
    up: bool = True
    why: str = ""
    wasted: WastedBytes = field(default_factory=WastedBytes)
    outages: list[Outage] = field(default_factory=list)
    reasons: Reasons = field(default_factory=Reasons)
    _strikes: int = 0
    _out_since_s: float = 0.0
    _last_error: str = ""
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)
    _second: grpc.aio.Channel | None = None

    def __post_init__(self) -> None:
        names = ", ".join(piece.name for piece in self.pieces)
        self._missing_models = f"does not serve this artifact's {names}"
        self._use(self._open())

    def _open(self) -> grpc.aio.Channel:
        # What else a node sends would fill the memory, as many times as there are requests.
        values = max(piece.width for piece in self.pieces) * self.samples
        largest_bytes = BYTES_PER_VALUE * values + _BESIDE_BYTES
        return open_channel(
            self.address, self.access, own_connection=True, largest_reply_bytes=largest_bytes
        )

    def _use(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._infer: Callable[..., Any] = MODEL_INFER.on(channel)

    async def infer(self, request: wire.ModelInferRequest, width: int, until_s: float) -> Reply:
        """Ask the node once, and check the reply.

        Args:
            request: the message.
            width: values of the output for each sample.
            until_s: time, on the clock, at which the attempt ends.

        Raises:
            AioRpcError: it refused, failed, or did not answer in time.
            InvalidReplyError: what it replied is no answer.
        """
        try:
            reply = await self._call(self._infer, request, width, until_s)
        except grpc.aio.AioRpcError as error:
            self._failed(error)
            raise
        self._strikes = 0
        return reply

    async def infer_hedge(
        self, request: wire.ModelInferRequest, width: int, until_s: float
    ) -> Reply:
        """Ask the node over a second connection, whose failures do not take it out of service.

        Arguments and errors are those of `infer`.
        """
        if self._second is None:
            self._second = self._open()
        return await self._call(MODEL_INFER.on(self._second), request, width, until_s)

    async def _call(
        self,
        infer: Callable[..., Any],
        request: wire.ModelInferRequest,
        width: int,
        until_s: float,
    ) -> Reply:
        """Return the reply of one call; count the bytes of a failed one as wasted."""
        sent_s = self.clock()
        try:
            reply: wire.ModelInferResponse | None = await infer(request, timeout=until_s - sent_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                self.wasted.add(request.ByteSize())
            raise
        except asyncio.CancelledError:
            self.wasted.add(request.ByteSize())
            raise
        try:
            return read_reply(reply, request, width, sent_s, self.clock())
        except InvalidReplyError:
            self.wasted.add(request.ByteSize(), 0 if reply is None else reply.ByteSize())
            raise

    def _failed(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            # It answers, without the model: started again with an empty store, or deployed anew.
            self._take_out(f"{self._missing_models}; {DEPLOY}")
        elif error.code() is grpc.StatusCode.UNAVAILABLE and not is_busy(error):
            # A late part is no failed check: the node may be busy.
            self._note_error(error)
            self._strike()

    def _strike(self) -> None:
        self._strikes += 1
        if self._strikes >= self.policy.health.strikes:
            self._take_out(SILENT)

    def _take_out(self, why: str) -> None:
        if self.up:
            self.up = False
            self._out_since_s = self.clock()
        self.why = why

    def _bring_back(self, channel: grpc.aio.Channel) -> None:
        self.outages.append(self._out(self.clock()))
        self.up, self.why, self._strikes = True, "", 0
        # Calls on the old connection may still end well.
        old = asyncio.ensure_future(self._channel.close(self.policy.deadline_s))
        self._leaving.add(old)
        old.add_done_callback(self._leaving.discard)
        self._use(channel)

    async def watch(self) -> None:
        """Check the node repeatedly, until cancelled.

        Checks begin one interval apart, even where one gets no answer: a node that works again is
        found within one interval.
        """
        due_s = self.clock()
        while True:
            due_s = max(due_s + self.policy.health.interval_s, self.clock())
            await asyncio.sleep(due_s - self.clock())
            await self.check()

    async def check(self) -> None:
        """Ask whether the node has its models and accepts requests; change its state by that.

        A node out of service is asked over a new connection: the old one may wait to reconnect.
        """
        if self.up:
            ready = await self.ready(self.policy.health.interval_s)
            if ready:
                self._strikes = 0
            elif ready is None:
                self._strike()
            else:
                self._take_out(await self._unready(self._channel))
            return
        channel = self._open()
        ready = await self.ready(self.policy.health.interval_s, channel)
        if ready:
            self._bring_back(channel)
            return
        if ready is None:
            self.why = SILENT
        else:
            self.why = await self._unready(channel)
        await channel.close()

    async def _unready(self, channel: grpc.aio.Channel) -> str:
        """Return why a node that answers accepts no requests."""
        ask = MODEL_METADATA.on(channel)
        try:
            for piece in self.pieces:
                request = wire.ModelMetadataRequest(name=piece.name, version=piece.version)
                await ask(request, timeout=self.policy.health.interval_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return f"{self._missing_models}; {DEPLOY}"
        return "accepts no more requests: it is shutting down"

    async def ready(self, timeout_s: float, channel: grpc.aio.Channel | None = None) -> bool | None:
        """Return whether the node accepts requests for all its models; None without an answer.

        Args:
            timeout_s: time for all answers together.
            channel: connection to use; None for the one of inference.
        """
        ask = MODEL_READY.on(channel or self._channel)
        until_s = self.clock() + timeout_s
        try:
            for piece in self.pieces:
                request = wire.ModelReadyRequest(name=piece.name, version=piece.version)
                left_s = max(0.0, until_s - self.clock())
                reply: wire.ModelReadyResponse | None = await ask(request, timeout=left_s)
                if reply is None:
                    self._last_error = "its reply is not a message of the protocol"
                    return None
                if not reply.ready:
                    return False
        except grpc.aio.AioRpcError as error:
            if is_busy(error):
                return True
            self._note_error(error)
            return None
        return True

    async def told_queue(self) -> str | None:
        """Return the node's queue in words; None where it does not tell, or does not answer."""
        try:
            reply: wire.ServerMetadataResponse | None = await SERVER_METADATA.on(self._channel)(
                wire.ServerMetadataRequest(), timeout=self.policy.health.interval_s
            )
        except grpc.aio.AioRpcError:
            return None
        return None if reply is None else told_queue(reply.extensions)

    def _note_error(self, error: grpc.aio.AioRpcError) -> None:
        """Remember gRPC's reason for a missing answer."""
        self._last_error = (error.details() or error.code().name).rpartition("last error: ")[2]

    async def await_ready(self) -> str | None:
        """Wait until the node is ready; return a sentence where it is not in time."""
        until_s = self.clock() + self.policy.patience_s
        while not (ready := await self.ready(self.policy.patience_s)):
            if ready is False or self.untrusted or self.clock() >= until_s:
                break
            await asyncio.sleep(self.policy.retry.backoff_s)
        if ready:
            return None
        said = foreign(self._last_error)
        if self.untrusted:
            what = f"shows a certificate that these keys do not trust ({said})"
        else:
            what = f"{SILENT} ({said})" if ready is None else self._missing_models
        return f"'{self.node}' at {self.address} {what}"

    @property
    def untrusted(self) -> bool:
        """Whether the node's certificate is of another authority or host."""
        return UNTRUSTED in self._last_error

    def all_outages(self) -> list[Outage]:
        """Return all outages, with the one that has not ended."""
        return self.outages if self.up else [*self.outages, self._out(None)]

    def _out(self, end_s: float | None) -> Outage:
        # Details differ between outages of the same reason.
        why = f"{SILENT} ({foreign(self._last_error)})" if self.why == SILENT else self.why
        return Outage(self.node, self._out_since_s, end_s, why)

    def down_s(self, end_s: float) -> float:
        """Return the time out of service until ``end_s``."""
        return sum((out.end_s or end_s) - out.begin_s for out in self.all_outages())

    async def close(self) -> None:
        """Close the connections and end the calls on them."""
        for channel in (self._channel, self._second):
            if channel is not None:
                await channel.close()
        for task in tuple(self._leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def is_too_large(error: grpc.aio.AioRpcError) -> bool:
    """Return whether a call ended at the first bytes of a reply larger than an answer can be."""
    return "Received message larger than max" in (error.details() or "")


def is_busy(error: grpc.aio.AioRpcError) -> bool:
    """Return whether a node refused a call because it has as many open calls as it allows.

    A busy node is not gone. gRPC has no status for it, and reports a stream that was reset with
    HTTP/2's REFUSED_STREAM, 7 (RFC 9113, section 7).
    """
    return "RST_STREAM with error code 7" in (error.details() or "")
