"""The unsplit model: every part is cut from it, taught by it, and compared with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from partition.classify import TrainingSet, note_few_validation_images, predict
from partition.cnn import SmallCnn
from partition.config import ViTConfig, preset
from partition.data import Data
from partition.errors import InputError
from partition.files import fingerprint, sha256
from partition.model import VisionTransformer
from partition.recipe import DataSpec, Recipe, UnsplitSpec
from partition.steps import Notes, StepStore
from partition.train import TrainRun, generator_of, seed_of
from partition.weights import checkpoint_config, load_vit


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
    names = ("name", "image", "channels", "validation", "test", "limit")
    key = {name: values[name] for name in names}
    if spec.name == "folder":
        digest = hashlib.sha256()
        for samples in data.splits.values():
            digest.update(samples.content())
        key["images"] = digest.hexdigest()
    return key


def train_on_all_classes(
    model: VisionTransformer | SmallCnn,
    name: str,
    recipe: Recipe,
    data: Data,
    store: StepStore,
    seed: int,
    *,
    start: str | None = None,
    title: str | None = None,
) -> str:
    """Train a model in place as the recipe trains the unsplit one; return the step's fingerprint.

    Args:
        model: with the weights that it starts from.
        name: name of the step.
        recipe: data and training.
        data: all images.
        store: folder of finished steps, with progress and device.
        seed: seed of all random numbers.
        start: what the first weights depend on beside the recipe's seed.
        title: name of the step in progress reports; ``name`` by default.

    Raises:
        PartitionError: the loss is not finite, or the disk is full.
    """
    training = recipe.training
    shape = model.config.to_dict()
    key = fingerprint(
        name, data_key(recipe.data, data), shape, asdict(training), recipe.seed, start
    )
    images = TrainingSet.of(data)
    note_few_validation_images(images, training, title or name, store.progress)
    store.train(name, key, model, images, data, training, seed, title)
    return key


_OWN_SHAPE = (
    "patch", "width", "depth", "heads", "head_width", "mlp_width", "stem", "distilled", "activation"
)  # fmt: skip
"""Keys that must agree with a checkpoint."""


def unsplit_config(spec: UnsplitSpec, data: Data) -> ViTConfig:
    """Return the shape of the unsplit model for the data.

    A checkpoint has a shape of its own; keys that are given must agree with it, and so must the
    shape that is named.

    Raises:
        InputError: the shape is impossible, or not that of the checkpoint.
    """
    classes = len(data.classes)
    if spec.checkpoint is None:
        return spec.config(data.image, data.channels, classes)
    named = None if spec.name is None else preset(spec.name)
    found = checkpoint_config(
        Path(spec.checkpoint),
        heads=named.heads if spec.heads is None and named is not None else spec.heads,
        classes=classes,
        activation=spec.activation,
    )
    given = {} if named is None else {key: getattr(named, key) for key in _OWN_SHAPE}
    given |= {key: value for key, value in asdict(spec).items() if value is not None}
    for key, value in given.items():
        if key in _OWN_SHAPE and value != getattr(found, key):
            of_name = getattr(spec, key) is None
            what = f"model.name: expected {key}" if of_name else f"model.{key}: expected"
            raise InputError(
                f"{what} {getattr(found, key)}, which {spec.checkpoint} has, got {value}"
            )
    return found.with_(image=data.image, channels=data.channels, classes=classes)


def unsplit_model(recipe: Recipe, data: Data, store: StepStore) -> Unsplit:
    """Return the unsplit model of a recipe: trained, resumed, or as it was stored.

    Args:
        recipe: model, training and seed.
        data: all images.
        store: folder of finished steps, with progress and device.

    Raises:
        InputError: the shape is impossible, or the checkpoint to start from does not fit.
        PartitionError: the loss is not finite, or the disk is full.
    """
    config = unsplit_config(recipe.model, data)
    start = recipe.model.checkpoint
    if start:
        model = load_vit(Path(start), config, new_head=seed_of(recipe.seed, 1))
    else:
        model = VisionTransformer(config, generator_of(recipe.seed, 1))
    key = train_on_all_classes(
        model, "unsplit", recipe, data, store, seed_of(recipe.seed, 2),
        start=sha256(Path(start)) if start else None,
    )  # fmt: skip

    def predict_all(_: TrainRun) -> tuple[dict[str, Tensor], Notes]:
        model.to(store.device)
        return {
            name: predict(model, samples, data).log_softmax(-1)
            for name, samples in data.splits.items()
        }, {}

    predictions, _ = store.tensors("predictions", key, predict_all)
    return Unsplit(model.cpu(), key, **predictions)
