"""The unsplit model: every part is cut from it, taught by it, and compared with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from partition.classify import Lesson, predict, train_classifier
from partition.data import Data
from partition.files import fingerprint, sha256
from partition.model import VisionTransformer
from partition.recipe import DataSpec, Recipe
from partition.train import TrainRun, generator_of, seed_of
from partition.weights import load_vit
from partition.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Unsplit:
    """The unsplit model and its log-probabilities for every image.

    Attributes:
        model: trained, in evaluation mode.
        key: fingerprint of everything it depends on.
        train: (training images, classes) log-probabilities.
        validation: (validation images, classes), likewise.
        test: (test images, classes), likewise.
    """

    model: VisionTransformer
    key: str
    train: Tensor
    validation: Tensor
    test: Tensor


def data_key(spec: DataSpec, data: Data) -> Mapping[str, Any]:
    """Return what decides which images there are; not where they lie.

    Public data sets are known by name; the images of a folder of one's own by their content.
    """
    values = asdict(spec)
    kept = ("name", "image", "channels", "validation", "test", "limit")
    key = {name: values[name] for name in kept}
    if spec.name == "folder":
        digest = hashlib.sha256()
        for samples in data.splits.values():
            digest.update(samples.images.numpy().tobytes() + samples.labels.numpy().tobytes())
        key["images"] = digest.hexdigest()
    return key


def unsplit_model(
    recipe: Recipe,
    data: Data,
    workshop: Workshop,
) -> Unsplit:
    """Return the unsplit model of a recipe: trained, resumed, or as it was filed.

    Args:
        recipe: model, training and seed.
        data: all images.
        workshop: folder of finished steps, with progress and device.

    Raises:
        InputError: the shape is impossible, or the checkpoint to start from does not fit.
        PartitionError: the loss is not finite, or the disk is full.
    """
    config = recipe.model.config(data.image, data.channels, len(data.classes))
    start = recipe.model.checkpoint
    origin = sha256(Path(start)) if start and Path(start).is_file() else start
    key = fingerprint(
        "unsplit",
        data_key(recipe.data, data),
        config.to_dict(),
        asdict(recipe.training),
        recipe.seed,
        origin,
    )

    def make(run: TrainRun) -> tuple[VisionTransformer, dict[str, Any]]:
        if start:
            model = load_vit(Path(start), config, new_head=seed_of(recipe.seed, 1))
        else:
            model = VisionTransformer(config, generator_of(recipe.seed, 1))
        lesson = Lesson.of(data)
        state = train_classifier(model, lesson, data, recipe.training, seed_of(recipe.seed, 2), run)
        return model, state.notes

    model, _ = workshop.model("unsplit", key, make)
    model.to(workshop.place)

    def judge(_: TrainRun) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {
            name: predict(model, samples, data).log_softmax(-1)
            for name, samples in data.splits.items()
        }, {}

    opinions, _ = workshop.tensors("opinions", key, judge)
    return Unsplit(model, key, opinions["train"], opinions["validation"], opinions["test"])
