"""How many bytes the messages of a real run have, before any is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgesim.graph import BYTES_PER_ELEMENT
from edgesim.placement import Plan
from edgesim.serve.coordinator.answering import FEATURES, INPUT, LOGITS
from edgesim.serve.coordinator.asking import Input, question
from edgesim.serve.coordinator.work import Piece, Work
from edgesim.serve.protocol import open_inference_pb2 as wire

_TYPICAL_NS = 1_000_000
"""Of the times that an answer tells; their digits take a byte more or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of messages, by the name of the part or the fusion that they are for.

    What gRPC, TLS and TCP add is not counted, nor is it in a real run.

    Attributes:
        asked: of questions.
        answered: of answers.
    """

    asked: Mapping[str, int]
    answered: Mapping[str, int]


def message_sizes(work: Work, plan: Plan, *, samples: int, requests: int) -> Sizes:
    """Return the sizes of the messages of one request.

    Args:
        work: of the run.
        plan: that tells the features of each part.
        samples: of a request.
        requests: of the run; the middle one stands for all, whose numbers have more digits or less.
    """
    width = int(BYTES_PER_ELEMENT[plan.precision])
    features = {
        one.source: round(one.bytes / width)
        for one in plan.branches[0].transfers
        if one.target == work.fusion.name
    }
    number = requests // 2
    asked, answered = {}, {}
    image = Input(INPUT, (samples, *work.shape), bytes(samples * _elements(work.shape) * width))
    for piece in work.parts:
        asked[piece.name] = question(piece, (image,), FEATURES, number).ByteSize()
        answered[piece.name] = _answer(piece, FEATURES, samples, features[piece.name], number)
    inputs = [
        Input(
            f"{FEATURES}-{part}",
            (samples, features[piece.name]),
            bytes(samples * features[piece.name] * width),
        )
        for part, piece in enumerate(work.parts)
    ]
    fusion = work.fusion
    asked[fusion.name] = question(fusion, inputs, LOGITS, number).ByteSize()
    answered[fusion.name] = _answer(fusion, LOGITS, samples, work.classes, number)
    return Sizes(asked=asked, answered=answered)


def _elements(shape: tuple[int, int, int]) -> int:
    channels, height, width = shape
    return channels * height * width


def _answer(piece: Piece, output: str, samples: int, elements: int, number: int) -> int:
    """Return the bytes of a node's answer."""
    reply = wire.ModelInferResponse(
        model_name=piece.name, model_version=piece.version, id=str(number)
    )
    for key in ("queue_ns", "compute_ns", "processor_ns"):
        reply.parameters[key].int64_param = _TYPICAL_NS
    for key in ("batch", "waiting"):
        reply.parameters[key].int64_param = 1
    reply.outputs.add(name=output, datatype="FP32", shape=(samples, elements))
    reply.raw_output_contents.append(bytes(4 * samples * elements))
    return reply.ByteSize()
