"""Find the recipe in a file: the ``training`` section of a scenario's model, or a bare recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from partition.errors import InputError
from partition.recipe import Recipe

SCENARIO_KEYS = frozenset({"nodes", "network", "placement", "traffic"})
"""Keys that a scenario has and a recipe has not."""


def load_recipe(path: Path) -> Recipe:
    """Return the recipe of a YAML file.

    See :func:`recipe_of`; relative paths are taken from the folder of the file.

    Raises:
        InputError: the file is missing or no YAML mapping, or a key of the recipe is wrong.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    try:
        return recipe_of(values, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def recipe_of(values: object, base: Path) -> Recipe:
    """Return the recipe in the data of a file.

    A scenario holds it at ``model.training``; any other mapping is taken as the recipe itself.

    Args:
        values: of the whole file.
        base: folder that relative paths in it are taken from.

    Raises:
        InputError: it is no mapping, or a key of the recipe is wrong.
    """
    if not isinstance(values, Mapping):
        raise InputError("expected a mapping: a scenario, or a recipe")
    if isinstance(values.get("model"), Mapping) and "training" in values["model"]:
        training = values["model"]["training"]
        return _located(Recipe.from_mapping(training, "model.training"), base)
    if SCENARIO_KEYS & set(values):
        raise InputError("the scenario's model has no 'training' section: there is no recipe")
    return _located(Recipe.from_mapping(values, "recipe"), base)


def _located(recipe: Recipe, base: Path) -> Recipe:
    """Return the recipe with its relative paths taken from ``base``."""

    def place(path: str | None) -> str | None:
        return None if path is None else str(base / Path(path).expanduser())

    data = replace(recipe.data, folder=place(recipe.data.folder))
    model = replace(recipe.model, checkpoint=place(recipe.model.checkpoint))
    return replace(recipe, data=data, model=model)
