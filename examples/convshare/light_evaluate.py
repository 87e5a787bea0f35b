"""Answers of a model on light at one value of a knob, stored batch by batch."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from optics.layers import SaturationWarning
from optics.layers.operating import Setup, optical_layers, put_on_light
from partition.data import Data
from partition.errors import InputError
from partition.files import to_json, write_atomic
from partition.train import seed_of

BATCH = 50
"""Images that are evaluated and stored together; each batch has its own seed of noise.

A bench is calibrated with as many: for another number the planner would place another number of
kernels side by side, which share the light of the filter.
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Answers of a model to the images of one batch.

    Attributes:
        predicted: class of each image.
        off: largest difference of a logit from the electronic one.
        saturated: readings at the camera's limit.
        exposures: exposures of the camera.
        process_s: processor time in seconds, without the calibration.
    """

    predicted: list[int]
    off: float
    saturated: int
    exposures: int
    process_s: float


@dataclass(slots=True)
class Answers:
    """Answers of a model to the first test images.

    Attributes:
        key: fingerprint of everything that they depend on.
        chunks: batches in the order of the images.
    """

    key: str
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def predicted(self) -> list[int]:
        """Class of each image."""
        return [label for chunk in self.chunks for label in chunk.predicted]

    def total(self, name: str) -> float:
        """Return the sum of a figure over all chunks."""
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
    stored: Path,
    progress: Callable[[int], None],
) -> Answers:
    """Return answers to ``images`` test images; those in ``stored`` are not computed again.

    Args:
        model: electronic model, in evaluation mode.
        key: fingerprint of the model and its settings; stored answers of another key are ignored.
        setup: bench of its convolutions, and its light.
        data: test images, and validation images for the calibration.
        images: least number of images; whole batches are evaluated.
        batch: images of a batch.
        seed: seed of noise and flicker.
        stored: file that is rewritten after every batch.
        progress: called with the number of finished images.
    """
    found = _read(stored, key)
    if len(found.predicted) >= images:
        return found
    before = data.to_input(data.validation.images[:batch])
    light = put_on_light(model, setup, before, seed_of(seed, 0))
    while (first := len(found.predicted)) < images:
        inputs = data.to_input(data.test.images[first : first + batch])
        found.chunks.append(_chunk(model, light, inputs, seed_of(seed, 1, first)))
        write_atomic(stored, to_json(asdict(found)).encode())
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


def _read(stored: Path, key: str) -> Answers:
    if not stored.is_file():
        return Answers(key)
    try:
        content = json.loads(stored.read_text())
        found = Answers(content["key"], [Chunk(**chunk) for chunk in content["chunks"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{stored} is damaged ({error}); remove it to compute it again") from error
    return found if found.key == key else Answers(key)
