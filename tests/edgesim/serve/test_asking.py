"""Tries, pauses, deadlines and second questions, with a node made of words; and when to send."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import grpc
import numpy as np
import pytest

from edgesim.serve.coordinator.asking import Failure, ask
from edgesim.serve.coordinator.peer import (
    MOST_OUTAGES,
    MOST_REASONS,
    SILENT,
    Outage,
    Reasons,
    WastedBytes,
    outage_sentences,
)
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import pace
from edgesim.serve.coordinator.replies import InvalidReplyError, Reply
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Closed, Paced, Periodic, Poisson
from edgesim.simulate.recovery import Retry
from edgesim.simulate.traffic import arrival_times

Code = grpc.StatusCode
QUICK = Retry(backoff_s=0.001)
QUESTION = wire.ModelInferRequest(model_name="part-0")


WIDTH = 1


def answer(sent_s: float) -> Reply:
    return Reply(
        asked_s=sent_s, sent_s=sent_s, received_s=time.monotonic(), queue_s=2e-3, compute_s=3e-3,
        processor_s=1.5e-3, batch=4, waiting=5, sent_bytes=6, received_bytes=7, output=b"1234",
    )  # fmt: skip


class Scripted:
    """Fails with each of some statuses, then answers.

    ``None`` is silence, a text an invalid reply.
    """

    def __init__(self, *codes: grpc.StatusCode | str | None, details: str = "") -> None:
        self.node = "pi"
        self.clock = time.monotonic
        self.wasted = WastedBytes()
        self.details = details
        self.up = True
        self.why = ""
        self.codes = list(codes)
        self.timeouts: list[float] = []
        self.beside = 0
        self.cancelled = 0
        self.reasons = Reasons()

    async def infer(self, request: wire.ModelInferRequest, width: int, until_s: float) -> Reply:
        assert width == WIDTH
        sent_s = self.clock()
        timeout_s = until_s - sent_s
        self.timeouts.append(timeout_s)
        if self.codes:
            code = self.codes.pop(0)
            if isinstance(code, str):
                raise InvalidReplyError(code)
            if code is None:
                try:
                    await asyncio.sleep(timeout_s)
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
                code = Code.DEADLINE_EXCEEDED
            empty = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(code, empty, empty, self.details)
        return answer(sent_s)

    async def infer_hedge(
        self, request: wire.ModelInferRequest, width: int, until_s: float
    ) -> Reply:
        self.beside += 1
        return answer(self.clock())


def asked(peer: Scripted, retry: Retry = QUICK, **settings: float) -> Reply | Failure:
    policy = Policy(retry=retry, **settings)
    return asyncio.run(ask(peer, QUESTION, WIDTH, policy, random.Random(7)))


def test_the_first_attempt_is_when_it_was_asked() -> None:
    peer = Scripted(Code.UNAVAILABLE)
    found = asked(peer)
    assert isinstance(found, Reply)
    # Half of the pause between both is sure: 0.5 ms.
    assert found.asked_s + 0.5e-3 <= found.sent_s <= found.received_s


def test_an_invalid_reply_is_a_failure_with_a_reason_and_not_asked_for_again() -> None:
    peer = Scripted("shape: expected [1, 36], got [1, 35]")
    assert asked(peer).reason == (
        "part-0 on pi: invalid reply: shape: expected [1, 36], got [1, 35]"
    )
    assert len(peer.timeouts) == 1


def test_a_node_that_invents_reasons_has_few() -> None:
    peer = Scripted(*(f"value {number}" for number in range(MOST_REASONS + 5)))
    reasons = [asked(peer).reason for _ in range(MOST_REASONS + 5)]
    assert len(set(reasons)) == MOST_REASONS + 1
    other = "part-0 on pi: another reason than the first 20 of this node"
    assert reasons[MOST_REASONS:] == [other] * 5


def test_of_two_replies_the_valid_one_counts() -> None:
    class Late(Scripted):
        async def infer(self, request: wire.ModelInferRequest, width: int, until_s: float) -> Reply:
            await asyncio.sleep(0.05)
            raise InvalidReplyError("not a message of the protocol")

    peer = Late()
    assert isinstance(asked(peer, hedge_after_s=0.001, deadline_s=60.0), Reply)
    assert peer.beside == 1


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.ABORTED])
def test_what_may_pass_is_tried_again_within_the_same_deadline(code: grpc.StatusCode) -> None:
    peer = Scripted(code, code)
    found = asked(peer, deadline_s=5.0)
    assert isinstance(found, Reply)
    assert len(peer.timeouts) == 3
    assert 5.0 >= peer.timeouts[0] > peer.timeouts[1] > peer.timeouts[2]
    # Half of each pause is sure: 0.5 ms and 1 ms.
    assert found.sent_s - found.asked_s >= 1.5e-3


def test_tries_come_to_an_end() -> None:
    peer = Scripted(*[Code.UNAVAILABLE] * 9)
    assert asked(peer, Retry(attempts=4, backoff_s=0.001)).reason == (
        "part-0 on pi: no connection to the node (UNAVAILABLE)"
    )
    assert len(peer.timeouts) == 4


@pytest.mark.parametrize("code", [Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.INTERNAL])
def test_what_will_not_pass_is_not_tried_again(code: grpc.StatusCode) -> None:
    peer = Scripted(code)
    assert asked(peer).reason == f"part-0 on pi: the call failed ({code.name})"
    assert len(peer.timeouts) == 1


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        # The first two as nodes say them, the others as gRPC does.
        (
            Code.RESOURCE_EXHAUSTED,
            "the node's queue of 64 was full; ask again later, or another node",
            "the node's queue of 64 was full (RESOURCE_EXHAUSTED)",
        ),
        (
            Code.UNAVAILABLE,
            "the node is shutting down; ask another one",
            "the node is shutting down (UNAVAILABLE)",
        ),
        (
            Code.UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
            "connect to remote host: connect: Connection refused (111)",
            "no connection to the node (UNAVAILABLE)",
        ),
        (
            Code.UNAVAILABLE,
            "Received RST_STREAM with error code 7",
            "the node had as many open calls as it accepts (UNAVAILABLE)",
        ),
        (None, "", "no answer within 50.0 ms (DEADLINE_EXCEEDED)"),
    ],
)
def test_a_failure_is_a_sentence_beside_its_status(
    code: grpc.StatusCode | None, details: str, expected: str
) -> None:
    found = asked(Scripted(*[code] * 9, details=details), deadline_s=0.05)
    assert found.reason == f"part-0 on pi: {expected}"


def test_a_deadline_that_a_pause_would_pass_ends_it() -> None:
    peer = Scripted(*[Code.UNAVAILABLE] * 9)
    found = asked(peer, Retry(backoff_s=60.0, longest_s=60.0), deadline_s=20.0)
    assert found.given_up_s - found.asked_s < 20.0
    assert len(peer.timeouts) == 1


def test_a_node_that_is_out_is_not_asked() -> None:
    peer = Scripted()
    peer.up, peer.why = False, "does not answer"
    assert asked(peer).reason == ("part-0 on pi: the node is out of service: it does not answer")
    assert not peer.timeouts


def test_a_time_out_is_told_in_a_sentence() -> None:
    assert Outage("pi", 1.24, 4.0, "does not answer").sentence == (
        "'pi' was out of service from 1.2 s to 4.0 s: it does not answer"
    )
    assert "from 1.2 s to the end: it" in Outage("pi", 1.24, None, "does not answer").sentence


def test_pauses_grow_to_the_longest_and_half_of_them_is_chance() -> None:
    retry = Retry(backoff_s=0.02, longest_s=0.1)
    generator = random.Random(7)
    for tried, longest_s in ((1, 0.02), (2, 0.04), (3, 0.08), (4, 0.1), (9, 0.1)):
        drawn = [retry.pause_s(tried, generator.random()) for _ in range(200)]
        assert min(drawn) >= longest_s / 2
        assert max(drawn) <= longest_s
        # 200 even draws fill their range but for a twentieth of it, all but once in 10^4.
        assert max(drawn) - min(drawn) > 0.95 * longest_s / 2


def test_silence_is_asked_again_over_another_connection_and_then_withdrawn() -> None:
    peer = Scripted(None)
    found = asked(peer, hedge_after_s=0.001, deadline_s=60.0)
    assert isinstance(found, Reply)
    assert found.sent_s - found.asked_s >= 0.001
    assert (peer.beside, peer.cancelled) == (1, 1)


def test_an_answer_in_time_is_not_asked_for_twice() -> None:
    peer = Scripted()
    assert isinstance(asked(peer, hedge_after_s=30.0), Reply)
    assert peer.beside == 0


def run_paced(traffic: Traffic, serve: Callable[[int, float, int], Awaitable[None]]) -> None:
    asyncio.run(pace(traffic, serve, time.monotonic, seed=7, replication=0))


@pytest.mark.parametrize("process", [Poisson, Periodic])
def test_an_open_loop_tells_the_times_of_the_simulation_however_late_it_is(
    process: type[Paced],
) -> None:
    traffic = process(requests=50, rate_per_s=1e4)
    meant = []
    waiting = 0
    most_waiting = 0
    open_gate = asyncio.Event()

    async def serve(number: int, meant_s: float, source: int) -> None:
        nonlocal waiting, most_waiting
        if not meant:
            # The process is held up, and late for all others.
            time.sleep(0.01)
        meant.append((number, meant_s))
        waiting += 1
        most_waiting = max(most_waiting, waiting)
        if number == 49:
            open_gate.set()
        await open_gate.wait()

    run_paced(traffic, serve)
    times = arrival_times(traffic, 7, 0)
    assert times is not None
    assert meant == list(enumerate(times.tolist()))
    # No request waits for an answer to another.
    assert most_waiting == 50


def test_a_closed_loop_keeps_as_many_under_way_as_it_says() -> None:
    traffic = Closed(requests=20, concurrency=3)
    under_way = 0
    seen = []

    async def serve(number: int, meant_s: float, source: int) -> None:
        nonlocal under_way
        under_way += 1
        seen.append((number, under_way))
        await asyncio.sleep(0)
        under_way -= 1

    run_paced(traffic, serve)
    assert [number for number, _ in seen] == list(range(20))
    assert max(many for _, many in seen) == 3
    assert np.mean([many for _, many in seen[3:]]) == 3


def test_requests_of_several_sources_are_those_of_the_simulation() -> None:
    traffic = Periodic(requests=7, rate_per_s=1e3, sources=2)
    seen = []

    async def serve(number: int, meant_s: float, source: int) -> None:
        seen.append((number, meant_s, source))
        await asyncio.sleep(0)

    run_paced(traffic, serve)
    assert seen == [(number, number // 2 * 1e-3, number % 2) for number in range(7)]
    seen.clear()
    run_paced(Closed(requests=6, concurrency=1, sources=3), serve)
    assert {source for _, _, source in seen} == {0, 1, 2}


def test_a_node_that_goes_and_comes_is_told_of_a_few_times() -> None:
    outages = [Outage("a", float(second), second + 0.5, SILENT) for second in range(100)]
    outages.insert(50, Outage("b", 49.75, None, SILENT))
    told = outage_sentences(outages)
    assert told[0] == "'a' was out of service from 0.0 s to 0.5 s: it does not answer"
    assert told[MOST_OUTAGES:] == [
        "'b' was out of service from 49.8 s to the end: it does not answer",
        "'a' was out of service 95 more times, the last from 99.0 s to 99.5 s",
    ]
    assert outage_sentences(outages[:MOST_OUTAGES]) == [one.sentence for one in outages[:5]]


@pytest.mark.parametrize(
    ("details", "attempts"),
    [
        ("the node's queue of 64 was full; ask again later, or another node", 3),
        ("the node's queue dropped it for a newer request", 1),
    ],
)
def test_what_a_queue_drops_is_told_apart(details: str, attempts: int) -> None:
    # A full queue may have room later; what gave way to others would push those out.
    peer = Scripted(*[Code.RESOURCE_EXHAUSTED] * 3, details=details)
    found = asked(peer)
    assert isinstance(found, Failure)
    assert found.dropped
    assert len(peer.timeouts) == attempts


@pytest.mark.parametrize("last", [Code.UNAVAILABLE, Code.INTERNAL, "no message"])
def test_what_fails_last_otherwise_was_not_dropped(last: grpc.StatusCode | str) -> None:
    full = "the node's queue of 64 was full; ask again later, or another node"
    found = asked(Scripted(Code.RESOURCE_EXHAUSTED, Code.RESOURCE_EXHAUSTED, last, details=full))
    assert isinstance(found, Failure)
    assert not found.dropped
