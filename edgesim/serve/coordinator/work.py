"""Which models of an artifact are on which real node, and the messages that ask for them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim import api
from edgesim.artifact import PRECISION, Artifact
from edgesim.common.errors import InputError, nearest
from edgesim.graph import BYTES_PER_ELEMENT
from edgesim.hardware import Queue
from edgesim.placement import Plan
from edgesim.placement.payload import Payload
from edgesim.scenario.scenario import Scenario
from edgesim.serve import encoded
from edgesim.serve.options import admin_address
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.queues import real_queue
from edgesim.serve.services import DUE, FEATURES, INPUT, LOGITS, SOURCE, version_of
from partition.schema import FusionEntry, PartEntry

if TYPE_CHECKING:
    from partition import TrainedManifest


@dataclass(frozen=True, slots=True)
class Piece:
    """One model on its node.

    Attributes:
        name: name of the model and of its task.
        node: name in the scenario.
        version: version that the node must have, so that no other artifact answers.
        width: values of its output for each sample: features of a part, classes of the fusion.
    """

    name: str
    node: str
    version: str
    width: int

    @classmethod
    def of(cls, name: str, node: str, entry: PartEntry | FusionEntry, sha256: str) -> Piece:
        """Return the model of a manifest's entry, with the SHA-256 of its file."""
        width = entry.widths[-1] if isinstance(entry, FusionEntry) else entry.feature_bytes // 4
        return cls(name, node, version_of(sha256), width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The models of every request, and their nodes.

    Attributes:
        parts: the parts, in the order of the artifact.
        fusion: the fusion of their features.
        addresses: HOST:PORT of every node that has one of these.
        home: node of the network that the coordinator stands for.
        shape: (channels, height, width) of an image.
        manifest: manifest of the artifact; None where nothing was trained.
        payload: image that is sent in place of the raw tensor; None where that is sent.
        deadline_s: time in which a request should be answered, which queues may order by.
        sources: names of the streams of requests, where there are several.
    """

    parts: tuple[Piece, ...]
    fusion: Piece
    addresses: Mapping[str, str]
    home: str
    shape: tuple[int, int, int]
    manifest: TrainedManifest | None
    payload: Payload | None = None
    deadline_s: float | None = None
    sources: tuple[str, ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Return parts and fusion."""
        return (*self.parts, self.fusion)


def find_work(scenario: Scenario, plan: Plan) -> Work:
    """Return the models of a scenario's requests, and their real nodes.

    Raises:
        InputError: its model is no artifact, its plan is not of the artifact's parts, it asks for
            another precision than theirs, or a node that takes part has no address.
    """
    artifact = scenario.placement.model.artifact
    if artifact is None:
        raise InputError(
            "real nodes serve trained parts, and the model is no artifact; "
            "make one with `edgesim partition`, and name it: model: {artifact: DIR}"
        )
    _check_split(plan, artifact)
    if plan.precision != PRECISION:
        raise InputError(
            f"model.precision: nodes compute in {PRECISION}, and the scenario says "
            f"{plan.precision}; leave it out for a real run"
        )
    manifest = artifact.manifest
    assert manifest is not None, "it was loaded from a folder"
    pieces = {}
    for task in plan.branches[0].tasks:
        entry = manifest.fusion if task.part is None else manifest.parts[task.part]
        pieces[task.name] = Piece.of(task.name, task.node, entry, manifest.files[entry.file])
    names = list(dict.fromkeys(piece.node for piece in pieces.values()))
    nodes = scenario.cluster.nodes
    lacking = [name for name in names if nodes[name].address is None]
    if lacking:
        without = ", ".join(f"'{name}'" for name in lacking)
        raise InputError(
            f"no address of {without}; in a real run every node that holds a part or the fusion "
            "needs one, such as 'address: 127.0.0.1:50051'"
        )
    fusion = pieces.pop("fusion")
    shape = manifest.parts[0].config
    return Work(
        parts=tuple(pieces.values()),
        fusion=fusion,
        addresses={name: str(nodes[name].address) for name in names},
        home=plan.input_node or fusion.node,
        shape=(shape.channels, *shape.size),
        manifest=manifest,
        payload=scenario.traffic.payload,
        deadline_s=scenario.traffic.deadline_s,
        sources=plan.inputs if len(plan.inputs) > 1 else (),
    )


@dataclass(frozen=True, slots=True)
class Input:
    """One named input: its shape, its raw bytes, and the type of its elements."""

    name: str
    shape: tuple[int, ...]
    raw: bytes
    datatype: str = "FP32"

    @classmethod
    def of_images(cls, samples: int, raw: bytes) -> Input:
        """Return packed encoded images as the input of a part."""
        return cls(INPUT, (samples,), raw, encoded.DATATYPE)


def infer_request(
    piece: Piece, inputs: Sequence[Input], output: str, number: int, source: str = ""
) -> wire.ModelInferRequest:
    """Return the message that asks a piece for one output.

    Args:
        piece: the model.
        inputs: its inputs.
        output: name of the output.
        number: number of the request.
        source: name of its stream, where there are several.
    """
    request = wire.ModelInferRequest(
        model_name=piece.name, model_version=piece.version, id=str(number)
    )
    for one in inputs:
        request.inputs.add(name=one.name, datatype=one.datatype, shape=one.shape)
        request.raw_input_contents.append(one.raw)
    request.outputs.add(name=output)
    if source:
        request.parameters[SOURCE].string_param = source
    return request


def set_due(request: wire.ModelInferRequest, left_s: float) -> None:
    """Write the time until the deadline of its request into a message."""
    request.parameters[DUE].int64_param = round(left_s * 1e9)


BYTES_PER_VALUE = int(BYTES_PER_ELEMENT[PRECISION])
"""Bytes of one value of a tensor."""
_TYPICAL_NS = 1_000_000
"""Typical time in an answer; its number of digits changes the size by a byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of messages, by the name of the part or the fusion that they are for.

    What gRPC, TLS and TCP add is not counted, nor is it in a real run.

    Attributes:
        asked: size of the request message.
        answered: size of the answer message.
    """

    asked: Mapping[str, int]
    answered: Mapping[str, int]


def message_sizes(work: Work, *, samples: int, requests: int) -> Sizes:
    """Return the sizes of the messages of one request.

    Args:
        work: models of every request, and their nodes.
        samples: samples of a request.
        requests: number of requests; the middle one stands for all, whose numbers differ in digits.
    """
    number = requests // 2
    if work.payload is None:
        image = _zeros(INPUT, samples, *work.shape)
    else:
        size = encoded.packed_bytes(samples, work.payload.bytes)
        image = Input.of_images(samples, bytes(size))
    features = [
        _zeros(f"{FEATURES}-{part}", samples, piece.width) for part, piece in enumerate(work.parts)
    ]
    asked = {
        piece.name: _asked_bytes(work, piece, (image,), FEATURES, number) for piece in work.parts
    }
    asked[work.fusion.name] = _asked_bytes(work, work.fusion, features, LOGITS, number)
    answered = {
        piece.name: _answer(piece, LOGITS if piece is work.fusion else FEATURES, samples, number)
        for piece in work.pieces
    }
    return Sizes(asked=asked, answered=answered)


def _asked_bytes(
    work: Work, piece: Piece, inputs: Sequence[Input], output: str, number: int
) -> int:
    source = work.sources[0] if work.sources else ""
    request = infer_request(piece, inputs, output, number, source)
    if work.deadline_s is not None:
        set_due(request, work.deadline_s)
    return request.ByteSize()


def _zeros(name: str, *shape: int) -> Input:
    return Input(name, shape, bytes(BYTES_PER_VALUE * math.prod(shape)))


def _answer(piece: Piece, output: str, samples: int, number: int) -> int:
    """Return the bytes of a node's answer."""
    reply = wire.ModelInferResponse(
        model_name=piece.name, model_version=piece.version, id=str(number)
    )
    for key in ("queue_ns", "compute_ns", "processor_ns"):
        reply.parameters[key].int64_param = _TYPICAL_NS
    for key in ("batch", "waiting"):
        reply.parameters[key].int64_param = 1
    reply.outputs.add(name=output, datatype="FP32", shape=(samples, piece.width))
    reply.raw_output_contents.append(bytes(BYTES_PER_VALUE * samples * piece.width))
    return reply.ByteSize()


def _check_split(plan: Plan, artifact: Artifact) -> None:
    """Check that a plan is of an artifact's parts.

    Raises:
        InputError: it is of the unsplit model.
    """
    if plan.details.get("artifact") != artifact.name:
        raise InputError(
            f"'{plan.strategy}' places the unsplit model, which is not deployed; "
            "use 'placement: {strategy: class-wise}'"
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One real node.

    Attributes:
        node: name in the scenario.
        address: HOST:PORT of inference.
        admin: HOST:PORT of its admin service.
        models: names of the models to serve.
        queue: queue that it shall have; None where the scenario says nothing of it.
    """

    node: str
    address: str
    admin: str
    models: tuple[str, ...]
    queue: Queue | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """The real nodes of a scenario, and those that are not.

    Attributes:
        scenario: its name.
        real: nodes with an address, in the order of the file.
        simulated: names of nodes that hold models and have no address.
    """

    scenario: str
    real: tuple[Target, ...]
    simulated: tuple[str, ...]


def find_targets(
    file: Path,
    artifact: Path,
    *,
    settings: Sequence[str] = (),
    admin: Mapping[str, str] | None = None,
) -> Targets:
    """Place an artifact on the nodes of a scenario.

    Args:
        file: the scenario.
        artifact: folder, in place of the one that the scenario names.
        settings: ``key.path=value`` that replace what the file says.
        admin: addresses of admin services that are not where `admin_address` says, by node.

    Raises:
        InputError: the scenario or the artifact is wrong, no node has an address, or the placement
            has tasks that are no models of an artifact.
    """
    # A quoted string, so that no character of a path means anything to YAML.
    chosen = f"model.artifact={json.dumps(str(artifact.resolve()))}"
    scenario = api.load(file, overrides=[*settings, chosen])
    plan = api.place(scenario)
    assert scenario.placement.model.artifact is not None, "it was just set"
    _check_split(plan, scenario.placement.model.artifact)
    held: dict[str, list[str]] = {}
    for task in (task for branch in plan.branches for task in branch.tasks):
        models = held.setdefault(task.node, [])
        if task.name not in models:
            models.append(task.name)
    nodes = scenario.cluster.nodes
    others = dict(admin or {})
    for name in others:
        if name not in nodes:
            raise InputError(f"--admin: no node '{name}'{nearest(name, list(nodes))}")
    real = tuple(
        Target(
            name,
            node.address,
            others.get(name) or admin_address(node.address),
            tuple(held[name]),
            None if node.queue == Queue() else real_queue(node.queue),
        )
        for name, node in nodes.items()
        if node.address is not None and name in held
    )
    if not real:
        raise InputError(
            f"{file}: no node that holds a part has an address; "
            "give nodes one, such as 'address: 127.0.0.1:50051'"
        )
    placed = {target.node for target in real}
    return Targets(scenario.name, real, tuple(name for name in held if name not in placed))
