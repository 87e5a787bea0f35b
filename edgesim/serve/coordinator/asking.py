"""One request: its parts asked at once, with deadlines, attempts and hedges; then the fusion."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration, foreign
from edgesim.serve.coordinator.peer import Peer, is_busy, is_too_large
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replies import InvalidReplyError, Reply
from edgesim.serve.coordinator.work import Input, Piece, Work, infer_request, set_due
from edgesim.serve.protocol.open_inference_pb2 import ModelInferRequest
from edgesim.serve.refusal import DROPPED
from edgesim.serve.services import FEATURES, LOGITS

_WORTH_ANOTHER_TRY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A part or fusion without an answer.

    Attributes:
        asked_s: time of the first attempt.
        given_up_s: time of the last failure.
        reason: a sentence on why, which names the part, its node and gRPC's status.
        dropped: whether the node's queue dropped it, in the last attempt.
    """

    asked_s: float
    given_up_s: float
    reason: str
    dropped: bool = False


async def ask(
    peer: Peer,
    request: ModelInferRequest,
    width: int,
    policy: Policy,
    generator: random.Random,
    due_s: float | None = None,
) -> Reply | Failure:
    """Ask until there is a valid reply, the deadline passes, or another attempt is useless.

    Args:
        peer: the node.
        request: the message.
        width: values of the output for each sample.
        policy: deadline and attempts.
        generator: random generator of the pauses between attempts.
        due_s: deadline of the request on the peer's clock, which each attempt tells the node;
            nothing ends at it. None without one.
    """
    clock = peer.clock
    asked_s = clock()
    until_s = asked_s + policy.deadline_s
    reason, dropped = "", False
    for tried in range(1, policy.retry.attempts + 1):
        if not peer.up:
            dropped = False
            reason = f"the node is out of service: it {peer.why}"
            break
        if due_s is not None:
            set_due(request, due_s - clock())
        try:
            end_s = until_s
            if policy.retry.timeout_s is not None:
                end_s = min(until_s, clock() + policy.retry.timeout_s)
            if policy.hedge_after_s is None:
                reply = await peer.infer(request, width, end_s)
            else:
                reply = await _hedged(peer, request, width, policy.hedge_after_s, end_s)
            reply.asked_s = asked_s
            return reply
        except InvalidReplyError as error:
            reason, dropped = f"invalid reply: {error}", False
            break
        except grpc.aio.AioRpcError as error:
            reason, dropped = _sentence(error, policy), _was_dropped(error)
            if is_too_large(error):
                break
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and clock() < until_s
            gave_way = (error.details() or "").startswith(DROPPED)
            again = late or (error.code() in _WORTH_ANOTHER_TRY and not gave_way)
            if tried == policy.retry.attempts or not again:
                break
        pause_s = policy.retry.pause_s(tried, generator.random())
        if clock() + pause_s >= until_s:
            break
        await asyncio.sleep(pause_s)
    reason = peer.reasons.tell_apart(reason)
    return Failure(asked_s, clock(), f"{request.model_name} on {peer.node}: {reason}", dropped)


def _was_dropped(error: grpc.aio.AioRpcError) -> bool:
    """Return whether a node's queue dropped a request; `edgesim.serve.jobs` says so."""
    full = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return full and "the node's queue" in (error.details() or "")


