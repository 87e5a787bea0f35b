"""The example that puts a trained model on light: small, on digits, and its kept weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from optics.detection import ReferenceBeam
from optics.layers.operating import optical_layers, put_on_light
from partition.data import open_data
from partition.errors import InputError
from partition.progress import silent
from tests import needs

EXAMPLES = Path(__file__).parents[3] / "examples"
FOLDER = EXAMPLES / "convshare"
SIDE = 56  # pixels: eight tiles of 4 x 4 maps and kernels


MODULES = ("evaluate", "knobs", "model", "statistics", "table", "tune")


@dataclass(frozen=True)
class Rig:
    """The example's modules, a model for digits made by it, and where all of it lies."""

    light: ModuleType
    modules: dict[str, ModuleType]
    trained: Any
    data: Any
    folder: Path

    def __getattr__(self, name: str) -> ModuleType:
        return self.modules[name]

    def run(self, *arguments: str) -> int:
        places = ("--models", str(self.folder / "models"), "--work", str(self.folder / "work"))
        quick = ("--data", "digits", "--side", str(SIDE), "--batch", "32", "--quiet")
        status: int = self.light.main([*quick, *places, *arguments])
        return status

    def predicted(
        self, knob: str, value: float, images: int, kept: Path, model: Any = None
    ) -> list[int]:
        setup = self.knobs.knob_of(knob).setup(value, SIDE)
        found = self.evaluate.answers(
            model or self.trained, "key", setup, self.data, images, batch=32, seed=1,
            stored=kept / f"{knob}-{value}.json", progress=lambda _: None,
        )  # fmt: skip
        says: list[int] = found.predicted
        return says


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setenv("OMP_NUM_THREADS", "1")
        light = import_module("light")
        modules = {name: import_module(f"light_{name}") for name in MODULES}
        folder = tmp_path_factory.mktemp("light")
        recipe = modules["model"].recipe_of("digits")
        data = open_data(recipe.data)
        model, _ = modules["model"].trained(recipe, data, folder / "checkpoint", silent)
        modules["model"].store_model(folder / "models", "digits-trained", model, recipe, data, {})
        yield Rig(light, modules, model, data, folder)
    torch.set_num_threads(threads)


def test_ideal_light_answers_as_electronics_do_image_by_image(rig: Rig, tmp_path: Path) -> None:
    setup = rig.knobs.knob_of("ideal").setup(0.0, SIDE)
    kept = tmp_path / "ideal.json"
    found = rig.evaluate.answers(
        rig.trained, "key", setup, rig.data, 64, batch=32, seed=1, stored=kept, progress=print
    )
    assert found.predicted == rig.evaluate.electronic(rig.trained, rig.data, 64).tolist()
    # float32: a reference beam takes the difference of intensities three times the field's.
    assert found.off < 3e-5
    assert len(set(found.predicted)) == 10


@pytest.mark.parametrize(
    ("knob", "values"),
    [("photons", (0.1, 1.0, 10.0, 1000.0)), ("bits", (2, 3, 4, 8)), ("camera", (3, 5, 10))],
)
def test_right_answers_fall_with_photons_and_bits(
    rig: Rig, tmp_path: Path, knob: str, values: tuple[float, ...]
) -> None:
    statistics, truth = rig.statistics, rig.data.test.labels[:64].tolist()
    own = rig.evaluate.electronic(rig.trained, rig.data, 64).tolist()

    def right(says: list[int]) -> list[bool]:
        return [said == is_ for said, is_ in zip(says, truth)]

    found = [right(rig.predicted(knob, value, 64, tmp_path)) for value in values]
    for worse, better in pairwise(found):
        lost, won = statistics.changed(better, worse)
        assert won <= lost or not statistics.differs(lost, won)
    lost, won = statistics.changed(found[-1], found[0])
    assert lost > won
    assert statistics.differs(lost, won)
    assert not statistics.differs(*statistics.changed(right(own), found[-1]))


@dataclass(frozen=True, kw_only=True)
class Counting(ReferenceBeam):
    """Keeps how many readings there were, and their electrons."""

    counted: list[tuple[int, float]] = field(default_factory=list)

    def combine(self, readings: Tensor) -> Tensor:
        self.counted.append((readings.numel(), float(readings.sum(dtype=torch.float64))))
        return ReferenceBeam.combine(self, readings)


