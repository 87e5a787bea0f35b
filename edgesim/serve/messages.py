"""Messages of inference, checked when they are read, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from edgesim.serve import tensors
from edgesim.serve.encoded import Encoded
from edgesim.serve.jobs import Answer
from edgesim.serve.models import Model
from edgesim.serve.options import MAX_SAMPLES
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.refusal import invalid
from edgesim.serve.services import DUE, PRIORITY, SOURCE, version_of
from edgesim.serve.tensors import DATATYPE, TensorSpec

_UNSUPPORTED = ("shared_memory_region", "classification")
"""Parameters of extensions of the protocol that change what a message means."""


_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """Content of a request.

    Attributes:
        id: text by which the client knows it.
        inputs: tensors (samples, …) by name, or encoded images.
        outputs: names, in the order of the answer.
        samples: number of samples of every input.
        raw_bytes: bytes of all inputs.
        due_in_s: time until the deadline of the request, by which a queue may order; None without.
        priority: order of service where the queue has it.
        source: stream that it belongs to.
    """

    id: str
    inputs: Mapping[str, Tensor | Encoded]
    outputs: tuple[str, ...]
    samples: int
    raw_bytes: int
    due_in_s: float | None = None
    priority: int = 0
    source: str = ""


def read(request: wire.ModelInferRequest, model: Model) -> InferenceRequest:
    """Return the content of a request to a model.

    Raises:
        RefusalError: it does not fit the model, or contradicts itself.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise invalid(f"{len(request.inputs)} inputs come with {len(raw)} raw contents")
    specs = {spec.name: spec for spec in model.inputs}
    inputs: dict[str, Tensor | Encoded] = {}
    counts = set()
    raw_bytes = 0
    for number, given in enumerate(request.inputs):
        spec = specs.get(given.name)
        if spec is None:
            known = ", ".join(specs)
            raise invalid(f"model '{model.name}' takes {known}, not {given.name[:100]!r}")
        if spec.name in inputs:
            raise invalid(f"input '{spec.name}' is given twice")
        _check_parameters(given.parameters)
        if raw and given.HasField("contents"):
            raise invalid(f"input '{spec.name}' comes as raw bytes and as a list")
        # Every access to the message copies: one access for each input.
        data = raw[number] if raw else None
        raw_bytes += 0 if data is None else len(data)
        if tensors.is_encoded(spec, given.datatype):
            listed = given.contents.bytes_contents
            images = tensors.from_encoded(
                spec, given.shape, listed if data is None else data, MAX_SAMPLES
            )
            inputs[spec.name] = images
            counts.add(len(images.images))
            continue
        samples = tensors.check(spec, given.datatype, given.shape, MAX_SAMPLES)
        counts.add(samples)
        if data is None:
            inputs[spec.name] = _from_contents(spec, samples, given.contents)
        else:
            inputs[spec.name] = tensors.from_raw(spec, samples, data)
    missing = [spec.name for spec in model.inputs if spec.name not in inputs and not spec.optional]
    if missing or not inputs:
        expected = ", ".join(missing or specs)
        raise invalid(f"model '{model.name}' takes {expected}, and the request lacks it")
    if len(counts) > 1:
        raise invalid(f"inputs have different numbers of samples: {sorted(counts)}")
    return InferenceRequest(
        id=request.id,
        inputs=inputs,
        outputs=_outputs(request, model),
        samples=counts.pop(),
        raw_bytes=raw_bytes,
        **_queueing(request),
    )


def _queueing(request: wire.ModelInferRequest) -> dict[str, Any]:
    """Return what the parameters of a request say to the queue.

    Raises:
        RefusalError: a parameter is of another type, or too long.
    """
    found: dict[str, Any] = {}
    for name, kind in ((DUE, "int64_param"), (PRIORITY, "int64_param"), (SOURCE, "string_param")):
        if name in request.parameters:
            value = request.parameters[name]
            if value.WhichOneof("parameter_choice") != kind:
                raise invalid(f"parameter '{name}' must be {kind}")
            found[name] = getattr(value, kind)
    source = found.get(SOURCE, "")
    if len(source) > _LONGEST_NAME:
        raise invalid(f"parameter '{SOURCE}' has at most {_LONGEST_NAME} characters")
    due_ns = found.get(DUE)
    return {
        "due_in_s": None if due_ns is None else due_ns / 1e9,
        "priority": found.get(PRIORITY, 0),
        "source": source,
    }


def answer(number: str, model: Model, found: Answer, waiting: int) -> wire.ModelInferResponse:
    """Return the message that answers the request with the id ``number``.

    Its parameters: time in the queue (``queue_ns``), time of the execution (``compute_ns``),
    processor time of the computing thread in it (``processor_ns``), number of requests in the
    execution (``batch``), and number of waiting requests when this one arrived, itself included
    (``waiting``).
    """
    reply = wire.ModelInferResponse(
        model_name=model.name, model_version=version_of(model.sha256), id=number
    )
    for key, value in (
        ("queue_ns", round(found.queue_s * 1e9)),
        ("compute_ns", round(found.compute_s * 1e9)),
        ("processor_ns", round(found.processor_s * 1e9)),
        ("batch", found.batch),
        ("waiting", waiting),
    ):
        reply.parameters[key].int64_param = value
    for name, tensor in found.outputs.items():
        reply.outputs.add(name=name, datatype=DATATYPE, shape=tensor.shape)
        reply.raw_output_contents.append(tensors.to_raw(tensor))
    return reply


def metadata(model: Model) -> wire.ModelMetadataResponse:
    """Return a model's inputs and outputs, as a message."""
    described = [
        [
            wire.ModelMetadataResponse.TensorMetadata(
                name=spec.name, datatype=DATATYPE, shape=(-1, *spec.shape)
            )
            for spec in specs
        ]
        for specs in (model.inputs, model.outputs)
    ]
    return wire.ModelMetadataResponse(
        name=model.name,
        versions=[version_of(model.sha256)],
        platform="pytorch",
        inputs=described[0],
        outputs=described[1],
    )


def _outputs(request: wire.ModelInferRequest, model: Model) -> tuple[str, ...]:
    known = [spec.name for spec in model.outputs]
    chosen = [wanted.name for wanted in request.outputs]
    for wanted in request.outputs:
        if wanted.name not in known:
            names = ", ".join(known)
            raise invalid(f"model '{model.name}' gives {names}, not {wanted.name[:100]!r}")
        _check_parameters(wanted.parameters)
    if len(set(chosen)) < len(chosen):
        raise invalid("an output is asked for twice")
    return tuple(name for name in known if name in chosen or not chosen)


def _from_contents(spec: TensorSpec, samples: int, contents: wire.InferTensorContents) -> Tensor:
    for field, _ in contents.ListFields():
        if field.name != "fp32_contents":
            raise invalid(f"input '{spec.name}' has {field.name}; FP32 goes to fp32_contents")
    return tensors.from_list(spec, samples, contents.fp32_contents)


def _check_parameters(parameters: Mapping[str, wire.InferParameter]) -> None:
    for name in _UNSUPPORTED:
        if name in parameters:
            raise invalid(f"parameter '{name}' is of an extension that this node does not have")
