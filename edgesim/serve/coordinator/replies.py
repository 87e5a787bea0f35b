"""Replies of nodes, checked before anything is done with them: the only place that reads them."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgesim.serve.protocol.open_inference_pb2 import (
    InferParameter,
    ModelInferRequest,
    ModelInferResponse,
)

MOST_COUNTED = 1 << 20
"""Requests in an execution or in a queue; a node that reports more is wrong."""
_CLOCK_ERROR = 1e-3
"""Share by which the clocks of two machines may differ; NTP adjusts by half of it at most."""
_CLOCK_STEP_S = 1e-3
_OF_THE_REPLY = ("model_name", "model_version", "number of outputs", "number of raw contents")
_OF_THE_OUTPUT = ("name of the output", "datatype", "shape", "bytes of the output")


class InvalidReplyError(Exception):
    """A reply that does not answer its request; the text, alike for alike replies, says why."""


@dataclass(slots=True, kw_only=True)
class Reply:
    """Valid reply of a node; times are on the run's clock.

    Attributes:
        asked_s: time of the first attempt.
        sent_s: time at which the answered attempt was sent.
        received_s: time at which the reply was received.
        queue_s: time in the node's queue, reported by the node.
        compute_s: time of the execution, reported by the node.
        processor_s: processor time of the computing thread in it.
        batch: number of requests in the execution.
        waiting: requests in the node's queue when this one had arrived, reported by the node.
        sent_bytes: size of the request message.
        received_bytes: size of the reply message.
        output: raw tensor (samples, width) of finite values, FP32.
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


def read_reply(
    reply: ModelInferResponse | None,
    request: ModelInferRequest,
    width: int,
    sent_s: float,
    received_s: float,
) -> Reply:
    """Return a reply after checking that it answers its request.

    The durations that a node reports cannot exceed the time between ``sent_s`` and ``received_s``.
    An excess that the difference of two clocks explains is cut off.

    Args:
        reply: the message; None where the bytes were no message.
        request: the request, for one output.
        width: expected values of the output for each sample.
        sent_s: time at which the request was sent.
        received_s: time at which the reply was received.

    Raises:
        InvalidReplyError: it is of another model, version or request; its output has another name,
            type, shape or size, or values that are not finite; or a parameter is out of range.
    """
    if reply is None:
        raise InvalidReplyError("not a message of the protocol")
    if reply.id != request.id:
        raise InvalidReplyError("the id is another request's")
    output = _read_output(reply, request, width)
    seen_s = received_s - sent_s
    most_ns = round((seen_s * (1.0 + _CLOCK_ERROR) + _CLOCK_STEP_S) * 1e9)
    found = reply.parameters
    queue_ns = _parameter(found, "queue_ns", 0, most_ns)
    compute_ns = _parameter(found, "compute_ns", 0, most_ns)
    processor_ns = _parameter(found, "processor_ns", 0, most_ns)
    if queue_ns + compute_ns > most_ns:
        raise InvalidReplyError("queue_ns and compute_ns are longer than the call took")
    compute_s = min(compute_ns * 1e-9, seen_s)
    return Reply(
        asked_s=sent_s,
        sent_s=sent_s,
        received_s=received_s,
        queue_s=min(queue_ns * 1e-9, seen_s - compute_s),
        compute_s=compute_s,
        processor_s=min(processor_ns * 1e-9, compute_s),
        batch=_parameter(found, "batch", 1, MOST_COUNTED),
        waiting=_parameter(found, "waiting", 0, MOST_COUNTED),
        sent_bytes=request.ByteSize(),
        received_bytes=reply.ByteSize(),
        output=output,
    )


def _read_output(reply: ModelInferResponse, request: ModelInferRequest, width: int) -> bytes:
    """Return the one output as raw bytes."""
    # Every access to a message makes an object anew: one access to each field.
    outputs, contents = reply.outputs, reply.raw_output_contents
    counted = (reply.model_name, reply.model_version, len(outputs), len(contents))
    expected = (request.model_name, request.model_version, 1, 1)
    if counted != expected:
        raise _difference(_OF_THE_REPLY, counted, expected)
    tensor, raw = outputs[0], contents[0]
    samples = request.inputs[0].shape[0]
    values = samples * width
    told = (tensor.name, tensor.datatype, list(tensor.shape[:9]), len(raw))
    asked = (request.outputs[0].name, "FP32", [samples, width], 4 * values)
    if told != asked:
        raise _difference(_OF_THE_OUTPUT, told, asked)
    # A sum in 64 bits is finite where all values of 32 bits are.
    if not math.isfinite(sum(struct.unpack(f"<{values}f", raw))):
        raise InvalidReplyError("values are not finite")
    return raw


def _parameter(parameters: Mapping[str, InferParameter], name: str, low: int, high: int) -> int:
    """Return an integer parameter in [low, high]."""
    parameter = parameters.get(name)
    value = 0 if parameter is None else parameter.int64_param
    # Any other kind of parameter reads as 0 too: only then its kind matters.
    if not value and (parameter is None or not parameter.HasField("int64_param")):
        raise InvalidReplyError(f"parameter {name} is missing, or no integer")
    if not low <= value <= high:
        raise InvalidReplyError(f"parameter {name} is out of range")
    return value


def _difference(
    names: Sequence[str], got: Sequence[object], expected: Sequence[object]
) -> InvalidReplyError:
    """Return the error that tells of the first values that differ."""
    what, one, other = next(
        each for each in zip(names, got, expected, strict=True) if each[1] != each[2]
    )
    # What a node sent is printed as ASCII, and cut.
    text = ascii(one)
    text = text if len(text) <= 40 else f"{text[:39]}..."
    return InvalidReplyError(f"{what}: expected {other!r}, got {text}")