def test_photons_per_mac_are_those_that_the_camera_counts(rig: Rig) -> None:
    images = rig.data.to_input(rig.data.validation.images[:32])
    setup = rig.knobs.knob_of("photons").setup(3.0, SIDE)
    light = put_on_light(rig.trained, setup, images, 1)
    layers = optical_layers(light)
    outputs: dict[str, int] = {}
    for name, layer in layers.items():
        counting = Counting(electrons=layer.bench.scheme.electrons, frames=2)
        layer.bench = replace(layer.bench, noise=False, scheme=counting)
        layer.register_forward_hook(
            lambda _layer, _inputs, output, name=name: outputs.update({name: output.numel()})
        )
    with torch.no_grad():
        light(images)
    for name, layer in layers.items():
        read = sum(number for number, _ in layer.bench.scheme.counted)
        electrons = sum(number for _, number in layer.bench.scheme.counted)
        # The last frames are not full: there the camera sees the reference alone.
        electrons -= (read - 2 * outputs[name]) * layer.bench.scheme.electrons
        per_mac = electrons / outputs[name] / layer.weight[0].numel()
        assert per_mac == pytest.approx(3.0, rel=1e-4)


def test_noise_that_is_learned_is_as_large_as_theory_tells(rig: Rig) -> None:
    # Two frames of a beam of <u²>: variance 1/4, and photons per MAC 4 <u²> / MACs.
    images = rig.data.to_input(rig.data.validation.images[:32])
    setup = rig.knobs.knob_of("photons").setup(1.0, SIDE)
    shares = rig.tune.noise_by_layer(rig.trained, setup, images, 1)
    assert len(shares) == 5
    for name, share in shares.items():
        macs = rig.trained.get_submodule(name).weight[0].numel()
        # Frames of other kernels send other shares of light, which spreads the noise unevenly.
        assert share == pytest.approx(macs**-0.5, rel=0.25)


@needs.MATPLOTLIB.mark
def test_tuning_with_noise_wins_answers_under_noise(rig: Rig, tmp_path: Path) -> None:
    assert rig.run("--model", "tuned", "--knob", "ideal", "--images", "32") == 0
    recipe = rig.model.recipe_of("digits")
    tuned, manifest = rig.model.load_model(rig.folder / "models", "digits-tuned", recipe)
    before = rig.predicted("photons", 1.0, 288, tmp_path / "before")
    after = rig.predicted("photons", 1.0, 288, tmp_path / "after", tuned)
    truth = rig.data.test.labels[:288].tolist()
    lost, won = rig.statistics.changed(
        [said == is_ for said, is_ in zip(before, truth)],
        [said == is_ for said, is_ in zip(after, truth)],
    )
    assert won > lost
    assert rig.statistics.differs(lost, won)
    convolutions = {n for n, layer in tuned.named_modules() if isinstance(layer, nn.Conv2d)}
    assert set(manifest["noise"]) == convolutions


def test_a_killed_evaluation_goes_on_to_the_same_answers(rig: Rig, tmp_path: Path) -> None:
    whole = rig.predicted("photons", 1.0, 64, tmp_path)
    kept = tmp_path / "photons-1.0.json"
    told = json.loads(kept.read_text())
    kept.write_text(json.dumps({**told, "chunks": told["chunks"][:1]}))
    assert rig.predicted("photons", 1.0, 64, tmp_path) == whole
    kept.write_text(kept.read_text()[:-20])
    with pytest.raises(InputError, match="is damaged"):
        rig.predicted("photons", 1.0, 64, tmp_path)


