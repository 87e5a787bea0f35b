"""One request: its parts asked at once, with deadlines, attempts and hedges; then the fusion."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.serve.coordinator.peer import Peer, is_busy
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import Input, Work, infer_request
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.protocol.open_inference_pb2 import ModelInferRequest
from edgesim.serve.services import FEATURES, INPUT, LOGITS

_WORTH_ANOTHER_TRY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer of a node; times are on the run's clock.

    Attributes:
        asked_s: time of the first attempt.
        sent_s: time at which the answered attempt was sent.
        received_s: time at which the answer was received.
        queue_s: time in the node's queue, reported by the node.
        compute_s: time of the execution, reported by the node.
        processor_s: processor time of the computing thread in it.
        batch: number of requests in the execution.
        waiting: requests in the node's queue when this one had arrived, reported by the node.
        sent_bytes: size of the request message.
        received_bytes: size of the answer message.
        output: raw tensor.
    """

    asked_s: float
    sent_s: float
    received_s: float
    queue_s: float
    compute_s: float
    processor_s: float
    batch: int
    waiting: int
    sent_bytes: int
    received_bytes: int
    output: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A part or fusion without an answer.

    Attributes:
        asked_s: time of the first attempt.
        given_up_s: time of the last failure.
        reason: a sentence on why, which names the part, its node and gRPC's status.
    """

    asked_s: float
    given_up_s: float
    reason: str


async def ask(
    peer: Peer,
    request: wire.ModelInferRequest,
    policy: Policy,
    generator: random.Random,
    clock: Callable[[], float],
) -> Reply | Failure:
    """Ask until there is an answer, the deadline passes, or another attempt is useless.

    Args:
        peer: the node.
        request: the message.
        policy: deadline and attempts.
        generator: random generator of the pauses between attempts.
        clock: returns seconds.
    """
    asked_s = clock()
    until_s = asked_s + policy.deadline_s
    reason = ""
    for tried in range(1, policy.retry.attempts + 1):
        if not peer.up:
            reason = f"the node is out of service: it {peer.why}"
            break
        try:
            end_s = until_s
            if policy.retry.timeout_s is not None:
                end_s = min(until_s, clock() + policy.retry.timeout_s)
            return await _attempt(peer, request, policy, asked_s, end_s, clock)
        except grpc.aio.AioRpcError as error:
            reason = _sentence(error, policy)
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and clock() < until_s
            if tried == policy.retry.attempts or not (late or error.code() in _WORTH_ANOTHER_TRY):
                break
        pause_s = policy.retry.pause_s(tried, generator.random())
        if clock() + pause_s >= until_s:
            break
        await asyncio.sleep(pause_s)
    return Failure(asked_s, clock(), f"{request.model_name} on {peer.node}: {reason}")


def _sentence(error: grpc.aio.AioRpcError, policy: Policy) -> str:
    """Return why an attempt failed, the same for all that failed alike, with gRPC's status."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        why = f"no answer within {duration(policy.retry.timeout_s or policy.deadline_s)}"
    elif is_busy(error):
        why = "the node had as many open calls as it accepts"
    elif code is grpc.StatusCode.UNAVAILABLE and not details.startswith("the node"):
        # What gRPC says itself differs from one time to the next.
        why = "no connection to the node"
    else:
        # What a node says: why, and then what to do.
        why = details.partition(";")[0] or "the call failed"
    return f"{why} ({code.name})"


async def _attempt(
    peer: Peer,
    request: wire.ModelInferRequest,
    policy: Policy,
    asked_s: float,
    until_s: float,
    clock: Callable[[], float],
) -> Reply:
    sent_s = clock()
    if policy.hedge_after_s is None:
        reply = await peer.infer(request, until_s - sent_s)
    else:
        reply, sent_s = await _hedged(peer, request, policy.hedge_after_s, until_s, clock)
    received_s = clock()
    times = reply.parameters
    return Reply(
        asked_s=asked_s,
        sent_s=sent_s,
        received_s=received_s,
        queue_s=times["queue_ns"].int64_param * 1e-9,
        compute_s=times["compute_ns"].int64_param * 1e-9,
        processor_s=times["processor_ns"].int64_param * 1e-9,
        batch=max(1, times["batch"].int64_param),
        waiting=times["waiting"].int64_param,
        sent_bytes=request.ByteSize(),
        received_bytes=reply.ByteSize(),
        output=reply.raw_output_contents[0],
    )


async def _hedged(
    peer: Peer,
    request: wire.ModelInferRequest,
    after_s: float,
    until_s: float,
    clock: Callable[[], float],
) -> tuple[wire.ModelInferResponse, float]:
    """Return the first of two answers, and the time at which its request was sent.

    Raises:
        AioRpcError: both failed; it is the first one's.
    """
    sent_s = clock()
    first = asyncio.ensure_future(peer.infer(request, until_s - sent_s))
    try:
        await asyncio.wait((first,), timeout=after_s)
        left_s = until_s - clock()
        if first.done() or left_s <= 0.0:
            return await first, sent_s
        second = asyncio.ensure_future(peer.infer_hedge(request, left_s))
        begun_s = {first: sent_s, second: clock()}
        pending = set(begun_s)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                good = [one for one in done if one.exception() is None]
                if good:
                    for other in good[1:]:
                        peer.wasted.add_late(request, other.result())
                    return good[0].result(), begun_s[good[0]]
            return await first, sent_s
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
        clock: returns seconds.
    """

    work: Work
    peers: Mapping[str, Peer]
    policy: Policy
    generator: random.Random
    clock: Callable[[], float]

    async def answer(self, number: int, pixels: NDArray[np.float32]) -> RequestResult:
        """Return the answer to images (samples, channels, height, width)."""
        work = self.work
        samples = len(pixels)
        image = Input(INPUT, pixels.shape, pixels.tobytes())
        parts = await asyncio.gather(
            *(
                self._ask(piece.node, infer_request(piece, (image,), FEATURES, number))
                for piece in work.parts
            )
        )
        features = [
            Input(f"{FEATURES}-{part}", (samples, len(one.output) // (4 * samples)), one.output)
            for part, one in enumerate(parts)
            if isinstance(one, Reply)
        ]
        fusion = logits = None
        whole = len(features) == len(parts)
        if features and (whole or self.policy.degrade):
            asked = infer_request(work.fusion, features, LOGITS, number)
            fusion = await self._ask(work.fusion.node, asked)
            if isinstance(fusion, Reply):
                logits = np.frombuffer(fusion.output, dtype="<f4").reshape(samples, work.classes)
        return RequestResult(parts=tuple(parts), fusion=fusion, logits=logits)

    async def _ask(self, node: str, request: ModelInferRequest) -> Reply | Failure:
        return await ask(self.peers[node], request, self.policy, self.generator, self.clock)
