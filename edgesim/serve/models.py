"""What a node serves: named tensors in, named tensors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from edgesim.serve.manifest import Entry
from edgesim.serve.refusal import Reason, RefusalError
from edgesim.serve.tensors import TensorSpec
from partition.artifact import load_fusion, load_model
from partition.errors import PartitionError
from partition.fusion import Fusion
from partition.manifest import PartEntry
from partition.model import VisionTransformer

INPUT = "input"
FEATURES = "features"
LOGITS = "logits"
_VERSION_DIGITS = 12


class Model(Protocol):
    """Anything that a node can serve.

    Attributes:
        name: that requests use.
        sha256: of the file that it was loaded from.
        inputs: what it takes.
        outputs: what it gives.
    """

    name: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """Return the named outputs, each (samples, …), of inputs with as many samples."""
        ...


def version(model: Model) -> str:
    """Return the version that requests may insist on: the beginning of the file's hash."""
    return model.sha256[:_VERSION_DIGITS]


class PartModel:
    """A sub-model: images to features for the fusion, and to logits of its own classes."""

    def __init__(self, name: str, sha256: str, part: VisionTransformer) -> None:
        self.name = name
        self.sha256 = sha256
        self._part = part
        shape = part.config
        self.inputs: tuple[TensorSpec, ...] = (
            TensorSpec(INPUT, (shape.channels, shape.image, shape.image)),
        )
        self.outputs: tuple[TensorSpec, ...] = (
            TensorSpec(FEATURES, (shape.prefix_tokens * shape.width,)),
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
        entry: what the manifest says of it.
        path: of its file, whose hash was verified.

    Raises:
        RefusalError: the file does not hold what the manifest describes.
    """
    try:
        if isinstance(entry.model, PartEntry):
            return PartModel(entry.name, entry.sha256, load_model(path, entry.model))
        return FusionModel(entry.name, entry.sha256, load_fusion(path, entry.model))
    except PartitionError as error:
        raise RefusalError(
            Reason.FAILED_PRECONDITION,
            f"cannot load {entry.name}: {error}; make the artifact again",
        ) from error


def blank(model: Model, samples: int = 1) -> dict[str, Tensor]:
    """Return inputs of zeros, to warm a model up with."""
    return {spec.name: torch.zeros(samples, *spec.shape) for spec in model.inputs}