def _sentence(error: grpc.aio.AioRpcError, policy: Policy) -> str:
    """Return why an attempt failed, the same for all that failed alike, with gRPC's status."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        why = f"no answer within {duration(policy.retry.timeout_s or policy.deadline_s)}"
    elif is_too_large(error):
        return "invalid reply: larger than an answer can be"
    elif is_busy(error):
        why = "the node had as many open calls as it accepts"
    elif code is grpc.StatusCode.UNAVAILABLE and not details.startswith("the node"):
        # What gRPC says itself differs from one time to the next.
        why = "no connection to the node"
    else:
        # What a node says: why, and then what to do.
        why = foreign(details.partition(";")[0]) or "the call failed"
    return f"{why} ({code.name})"


async def _hedged(
    peer: Peer, request: ModelInferRequest, width: int, after_s: float, until_s: float
) -> Reply:
    """Return the first of two valid replies.

    Raises:
        AioRpcError: both failed; it is the first one's.
        InvalidReplyError: the same.
    """
    first = asyncio.ensure_future(peer.infer(request, width, until_s))
    try:
        await asyncio.wait((first,), timeout=after_s)
        if first.done() or peer.clock() >= until_s:
            return await first
        second = asyncio.ensure_future(peer.infer_hedge(request, width, until_s))
        pending = {first, second}
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                good = [one.result() for one in done if one.exception() is None]
                for late in good[1:]:
                    peer.wasted.add(late.sent_bytes, late.received_bytes)
                if good:
                    return good[0]
            return await first
        finally:
            second.cancel()
    finally:
        first.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResult:
    """Result of one request.

    Attributes:
        parts: result of each part, in the order of the artifact.
        fusion: result of the fusion; None where too few parts answered.
        logits: (samples, classes); None where there is no answer.
    """

    parts: tuple[Reply | Failure, ...]
    fusion: Reply | Failure | None
    logits: NDArray[np.float32] | None

    @property
    def parts_answered(self) -> tuple[bool, ...]:
        """Return which parts answered."""
        return tuple(isinstance(one, Reply) for one in self.parts)

    @property
    def dropped(self) -> bool:
        """Return whether there is no answer, as a queue dropped what failed last."""
        failed = [one for one in (*self.parts, self.fusion) if isinstance(one, Failure)]
        return self.logits is None and max(failed, key=lambda one: one.given_up_s).dropped

    @property
    def reason(self) -> str | None:
        """Return why there is no answer; None where there is one."""
        if isinstance(self.fusion, Failure):
            return self.fusion.reason
        if self.fusion is None:
            return "; ".join(sorted({one.reason for one in self.parts if isinstance(one, Failure)}))
        return None


@dataclass(frozen=True, eq=False, slots=True)
class Coordinator:
    """Answers requests with the nodes of a run.

    Attributes:
        work: models of every request, and their nodes.
        peers: nodes by name.
        policy: policy of the run.
        generator: random generator of the pauses between attempts.
    """

    work: Work
    peers: Mapping[str, Peer]
    policy: Policy
    generator: random.Random

    async def answer(
        self, number: int, image: Input, arrival_s: float = 0.0, source: int = 0
    ) -> RequestResult:
        """Return the answer to a request.

        Args:
            number: its number.
            image: its input, raw or encoded images.
            arrival_s: when it arrived, on the clock of the peers.
            source: number of its stream.
        """
        work = self.work
        due_s = None if work.deadline_s is None else arrival_s + work.deadline_s
        stream = work.sources[source] if work.sources else ""
        samples = image.shape[0]
        parts = await asyncio.gather(
            *(self._ask(one, (image,), FEATURES, number, stream, due_s) for one in work.parts)
        )
        features = [
            Input(f"{FEATURES}-{part}", (samples, piece.width), one.output)
            for part, (piece, one) in enumerate(zip(work.parts, parts, strict=True))
            if isinstance(one, Reply)
        ]
        fusion = logits = None
        whole = len(features) == len(parts)
        if features and (whole or self.policy.degrade):
            fusion = await self._ask(work.fusion, features, LOGITS, number, stream, due_s)
            if isinstance(fusion, Reply):
                logits = np.frombuffer(fusion.output, dtype="<f4").reshape(samples, -1)
        return RequestResult(parts=tuple(parts), fusion=fusion, logits=logits)

    async def _ask(
        self,
        piece: Piece,
        inputs: Sequence[Input],
        output: str,
        number: int,
        stream: str,
        due_s: float | None,
    ) -> Reply | Failure:
        request = infer_request(piece, inputs, output, number, stream)
        peer = self.peers[piece.node]
        return await ask(peer, request, piece.width, self.policy, self.generator, due_s)
