"""A model's answers through light at one value of a knob: image by image, kept as they come."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from light_bench import Setup, optical_layers, put_on_light
from torch import Tensor, nn

from optics.layers import SaturationWarning
from partition.data import Data
from partition.errors import InputError
from partition.files import to_json, write_atomic
from partition.train import seed_of

BATCH = 50
"""Images that are evaluated together and kept; their noise has a seed of its own.

A bench is set up with as many: of another number the planner would lay other numbers of kernels
side by side, which share the filter's light.
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a model says of some images that were evaluated together.

    Attributes:
        predicted: class of each image.
        off: largest difference of a logit from the electronic one.
        saturated: readings at the camera's limit.
        exposures: of the camera.
        process_s: processor time, that of setting up apart.
    """

    predicted: list[int]
    off: float
    saturated: int
    exposures: int
    process_s: float


@dataclass(slots=True)
class Answers:
    """What a model says of the first test images.

    Attributes:
        key: of all that they depend on.
        chunks: in the order of the images.
    """

    key: str
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def predicted(self) -> list[int]:
        """Class of each image."""
        return [label for chunk in self.chunks for label in chunk.predicted]

    def total(self, name: str) -> float:
        """Return a figure of all chunks together."""
        return sum(getattr(chunk, name) for chunk in self.chunks)

    @property
    def off(self) -> float:
        """Largest difference of a logit from the electronic one."""
        return max((chunk.off for chunk in self.chunks), default=0.0)


def answers(
    model: nn.Module,
    key: str,
    setup: Setup,
    data: Data,
    images: int,
    *,
    batch: int,
    seed: int,
    kept: Path,
    progress: Callable[[int], None],
) -> Answers:
    """Return answers to ``images`` test images; those that ``kept`` holds are not asked again.

    Args:
        model: electronic, in evaluation mode.
        key: that answers of other models, or of the same before it changed, do not have.
        setup: the bench on which its convolutions go, and its light.
        data: test images to answer, validation images to set up with.
        images: how many, at least; whole batches are asked.
        batch: images at a time.
        seed: of noise and flicker.
        kept: file that is rewritten after every batch.
        progress: told how many images are done.
    """
    found = _read(kept, key)
    if len(found.predicted) >= images:
        return found
    before = data.to_input(data.validation.images[:batch])
    light = put_on_light(model, setup, before, seed_of(seed, 0))
    while (first := len(found.predicted)) < images:
        inputs = data.to_input(data.test.images[first : first + batch])
        found.chunks.append(_chunk(model, light, inputs, seed_of(seed, 1, first)))
        write_atomic(kept, to_json(asdict(found)).encode())
        progress(len(found.predicted))
    return found


def _chunk(model: nn.Module, light: nn.Module, inputs: Tensor, seed: int) -> Chunk:
    layers = optical_layers(light).values()
    for number, layer in enumerate(layers):
        layer.reseed(seed_of(seed, number))
    begun_s = time.process_time()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", SaturationWarning)  # they are counted
        logits = light(inputs)
    took_s = time.process_time() - begun_s
    with torch.no_grad():
        off = (logits - model(inputs)).abs().max()
    shapes = [(layer, layer.last_shape) for layer in layers]
    return Chunk(
        predicted=logits.argmax(-1).tolist(),
        off=float(off),
        saturated=sum(layer.last_saturated for layer in layers),
        exposures=sum(layer.layout(s.batch, s.size).frames for layer, s in shapes if s),
        process_s=took_s,
    )


def electronic(model: nn.Module, data: Data, images: int) -> Tensor:
    """Return the model's own classes of the first test images, (images,)."""
    with torch.no_grad():
        return model(data.to_input(data.test.images[:images])).argmax(-1)  # type: ignore[no-any-return]


def _read(kept: Path, key: str) -> Answers:
    if not kept.is_file():
        return Answers(key)
    try:
        told = json.loads(kept.read_text())
        found = Answers(told["key"], [Chunk(**chunk) for chunk in told["chunks"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{kept} is damaged ({error}); remove it to compute it anew") from error
    return found if found.key == key else Answers(key)