@needs.MATPLOTLIB.mark
def test_table_and_picture_are_made_again_without_light(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    points, picture = tmp_path / "points.csv", tmp_path / "made" / "light.png"
    assert rig.run("--model", "trained", "--knob", "ideal", "camera", "--images", "32",
                   "--points", str(points), "--picture", str(picture)) == 0  # fmt: skip
    table = capsys.readouterr().out
    assert table.count("\n| ") == 1 + 6 + 1  # rows of values, and the second head
    assert "| everything ideal | as trained | 32 |" in table
    picture.unlink()
    monkeypatch.setattr(rig.light, "evaluated", None)
    assert rig.light.main(["--table", str(points), "--picture", str(picture)]) == 0
    assert capsys.readouterr().out == table
    with Image.open(picture) as image:
        assert image.width >= 900
    assert [path.name for path in picture.parent.iterdir()] == ["light.png"]


def test_intervals_are_those_of_scipy(rig: Rig) -> None:
    for right, images in ((0, 5), (7, 20), (173, 200), (32, 32)):
        ours = rig.statistics.wilson(right, images)
        other = binomtest(right, images).proportion_ci(0.95, method="wilson")
        assert ours == pytest.approx((other.low, other.high), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--knob", "focus"), "no knob is called 'focus'; there are ideal, bits, photons"),
        (("--images", "0"), "--images is from 1 to 352, the test images of digits"),
        (("--images", "360"), "in whole batches of 32; got 360"),
        (("--batch", "0"), "--batch is from 1"),
        (("--side", "0"), "--side is a number of pixels"),
        (("--side", "6"), "an image of 8x8"),
        (("--data", "letters"), "no recipe is called 'letters'"),
        (("--table", "nowhere.csv"), "nowhere.csv holds no table of points"),
        (("--table", __file__), "holds no table of points"),
    ],
)
def test_wrong_input_ends_with_status_2_and_one_line(
    rig: Rig, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    knob = () if "--knob" in arguments else ("--knob", "ideal")
    assert rig.run("--model", "trained", *knob, *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("light: ")
    assert told in said
    assert said.count("\n") == 1


def test_damaged_weights_are_refused(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("digits-trained.safetensors", "digits-trained.json"):
        (tmp_path / name).write_bytes((rig.folder / "models" / name).read_bytes())
    (tmp_path / name).write_text("{}")
    assert rig.run("--model", "trained", "--models", str(tmp_path)) == 2
    assert "remove both files to make them" in capsys.readouterr().err


def test_kept_figures_are_those_of_kept_weights_and_stand_in_the_table(rig: Rig) -> None:
    recipe = rig.model.recipe_of("fashion-mnist")
    points = rig.table.load(rig.light.POINTS)
    written = (EXAMPLES / "results" / "convshare-light.md").read_text()
    for line in rig.table.markdown(points).splitlines():
        assert line in written
    for name in ("trained", "tuned"):
        called = f"fashion-mnist-{name}"
        _, manifest = rig.model.load_model(rig.light.MODELS, called, recipe)
        assert f"{manifest['test']['accuracy']:.2%}" in written
        ideal = [p for p in points if p.model == name and p.knob == "ideal"]
        assert [point.same for point in ideal] == [point.images for point in ideal] != []


def test_kept_curves_rise_within_their_intervals(rig: Rig) -> None:
    points = rig.table.load(rig.light.POINTS)
    for model in ("trained", "tuned"):
        for knob in ("photons", "bits", "camera"):
            values = rig.knobs.knob_of(knob).values
            found = {p.value: p for p in points if (p.model, p.knob) == (model, knob)}
            if not found:
                continue
            assert set(found) == set(values)
            for worse, better in pairwise(found[value] for value in values):
                _, most = rig.statistics.wilson(better.right, better.images)
                assert worse.right / worse.images <= most
            darkest = found[values[0]]
            assert darkest.lost > darkest.won
            assert rig.statistics.differs(darkest.lost, darkest.won)


@needs.FASHION_MNIST.mark
def test_kept_model_answers_alike_on_ideal_light(rig: Rig, tmp_path: Path) -> None:
    recipe = rig.model.recipe_of("fashion-mnist")
    model, _ = rig.model.load_model(rig.light.MODELS, "fashion-mnist-trained", recipe)
    data = open_data(recipe.data)
    setup = rig.knobs.knob_of("ideal").setup(0.0, rig.knobs.SIDE)
    found = rig.evaluate.answers(
        model, "key", setup, data, 20, batch=10, seed=1, stored=tmp_path / "ideal.json",
        progress=print,
    )  # fmt: skip
    assert found.predicted == rig.evaluate.electronic(model, data, 20).tolist()
    assert found.off < 3e-5
