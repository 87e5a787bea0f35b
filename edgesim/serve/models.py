"""The models that a node serves: named tensors in, named tensors out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from grpc import StatusCode
from numpy.typing import NDArray
from torch import Tensor

from edgesim.artifact import PRECISION, part_graph
from edgesim.common.errors import InputError
from edgesim.graph import Graph
from edgesim.graph.mlp import mlp
from edgesim.hardware import Device
from edgesim.placement.payload import CHANNELS, Decoding
from edgesim.serve.encoded import Decoder, ImageDecoder
from edgesim.serve.manifest import Entry
from edgesim.serve.refusal import RefusalError
from edgesim.serve.services import FEATURES, INPUT, LOGITS, version_of
from edgesim.serve.tensors import TensorSpec
from partition.artifact import load_fusion, load_model
from partition.errors import PartitionError
from partition.fusion import Fusion
from partition.model import VisionTransformer
from partition.schema import PartEntry


class Model(Protocol):
    """Anything that a node can serve.

    Attributes:
        name: name that requests use.
        sha256: SHA-256 of its file.
        inputs: tensors that it takes.
        outputs: tensors that it returns.
    """

    name: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Return the named outputs, each (samples, …), of inputs with as many samples."""
        ...


class PartModel:
    """A sub-model: images to features for the fusion, and to logits of its own classes."""

    def __init__(
        self,
        name: str,
        sha256: str,
        part: VisionTransformer,
        decoder: Decoder | None = None,
    ) -> None:
        """Set up; ``decoder`` makes inputs of encoded images, None where they are not taken."""
        self.name = name
        self.sha256 = sha256
        self._part = part
        shape = part.config
        self.inputs: tuple[TensorSpec, ...] = (
            TensorSpec(INPUT, (shape.channels, *shape.size), decoder=decoder),
        )
        self.outputs: tuple[TensorSpec, ...] = (
            TensorSpec(FEATURES, (shape.feature_tokens * shape.width,)),
            TensorSpec(LOGITS, (shape.classes,)),
        )

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Return features (samples, width) and logits (samples, classes), as far as asked for."""
        part = self._part
        pooled = part.pool(part.encode(part.embed(inputs[INPUT])))
        found = {}
        if FEATURES in outputs:
            found[FEATURES] = pooled.flatten(1)
        if LOGITS in outputs:
            found[LOGITS] = part.classify(pooled)
        return found


class FusionModel:
    """The fusion: the features of the parts that are there to logits of all classes."""

    def __init__(self, name: str, sha256: str, fusion: Fusion) -> None:
        self.name = name
        self.sha256 = sha256
        self._fusion = fusion
        self.inputs = tuple(
            TensorSpec(f"{FEATURES}-{number}", (width,), optional=True)
            for number, width in enumerate(fusion.part_widths)
        )
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec(LOGITS, (fusion.widths[-1],)),)

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Return logits (samples, classes)."""
        names = {spec.name: number for number, spec in enumerate(self.inputs)}
        return {LOGITS: self._fusion.combine({names[name]: inputs[name] for name in inputs})}


def load(entry: Entry, path: Path) -> Model:
    """Return a model of a signed manifest.

    Args:
        entry: its entry in the manifest.
        path: its file, whose hash was verified.

    Raises:
        RefusalError: the file does not hold what the manifest describes.
    """
    try:
        if isinstance(entry.model, PartEntry):
            part = load_model(path, entry.model)
            return PartModel(entry.name, entry.sha256, part, _decoder(entry, part))
        return FusionModel(entry.name, entry.sha256, load_fusion(path, entry.model))
    except PartitionError as error:
        raise RefusalError(
            StatusCode.FAILED_PRECONDITION,
            f"cannot load {entry.name}: {error}; make the artifact again",
        ) from error


def _decoder(entry: Entry, part: VisionTransformer) -> Decoder | None:
    """Return what makes inputs of a part of encoded images; None where they cannot be images."""
    shape = part.config
    if not entry.mean or shape.channels not in CHANNELS:
        return None
    return ImageDecoder(shape=(shape.channels, *shape.size), mean=entry.mean, std=entry.std)


def blank(model: Model, samples: int = 1) -> dict[str, Tensor]:
    """Return inputs of zeros, to warm a model up with."""
    return {spec.name: torch.zeros(samples, *spec.shape) for spec in model.inputs}


