"""The model that runs on light: recipes, training, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from optics.convshare import ConvShareConfig, ConvShareViT
from partition.checkpoint import TrainState
from partition.classify import TrainingSet, accuracy_of, predict, train_classifier
from partition.data import Data, open_data
from partition.errors import InputError
from partition.files import fingerprint, sha256, to_json, write_atomic
from partition.progress import Progress
from partition.recipe import Augmentation, DataSpec, TrainConfig
from partition.store import load_tensors, save_tensors
from partition.train import TrainRun, generator_of, seed_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Recipe of a model for light.

    Attributes:
        data: images.
        model: configuration; every matrix of it is a shared valid convolution.
        training: training without noise.
        tuning: training with noise in place of that of the light.
        photons: photons per multiply-accumulate of the light whose noise is used in tuning.
        seed: seed of every draw.
    """

    data: DataSpec
    model: ConvShareConfig
    training: TrainConfig
    tuning: TrainConfig
    photons: float
    seed: int


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "fashion-mnist": Recipe(
            data=DataSpec(name="fashion-mnist"),
            model=ConvShareConfig(image=28, patch=7, map=(7, 7), depth=3, heads=7, mlp_ratio=2),
            training=TrainConfig(
                epochs=28, batch=128, learning_rate=2.5e-3, label_smoothing=0.05,
                augmentation=Augmentation(shift=1, flip=True),
            ),
            tuning=TrainConfig(
                epochs=2, batch=128, learning_rate=1.5e-3, warmup=0.2, label_smoothing=0.05,
                augmentation=Augmentation(shift=1, flip=True),
            ),
            photons=0.1,
            seed=5,
        ),
        "digits": Recipe(
            data=DataSpec(name="digits"),
            model=ConvShareConfig(image=8, patch=2, map=(4, 4), depth=1, heads=4, mlp_ratio=1),
            training=TrainConfig(epochs=14, batch=64, learning_rate=5e-3, label_smoothing=0.05),
            tuning=TrainConfig(epochs=6, batch=64, learning_rate=3e-3, label_smoothing=0.05),
            photons=1.0,
            seed=5,
        ),
    }
)  # fmt: skip
"""Recipes by data set: that of the table, and one that takes seconds."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe is called '{name}'; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def trained(
    recipe: Recipe, data: Data, checkpoint: Path, progress: Progress
) -> tuple[ConvShareViT, TrainState]:
    """Return a model trained without light, from the seed or from a checkpoint."""
    model = ConvShareViT(recipe.model, generator_of(recipe.seed, 1))
    key = fingerprint(
        "trained", asdict(recipe.data), asdict(recipe.model), asdict(recipe.training), recipe.seed
    )
    run = TrainRun(name="trained", checkpoint=checkpoint, identity=key, progress=progress)
    seed = seed_of(recipe.seed, 2)
    state = train_classifier(model, TrainingSet.of(data), data, recipe.training, seed, run)
    return model, state


def store_model(
    folder: Path, name: str, model: nn.Module, recipe: Recipe, data: Data, notes: Mapping[str, Any]
) -> None:
    """Write weights, and a manifest with their accuracy on all test images."""
    weights = folder / f"{name}.safetensors"
    save_tensors(weights, model.state_dict())
    right = accuracy_of(predict(model, data.test, data), data.test.labels)
    manifest = {
        "name": name,
        "recipe": asdict(recipe),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "sha256": sha256(weights),
        "test": {"images": len(data.test), "accuracy": right, "road": "electronic"},
        **notes,
    }
    write_atomic(folder / f"{name}.json", to_json(manifest).encode())


def load_model(folder: Path, name: str, recipe: Recipe) -> tuple[ConvShareViT, dict[str, Any]]:
    """Return a model that :func:`store_model` wrote, in evaluation mode, and its manifest.

    Raises:
        InputError: a file is missing or damaged, or belongs to another recipe or other weights.
    """
    weights, notes = folder / f"{name}.safetensors", folder / f"{name}.json"
    tensors, _ = load_tensors(weights)
    try:
        manifest = json.loads(notes.read_text())
        known = manifest["sha256"], manifest["test"]["accuracy"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {notes}: {error}; remove both files to make them") from error
    if known[0] != sha256(weights):
        raise InputError(
            f"{weights} has another sha256 than {notes} says; remove both to make them again"
        )
    model = ConvShareViT(recipe.model)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"{weights} holds no model of this recipe ({str(error).splitlines()[0]}); take another "
            "folder of models"
        ) from error
    return model.eval(), manifest


def opened(recipe: Recipe) -> Data:
    """Return the recipe's data."""
    return open_data(recipe.data)
