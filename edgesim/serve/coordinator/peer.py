"""A node as the coordinator sees it: asked, found silent, taken out, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from edgesim.serve.access import Access
from edgesim.serve.channels import open_channel
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import Piece
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import MODEL_INFER, MODEL_READY


class Peer:
    """One node.

    Attributes:
        node: name in the scenario.
        up: whether it is asked.
        asked: calls under way.
        most_asked: at once.
        outs: (begin, end) of every time out, on the run's clock.
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
        self.asked = 0
        self.most_asked = 0
        self.outs: list[tuple[float, float]] = []
        self._pieces = tuple(pieces)
        self._access = access
        self._policy = policy
        self._clock = clock
        self._strikes = 0
        self._out_since_s = 0.0
        self._silence = ""
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
        self.asked += 1
        self.most_asked = max(self.most_asked, self.asked)
        try:
            reply: wire.ModelInferResponse = await self._infer(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            self._failed(error.code())
            raise
        finally:
            self.asked -= 1
        self._strikes = 0
        return reply

    async def infer_beside(
        self, request: wire.ModelInferRequest, timeout_s: float
    ) -> wire.ModelInferResponse:
        """Ask the node over a second connection, without a say on whether it is up.

        Raises:
            AioRpcError: it refused, failed, or did not answer in time.
        """
        if self._second is None:
            self._second = self._open()
        reply: wire.ModelInferResponse = await MODEL_INFER.on(self._second)(
            request, timeout=timeout_s
        )
        return reply

    def _failed(self, code: grpc.StatusCode) -> None:
        if code is grpc.StatusCode.NOT_FOUND:
            # It answers, without the model: started again with an empty store, or deployed anew.
            self._leave()
        elif code is grpc.StatusCode.UNAVAILABLE:
            # A part that is late is no strike: the node may have much to do, and checks tell.
            self._strikes += 1
            if self._strikes >= self._policy.strikes:
                self._leave()

    def _leave(self) -> None:
        if self.up:
            self.up = False
            self._out_since_s = self._clock()

    def _return(self, channel: grpc.aio.Channel) -> None:
        self.up, self._strikes = True, 0
        self.outs.append((self._out_since_s, self._clock()))
        # What is under way on the old connection may still end well.
        old = asyncio.ensure_future(self._channel.close(self._policy.deadline_s))
        self._leaving.add(old)
        old.add_done_callback(self._leaving.discard)
        self._use(channel)

    async def watch(self) -> None:
        """Check the node again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._policy.health_interval_s)
            await self.check()

    async def check(self) -> None:
        """Ask whether the node has its models and takes requests; let it go or come by that.

        A node that is out is asked over a new connection: the old one may wait to be made anew.
        """
        if self.up:
            told = await self.ready(self._policy.health_interval_s)
            if told is None:
                self._failed(grpc.StatusCode.UNAVAILABLE)
            elif told:
                self._strikes = 0
            else:
                self._leave()
            return
        channel = self._open()
        if await self.ready(self._policy.health_interval_s, channel):
            self._return(channel)
        else:
            await channel.close()

    async def ready(self, timeout_s: float, channel: grpc.aio.Channel | None = None) -> bool | None:
        """Return whether the node takes requests for all its models; None where it is silent."""
        ask = MODEL_READY.on(channel or self._channel)
        try:
            for piece in self._pieces:
                request = wire.ModelReadyRequest(name=piece.name, version=piece.version)
                if not (await ask(request, timeout=timeout_s)).ready:
                    return False
        except grpc.aio.AioRpcError as error:
            self._silence = (error.details() or error.code().name).rpartition("last error: ")[2]
            return None
        return True

    async def await_ready(self) -> str | None:
        """Wait until the node is ready; return what it lacks where it is not in time."""
        until_s = self._clock() + self._policy.patience_s
        while not (told := await self.ready(self._policy.patience_s)):
            if told is False or self._clock() >= until_s:
                break
            await asyncio.sleep(self._policy.first_pause_s)
        if told:
            return None
        names = ", ".join(piece.name for piece in self._pieces)
        what = (
            f"does not answer ({self._silence})"
            if told is None
            else f"does not serve this artifact's {names}"
        )
        return f"'{self.node}' at {self.address} {what}"

    def down_s(self, end_s: float) -> float:
        """Return the time out of service until ``end_s``."""
        now = 0.0 if self.up else end_s - self._out_since_s
        return sum(end - begin for begin, end in self.outs) + now

    async def close(self) -> None:
        """End the connections and whatever is under way on them."""
        for channel in (self._channel, self._second):
            if channel is not None:
                await channel.close()
        for task in tuple(self._leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