class Serving:
    """The models that a node serves now, replaced all at once.

    Attributes:
        models: models by name.
        manifest: SHA-256 of their manifest; empty without models.
        starting: whether the node has yet to load what it served before it ended.
        draining: whether the node accepts no more requests.
    """

    def __init__(self) -> None:
        self.models: Mapping[str, Model] = {}
        self.manifest = ""
        self.starting = True
        self.draining = False

    @property
    def ready(self) -> bool:
        """Whether requests are accepted."""
        return bool(self.models) and not self.draining

    def replace(self, models: Mapping[str, Model], manifest: str) -> None:
        """Serve other models from now on; running executions continue."""
        self.models = dict(models)
        self.manifest = manifest

    def find(self, name: str, wanted: str = "") -> Model:
        """Return a model.

        Args:
            name: name of the model.
            wanted: its version; empty for any.

        Raises:
            RefusalError: it is not served, or in another version, or not loaded yet.
        """
        model = self.models.get(name)
        if model is None and self.starting:
            raise RefusalError(StatusCode.UNAVAILABLE, "the node is starting: it loads its models")
        if model is None:
            known = ", ".join(self.models) or "none"
            raise RefusalError(
                StatusCode.NOT_FOUND, f"no model {name[:100]!r} here; this node serves {known}"
            )
        version = version_of(model.sha256)
        if wanted not in ("", version):
            raise RefusalError(
                StatusCode.NOT_FOUND,
                f"model '{name}' is here in version {version}, not {wanted[:100]!r}",
            )
        return model


class Emulated:
    """A model with its own answers and the times of a modelled device.

    It computes, and then waits until the device would have ended. Where this machine is slower,
    the answer is late, and counted as such. What a message costs the device's processor is not
    added: messages take what they take here.
    """

    def __init__(
        self, model: Model, graph: Graph, device: Device, late: Callable[[], object]
    ) -> None:
        """Set up.

        Args:
            model: the model that computes.
            graph: its operators, for the device's model.
            device: the device whose times it takes.
            late: called for every execution that took longer here.
        """
        self.name = model.name
        self.sha256 = model.sha256
        self.inputs = tuple(
            spec
            if spec.decoder is None
            else replace(spec, decoder=_EmulatedDecoder(spec.decoder, spec.shape, device))
            for spec in model.inputs
        )
        self.outputs = model.outputs
        self._model = model
        self._graph = graph
        self._device = device
        self._late = late

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Return the model's outputs, not before the device would."""
        begun_s = time.monotonic()
        found = self._model.run(inputs, outputs)
        samples = len(next(iter(inputs.values())))
        wanted_s = self._device.graph_cost(self._graph, PRECISION, samples).time_s
        left_s = begun_s + wanted_s - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        else:
            self._late()
        return found


@dataclass(frozen=True, slots=True)
class _EmulatedDecoder:
    """A decoder that takes the time of a modelled device.

    Attributes:
        decoder: decodes.
        shape: (channels, height, width) of an image.
        device: the device whose time it takes.
    """

    decoder: Decoder
    shape: tuple[int, ...]
    device: Device

    @property
    def sample_bytes(self) -> int:
        """Bytes of one decoded image."""
        return self.decoder.sample_bytes

    def check(self, name: str, images: Sequence[bytes]) -> None:
        """Check sizes before anything is decoded.

        Raises:
            RefusalError: they are too large, or the device has no rate at which it decodes.
        """
        try:
            self._time_s(len(images))
        except InputError as error:
            raise RefusalError(StatusCode.FAILED_PRECONDITION, str(error)) from None
        self.decoder.check(name, images)

    def _time_s(self, images: int) -> float:
        pixels = math.prod(self.shape[1:])
        return Decoding("jpeg", pixels).cost(self.device, images).time_s

    def decode(self, name: str, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Return the input, not before the device would.

        Raises:
            RefusalError: an image is damaged, or not one that the model takes.
        """
        begun_s = time.monotonic()
        found = self.decoder.decode(name, images)
        time.sleep(max(0.0, begun_s + self._time_s(len(images)) - time.monotonic()))
        return found


def graph_of(entry: Entry) -> Graph:
    """Return the operators of a part, or of the fusion."""
    if isinstance(entry.model, PartEntry):
        return part_graph(entry.name, entry.model.config)
    return mlp(entry.name, entry.model.widths)
