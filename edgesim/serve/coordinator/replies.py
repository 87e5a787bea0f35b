"""Replies of nodes, checked before anything is done with them: the only place that reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesim.serve.protocol.open_inference_pb2 import ModelInferRequest, ModelInferResponse

MOST_COUNTED = 1 << 20
"""Requests in an execution or in a queue; a node that reports more is wrong."""
_CLOCK_ERROR = 1e-3
"""Share by which the clocks of two machines may differ; NTP adjusts by half of it at most."""
_CLOCK_STEP_S = 1e-3


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
    _expect("model_name", reply.model_name, request.model_name)
    _expect("model_version", reply.model_version, request.model_version)
    output = _read_output(reply, request, width)
    seen_s = received_s - sent_s
    most_ns = round((seen_s * (1.0 + _CLOCK_ERROR) + _CLOCK_STEP_S) * 1e9)
    queue_ns, compute_ns, processor_ns = (
        _parameter(reply, name, 0, most_ns) for name in ("queue_ns", "compute_ns", "processor_ns")
    )
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
        batch=_parameter(reply, "batch", 1, MOST_COUNTED),
        waiting=_parameter(reply, "waiting", 0, MOST_COUNTED),
        sent_bytes=request.ByteSize(),
        received_bytes=reply.ByteSize(),
        output=output,
    )


def _read_output(reply: ModelInferResponse, request: ModelInferRequest, width: int) -> bytes:
    """Return the one output as raw bytes."""
    _expect("number of outputs", len(reply.outputs), 1)
    tensor, samples = reply.outputs[0], request.inputs[0].shape[0]
    _expect("name of the output", tensor.name, request.outputs[0].name)
    _expect("datatype", tensor.datatype, "FP32")
    _expect("shape", list(tensor.shape[:9]), [samples, width])
    # Every access to the message copies: one access to the bytes.
    raw = reply.raw_output_contents[:2]
    _expect("number of raw contents", len(raw), 1)
    _expect("bytes of the output", len(raw[0]), 4 * samples * width)
    if not np.isfinite(np.frombuffer(raw[0], dtype="<f4")).all():
        raise InvalidReplyError("values are not finite")
    return raw[0]


def _parameter(reply: ModelInferResponse, name: str, low: int, high: int) -> int:
    """Return an integer parameter in [low, high]."""
    parameter = reply.parameters.get(name)
    value = 0 if parameter is None else parameter.int64_param
    # Any other kind of parameter reads as 0 too: only then its kind matters.
    if not value and (parameter is None or not parameter.HasField("int64_param")):
        raise InvalidReplyError(f"parameter {name} is missing, or no integer")
    if not low <= value <= high:
        raise InvalidReplyError(f"parameter {name} is out of range")
    return value


def _expect(what: str, got: object, expected: object) -> None:
    if got != expected:
        # What a node sent is printed as ASCII, and cut.
        text = ascii(got)
        text = text if len(text) <= 40 else f"{text[:39]}..."
        raise InvalidReplyError(f"{what}: expected {expected!r}, got {text}")
