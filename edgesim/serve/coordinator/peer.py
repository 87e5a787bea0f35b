"""A node as the coordinator sees it: asked, found silent, taken out, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from edgesim.serve.access import UNTRUSTED, Access, open_channel
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import Piece
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import MODEL_INFER, MODEL_METADATA, MODEL_READY

SILENT = "does not answer"
DEPLOY = "give it them with `edgesim deploy`"


@dataclass(frozen=True, slots=True)
class Out:
    """A time in which a node was not asked, on the run's clock.

    Attributes:
        node: its name.
        begin_s: when it was taken out.
        end_s: when it was back; None where it was not.
        why: it was out, and what to do, as it was last seen.
    """

    node: str
    begin_s: float
    end_s: float | None
    why: str

    @property
    def told(self) -> str:
        """Return it as a sentence."""
        until = "the end" if self.end_s is None else f"{self.end_s:.1f} s"
        return (
            f"'{self.node}' was out of service from {self.begin_s:.1f} s to {until}: it {self.why}"
        )


@dataclass(slots=True)
class WastedBytes:
    """Bytes of tries that failed, and of second requests whose answer was not the first.

    A request that ended UNAVAILABLE is not counted: mostly there was no connection to send it on.
    How much of a cancelled answer had arrived is not known.

    Attributes:
        sent_bytes: of requests.
        received_bytes: of answers.
    """

    sent_bytes: int = 0
    received_bytes: int = 0

    def add_late(self, request: wire.ModelInferRequest, reply: wire.ModelInferResponse) -> None:
        """Count a request whose answer came after another one, and its answer."""
        self.sent_bytes += request.ByteSize()
        self.received_bytes += reply.ByteSize()


class Peer:
    """One node.

    Attributes:
        node: name in the scenario.
        up: whether it is asked.
        why: it is not; empty where it is.
        wasted: bytes of messages whose answer was not used.
        outs: every time out that is over.
    """

    def __init__(
        self,
        node: str,
        address: str,
        pieces: Sequence[Piece],
        access: Access,
        policy: Policy,
        clock: Callable[[], float],
    ) -> None:
        """Prepare to ask a node; nothing is sent yet.

        Args:
            node: its name.
            address: HOST:PORT.
            pieces: that it shall have.
            access: what the coordinator proves itself with.
            policy: of the run.
            clock: seconds.

        Raises:
            InputError: without TLS, the address is of another machine.
        """
        self.node = node
        self.address = address
        self.up = True
        self.why = ""
        self.wasted = WastedBytes()
        self.outs: list[Out] = []
        self._pieces = tuple(pieces)
        self._access = access
        self._policy = policy
        self._clock = clock
        self._strikes = 0
        self._out_since_s = 0.0
        self._silence = ""
        names = ", ".join(piece.name for piece in pieces)
        self._lacking = f"does not serve this artifact's {names}"
        self._leaving: set[asyncio.Task[None]] = set()
        self._second: grpc.aio.Channel | None = None
        self._use(self._open())

    def _open(self) -> grpc.aio.Channel:
        return open_channel(self.address, self._access, apart=True)

    def _use(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._infer: Callable[..., Any] = MODEL_INFER.on(channel)

    async def infer(
        self, request: wire.ModelInferRequest, timeout_s: float
    ) -> wire.ModelInferResponse:
        """Ask the node once.

        Raises:
            AioRpcError: it refused, failed, or did not answer in time.
        """
        try:
            reply = await self._call(self._infer, request, timeout_s)
        except grpc.aio.AioRpcError as error:
            self._failed(error)
            raise
        self._strikes = 0
        return reply

    async def infer_beside(
        self, request: wire.ModelInferRequest, timeout_s: float
    ) -> wire.ModelInferResponse:
        """Ask the node over a second connection, whose failures do not take it out of service.

        Raises:
            AioRpcError: it refused, failed, or did not answer in time.
        """
        if self._second is None:
            self._second = self._open()
        return await self._call(MODEL_INFER.on(self._second), request, timeout_s)

    async def _call(
        self, infer: Callable[..., Any], request: wire.ModelInferRequest, timeout_s: float
    ) -> wire.ModelInferResponse:
        """Return the answer of one call; count the bytes of a failed one as wasted."""
        try:
            reply: wire.ModelInferResponse = await infer(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                self.wasted.sent_bytes += request.ByteSize()
            raise
        except asyncio.CancelledError:
            self.wasted.sent_bytes += request.ByteSize()
            raise
        return reply

    def _failed(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            # It answers, without the model: started again with an empty store, or deployed anew.
            self._leave(f"{self._lacking}; {DEPLOY}")
        elif error.code() is grpc.StatusCode.UNAVAILABLE and not is_busy(error):
            # A part that is late is no strike: the node may have much to do, and checks tell.
            self._hear(error)
            self._strike()

    def _strike(self) -> None:
        self._strikes += 1
        if self._strikes >= self._policy.health.strikes:
            self._leave(SILENT)

    def _leave(self, why: str) -> None:
        if self.up:
            self.up = False
            self._out_since_s = self._clock()
        self.why = why

    def _return(self, channel: grpc.aio.Channel) -> None:
        self.outs.append(self._out(self._clock()))
        self.up, self.why, self._strikes = True, "", 0
        # What is under way on the old connection may still end well.
        old = asyncio.ensure_future(self._channel.close(self._policy.deadline_s))
        self._leaving.add(old)
        old.add_done_callback(self._leaving.discard)
        self._use(channel)

    async def watch(self) -> None:
        """Check the node again and again, until cancelled.

        Checks begin an interval apart, however long one waits in vain: a node that is well again
        is found so within one.
        """
        due_s = self._clock()
        while True:
            due_s = max(due_s + self._policy.health.interval_s, self._clock())
            await asyncio.sleep(due_s - self._clock())
            await self.check()

    async def check(self) -> None:
        """Ask whether the node has its models and takes requests; let it go or come by that.

        A node that is out is asked over a new connection: the old one may wait to be made anew.
        """
        if self.up:
            told = await self.ready(self._policy.health.interval_s)
            if told:
                self._strikes = 0
            elif told is None:
                self._strike()
            else:
                self._leave(await self._unready(self._channel))
            return
        channel = self._open()
        told = await self.ready(self._policy.health.interval_s, channel)
        if told:
            self._return(channel)
            return
        if told is None:
            self.why = SILENT
        else:
            self.why = await self._unready(channel)
        await channel.close()

    async def _unready(self, channel: grpc.aio.Channel) -> str:
        """Return why a node that answers takes no requests."""
        ask = MODEL_METADATA.on(channel)
        try:
            for piece in self._pieces:
                request = wire.ModelMetadataRequest(name=piece.name, version=piece.version)
                await ask(request, timeout=self._policy.health.interval_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return f"{self._lacking}; {DEPLOY}"
        return "takes no more requests, as it was told to end"

    async def ready(self, timeout_s: float, channel: grpc.aio.Channel | None = None) -> bool | None:
        """Return whether the node takes requests for all its models; None where it is silent.

        Args:
            timeout_s: for all answers together.
            channel: to ask over, where it is another than for inference.
        """
        ask = MODEL_READY.on(channel or self._channel)
        until_s = self._clock() + timeout_s
        try:
            for piece in self._pieces:
                request = wire.ModelReadyRequest(name=piece.name, version=piece.version)
                left_s = max(0.0, until_s - self._clock())
                if not (await ask(request, timeout=left_s)).ready:
                    return False
        except grpc.aio.AioRpcError as error:
            if is_busy(error):
                return True
            self._hear(error)
            return None
        return True

    def _hear(self, error: grpc.aio.AioRpcError) -> None:
        """Keep what an error tells of a node's silence."""
        self._silence = (error.details() or error.code().name).rpartition("last error: ")[2]

    async def await_ready(self) -> str | None:
        """Wait until the node is ready; return what it lacks where it is not in time."""
        until_s = self._clock() + self._policy.patience_s
        while not (told := await self.ready(self._policy.patience_s)):
            if told is False or self.untrusted or self._clock() >= until_s:
                break
            await asyncio.sleep(self._policy.retry.backoff_s)
        if told:
            return None
        if self.untrusted:
            what = f"shows a certificate that these keys do not trust ({self._silence})"
        else:
            what = f"{SILENT} ({self._silence})" if told is None else self._lacking
        return f"'{self.node}' at {self.address} {what}"

    @property
    def untrusted(self) -> bool:
        """Whether the node's certificate is of another authority or host."""
        return UNTRUSTED in self._silence

    def all_outs(self) -> list[Out]:
        """Return every time out, with the one that goes on."""
        return self.outs if self.up else [*self.outs, self._out(None)]

    def _out(self, end_s: float | None) -> Out:
        # Details differ from one time to the next, and would part failures that are alike.
        why = f"{SILENT} ({self._silence})" if self.why == SILENT else self.why
        return Out(self.node, self._out_since_s, end_s, why)

    def down_s(self, end_s: float) -> float:
        """Return the time out of service until ``end_s``."""
        return sum((out.end_s or end_s) - out.begin_s for out in self.all_outs())

    async def close(self) -> None:
        """End the connections and whatever is under way on them."""
        for channel in (self._channel, self._second):
            if channel is not None:
                await channel.close()
        for task in tuple(self._leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def is_busy(error: grpc.aio.AioRpcError) -> bool:
    """Return whether a node refused a call because it has as many open calls as it allows.

    A busy node is not gone. gRPC has no status for it, and reports a stream that was reset with
    HTTP/2's REFUSED_STREAM, 7 (RFC 9113, section 7).
    """
    return "RST_STREAM with error code 7" in (error.details() or "")
