"""Every key of a recipe, the section ``training`` of a model, changes what is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn import datasets

from edgesim.partitioning.light import PhysicalRoad
from partition.errors import InputError
from partition.model import VisionTransformer
from partition.pipeline import run
from partition.recipe import Recipe, UnsplitSpec
from tests.edgesim.every_key.recipe_cases import CASES, REFUSED, SMALL, STILL

_ECHOES = ("recipe", "name", "sha256", "versions", "seed")
"""What a manifest repeats."""
Train = Callable[[Mapping[str, Any]], Any]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Train]:
    """Returns what a manifest says of a recipe's weights; equal steps are trained once.

    Nothing is kept against a crash here, which other tests cover: no checkpoint after each epoch,
    no wait for the disk; and the digits are parsed once.
    """
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("recipes")
    folders = {
        name: str(_pictures(place / name, seed))
        for seed, name in enumerate(("one", "other", "damaged"))
    }
    (place / "damaged" / "class-00" / "0.ppm").write_bytes(b"P6")
    shape = UnsplitSpec(**SMALL["model"]).config(image=8, channels=1, classes=10)
    weights = VisionTransformer(shape, torch.Generator().manual_seed(9)).state_dict()
    save_file(weights, place / "weights.safetensors")
    places = {**folders, "weights": str(place / "weights.safetensors")}
    found: dict[str, Any] = {}

    def trained(recipe: Mapping[str, Any]) -> Any:
        text = json.dumps({"name": "small", **recipe}, sort_keys=True)
        for name, path in places.items():
            text = text.replace(f"{{{name}}}", path)
        if text in found:
            return found[text]
        try:
            out = place / f"artifact-{len(found)}"
            made = Recipe.from_mapping(json.loads(text))
            run(made, out, work_dir=place / "work", road=PhysicalRoad())
        except InputError as error:
            if "cannot decode" not in str(error):
                raise
            found[text] = str(error)
        else:
            manifest = json.loads((out / "manifest.json").read_text())
            found[text] = {key: manifest[key] for key in manifest if key not in _ECHOES}
            for key in recipe.get("light", ()):
                del found[text]["light"][key]
        return found[text]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("partition.train.save_checkpoint", lambda *given: None)
        patch.setattr("os.fsync", lambda descriptor: None)
        patch.setattr("sklearn.datasets.load_digits", cache(datasets.load_digits))
        yield trained


def _pictures(folder: Path, seed: int) -> Path:
    """Write a folder of noise: eleven classes of eight pictures."""
    draw = np.random.default_rng(seed)
    for number in range(11):
        (folder / f"class-{number:02}").mkdir(parents=True)
        for index in range(8):
            pixels = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8).tobytes()
            (folder / f"class-{number:02}" / f"{index}.ppm").write_bytes(b"P6 8 8 255\n" + pixels)
    return folder


@pytest.mark.parametrize("key", CASES)
def test_every_key_of_a_recipe_changes_an_artifact(key: str, train: Train) -> None:
    before, after = CASES[key]
    assert train(before) != train(after), f"{key} changes nothing"


@pytest.mark.parametrize("key", REFUSED)
def test_keys_that_do_not_apply_are_refused(key: str) -> None:
    with pytest.raises(InputError, match="do not apply"):
        Recipe.from_mapping({"name": "small", **REFUSED[key]})


@pytest.mark.parametrize("key", STILL)
def test_known_exceptions_change_nothing(key: str, train: Train) -> None:
    (before, after), _ = STILL[key]
    assert train(before) == train(after), f"{key} changes something: make it a case"
