"""Replies of nodes: what is an answer, and what is wrong with what is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgesim.serve.coordinator.replies import MOST_COUNTED, InvalidReplyError, Reply, read_reply
from edgesim.serve.coordinator.work import Input, Piece, infer_request
from edgesim.serve.protocol.open_inference_pb2 import ModelInferResponse
from edgesim.serve.services import MODEL_INFER

WIDTH, SAMPLES = 36, 2
PIECE = Piece("part-1", "pi", "0123456789ab", WIDTH)
IMAGE = Input("input", (SAMPLES, 1, 4, 4), bytes(4 * SAMPLES * 16))
REQUEST = infer_request(PIECE, (IMAGE,), "features", 17)
SENT_S, RECEIVED_S = 5.0, 5.2
VALUES = np.random.default_rng(7).standard_normal((SAMPLES, WIDTH)).astype("<f4")


def valid() -> ModelInferResponse:
    reply = ModelInferResponse(model_name="part-1", model_version="0123456789ab", id="17")
    for key, value in (("queue_ns", 50_000_000), ("compute_ns", 100_000_000),
                       ("processor_ns", 90_000_000), ("batch", 4), ("waiting", 0)):  # fmt: skip
        reply.parameters[key].int64_param = value
    reply.outputs.add(name="features", datatype="FP32", shape=(SAMPLES, WIDTH))
    reply.raw_output_contents.append(VALUES.tobytes())
    return reply


def read(reply: ModelInferResponse | None) -> Reply:
    return read_reply(reply, REQUEST, WIDTH, SENT_S, RECEIVED_S)


def test_a_valid_reply_has_its_times_sizes_and_values() -> None:
    found = read(valid())
    assert (found.queue_s, found.compute_s) == pytest.approx((0.05, 0.1), rel=1e-12)
    assert found.processor_s == pytest.approx(0.09, rel=1e-12)
    assert (found.batch, found.waiting) == (4, 0)
    assert (found.sent_s, found.received_s) == (SENT_S, RECEIVED_S)
    assert (found.sent_bytes, found.received_bytes) == (REQUEST.ByteSize(), valid().ByteSize())
    assert found.output == VALUES.tobytes()


def with_raw(values: np.ndarray) -> Callable[[ModelInferResponse], object]:
    def change(reply: ModelInferResponse) -> None:
        reply.raw_output_contents[0] = values.astype("<f4").tobytes()

    return change


def with_shape(*shape: int) -> Callable[[ModelInferResponse], object]:
    def change(reply: ModelInferResponse) -> None:
        reply.outputs[0].shape[:] = shape

    return change


def with_parameter(name: str, value: int) -> Callable[[ModelInferResponse], object]:
    return lambda reply: setattr(reply.parameters[name], "int64_param", value)


def without_parameter(name: str) -> Callable[[ModelInferResponse], object]:
    return lambda reply: reply.parameters.pop(name)


FLAWS: list[tuple[str, Callable[[ModelInferResponse], object]]] = [
    ("the id is another request's", lambda one: setattr(one, "id", "18")),
    ("model_name: expected 'part-1', got 'part-2'",
     lambda one: setattr(one, "model_name", "part-2")),
    (r"model_version: expected '0123456789ab', got '\\x1b\[2J'",
     lambda one: setattr(one, "model_version", "\x1b[2J")),
    (r"got 'x{38}\.\.\.$", lambda one: setattr(one, "model_version", "x" * 3000)),
    ("number of outputs: expected 1, got 0", lambda one: one.ClearField("outputs")),
    ("number of outputs: expected 1, got 2", lambda one: one.outputs.add()),
    ("name of the output: expected 'features', got 'logits'",
     lambda one: setattr(one.outputs[0], "name", "logits")),
    ("datatype: expected 'FP32', got 'FP64'",
     lambda one: setattr(one.outputs[0], "datatype", "FP64")),
    (r"shape: expected \[2, 36\], got \[2, 35\]", with_shape(2, 35)),
    (r"shape: expected \[2, 36\], got \[\]", with_shape()),
    (r"shape: expected \[2, 36\], got \[-1, 36\]", with_shape(-1, 36)),
    (r"shape: expected \[2, 36\], got \[36, 2\]", with_shape(36, 2)),
    ("number of raw contents: expected 1, got 0",
     lambda one: one.ClearField("raw_output_contents")),
    ("number of raw contents: expected 1, got 2", lambda one: one.raw_output_contents.append(b"")),
    ("bytes of the output: expected 288, got 284", with_raw(VALUES.ravel()[:-1])),
    ("bytes of the output: expected 288, got 292", with_raw(np.append(VALUES.ravel(), 0.0))),
    ("values are not finite", with_raw(np.full((SAMPLES, WIDTH), np.nan))),
    ("values are not finite", with_raw(np.append(VALUES.ravel()[1:], np.inf))),
    ("values are not finite", with_raw(np.append(-np.inf, VALUES.ravel()[1:]))),
    *((f"parameter {name} is missing, or no integer", without_parameter(name))
      for name in ("queue_ns", "compute_ns", "processor_ns", "batch", "waiting")),
    ("parameter batch is missing, or no integer",
     lambda one: setattr(one.parameters["batch"], "string_param", "4")),
    *((f"parameter {name} is out of range", with_parameter(name, value))
      for name in ("queue_ns", "compute_ns", "processor_ns")
      for value in (-1, -3_290_000_000_000, 202_000_000, 1 << 62)),
    ("parameter batch is out of range", with_parameter("batch", 0)),
    ("parameter batch is out of range", with_parameter("batch", MOST_COUNTED + 1)),
    ("parameter waiting is out of range", with_parameter("waiting", -1)),
    ("parameter waiting is out of range", with_parameter("waiting", MOST_COUNTED + 1)),
    ("queue_ns and compute_ns are longer than the call took",
     with_parameter("queue_ns", 110_000_000)),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "change"), FLAWS)
def test_a_reply_with_a_flaw_is_no_answer(
    reason: str, change: Callable[[ModelInferResponse], object]
) -> None:
    reply = valid()
    change(reply)
    with pytest.raises(InvalidReplyError, match=reason):
        read(reply)


def test_bytes_that_are_no_message_are_no_answer() -> None:
    with pytest.raises(InvalidReplyError, match="not a message of the protocol"):
        read(MODEL_INFER.read_reply(b"\xff\xff\xff"))


def test_what_the_difference_of_two_clocks_explains_is_cut_off() -> None:
    reply = valid()
    reply.parameters["compute_ns"].int64_param = 200_100_000
    reply.parameters["queue_ns"].int64_param = 0
    reply.parameters["processor_ns"].int64_param = 200_100_000
    found = read(reply)
    took_s = RECEIVED_S - SENT_S
    assert (found.queue_s, found.compute_s, found.processor_s) == (0.0, took_s, took_s)
