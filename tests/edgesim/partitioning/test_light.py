"""A recipe with a section ``light``: trained, measured on the physical road, simulated on a 4f."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from edgesim import api, scenario
from edgesim.partitioning.light import PhysicalRoad
from edgesim.report.run_tables import accuracy_sentence
from optics.convshare import from_vit
from partition import read_trained, run
from partition.artifact import load_artifact
from partition.classify import predict
from partition.config import ViTConfig
from partition.data import open_data
from partition.errors import InputError
from partition.light import Lit
from partition.manifest import manifest_hash, parse_manifest
from partition.model import VisionTransformer
from partition.recipe import LightSpec, Recipe
from tests.edgesim.command import edgesim

SMALL: dict[str, Any] = {
    "name": "small-light",
    "seed": 3,
    "data": {"limit": 40},
    "model": {"width": 24, "depth": 1, "heads": 4, "head_width": 6, "mlp_width": 32},
    "training": {"epochs": 6, "batch": 32, "learning_rate": 5e-3},
    "split": {"parts": 2},
    "pruning": {"heads": 2, "images": 8, "tuning": {"epochs": 0},
                "final": {"epochs": 3, "batch": 32, "learning_rate": 5e-3}},
    "fusion": {"hidden": [16], "training": {"epochs": 6, "batch": 32}},
}  # fmt: skip
POINT = {"bits": 8, "camera_bits": 12, "photons": 20.0, "images": 60, "plane": 48}


def made(folder: Path, work: Path, light: dict[str, Any] | None, notes: list[str] | None = None):
    recipe = Recipe.from_mapping({**SMALL, **({} if light is None else {"light": light})})

    def note(report: Any) -> None:
        if notes is not None and report.note:
            notes.append(report.note)

    return run(recipe, folder, note, work_dir=work, road=PhysicalRoad())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("light")
    made(place / "artifact", place / "work", POINT)
    return place


def test_the_manifest_keeps_point_and_accuracies(folder: Path) -> None:
    manifest = read_trained(folder / "artifact")
    light = manifest.light
    assert light is not None
    point = {key: getattr(light, key) for key in ("bits", "camera_bits", "photons", "plane")}
    assert {**point, "images": light.images} == POINT
    assert set(light.survivors.accuracy) == {"00", "10", "01", "11"}
    assert light.survivors.accuracy["11"] == light.fused.accuracy
    for one in (light.unsplit, light.fused):
        assert abs(one.accuracy - one.electronic) <= 1 - one.same + 1e-12
        assert 0.6 < one.same <= 1
    assert manifest.unsplit.accuracy == pytest.approx(light.unsplit.electronic, abs=0.15)


def test_an_ideal_system_gives_the_answers_of_electronics(folder: Path) -> None:
    notes: list[str] = []
    light = made(folder / "ideal", folder / "work", {"images": 60, "plane": 48}, notes).light
    assert light is not None
    assert (light.unsplit.same, light.fused.same, light.saturated) == (1.0, 1.0, 0)
    assert light.fused.accuracy == light.fused.electronic
    reused = [note for note in notes if "reused" in note]
    assert any("unsplit: reused" in note for note in reused)
    assert not any(note.startswith("light") for note in reused)


def test_little_light_costs_answers(folder: Path) -> None:
    entries = [
        made(folder / "dim", folder / "work", {**POINT, "photons": photons}).light
        for photons in (0.02, 100.0)
    ]
    dim, bright = entries
    assert dim is not None
    assert bright is not None
    assert dim.unsplit.same < 0.8 < bright.unsplit.same
    assert dim.fused.same < bright.fused.same


def test_the_same_recipe_gives_the_same_bytes_and_steps_are_reused(
    folder: Path, tmp_path: Path
) -> None:
    notes: list[str] = []
    made(tmp_path / "again", folder / "work", POINT, notes)
    manifest = (folder / "artifact" / "manifest.json").read_bytes()
    assert (tmp_path / "again" / "manifest.json").read_bytes() == manifest
    for name in ("unsplit", "part 0", "part 1"):
        assert any(note.startswith(f"light: {name}: reused") for note in notes)
    for path in (folder / "work").glob("light-*.safetensors"):
        path.unlink()
    made(tmp_path / "computed", folder / "work", POINT)
    assert (tmp_path / "computed" / "manifest.json").read_bytes() == manifest


def test_the_road_runs_every_layer_on_light_and_the_models_stay(folder: Path) -> None:
    loaded = load_artifact(folder / "artifact")
    data = open_data(loaded.manifest.recipe.data)
    part, test = loaded.parts[0], data.test.take(torch.arange(30))
    inputs = data.to_input(test.images[:])
    before = predict(part, test, data)
    lit = PhysicalRoad()(part, LightSpec(plane=48), inputs, 0)(inputs, 1)
    assert isinstance(lit, Lit)
    torch.testing.assert_close(lit.logits, before, rtol=0, atol=2e-4)
    torch.testing.assert_close(lit.features, part.features(inputs), rtol=0, atol=2e-4)
    assert torch.equal(predict(part, test, data), before)


def test_what_does_not_fit_is_named() -> None:
    config = ViTConfig(image=8, channels=1, patch=2, width=24, depth=1, heads=4, head_width=6,
                       mlp_width=32, classes=10)  # fmt: skip
    model = VisionTransformer(config, torch.Generator().manual_seed(0)).eval()
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with pytest.raises(InputError, match=r"^light: patch_embed\.proj: .*take a larger plane"):
        PhysicalRoad()(model, LightSpec(plane=8), images, 0)
    with pytest.raises(InputError, match="no light passes the filter"):
        PhysicalRoad()(linear_zero(model), LightSpec(plane=48, bits=1), images, 0)


def linear_zero(model: VisionTransformer) -> VisionTransformer:
    """Return a model whose patches are all zeros."""
    model.patch_embed.proj.weight.data.zero_()
    return model


def test_a_recipe_with_light_needs_something_that_computes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing that computes light was given"):
        run(Recipe.from_mapping({**SMALL, "light": POINT}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_manifest_with_other_parts_is_refused(folder: Path) -> None:
    document = json.loads((folder / "artifact" / "manifest.json").read_bytes())
    document["light"]["survivors"]["accuracy"] = {"111": 0.5}
    document["sha256"] = manifest_hash(document)
    with pytest.raises(InputError, match=r"light\.survivors\.accuracy: expected 2, got 3"):
        parse_manifest(json.dumps(document).encode(), "m")


LIGHT = {"kind": "optical-4f", "preset": "fatnet-2160", "signs": "two-shot",
         "input": {"bits": 8}, "filter": {"bits": 8}, "camera": {"bits": 12}, "link": "31.5 GB/s",
         "host": "intel-i9-10940x"}  # fmt: skip


def cluster(folder: Path, device: Any, **changes: Any) -> scenario.Scenario:
    document = {
        "seed": 1,
        "model": {"artifact": str(folder / "artifact")},
        "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub", "nodes": ["part"]},
        "nodes": {
            "part": {"device": device, "count": 2},
            "hub": {"device": "raspberry-pi-5"},
        },
        "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.25 ms"}},
        "traffic": {"arrivals": "periodic", "rate": "2/s", "requests": 20},
        **changes,
    }
    return scenario.from_mapping(document)


def test_a_scenario_on_a_4f_has_the_accuracy_of_light(folder: Path) -> None:
    light = read_trained(folder / "artifact").light
    assert light is not None
    result = api.run(cluster(folder, LIGHT))
    found = result.summary["accuracy"]
    assert found["top1_all_parts"] == light.fused.accuracy
    assert found["top1"] == pytest.approx(light.fused.accuracy, rel=1e-12)
    assert (found["top1_unsplit"], found["samples"]) == (light.unsplit.accuracy, 60)
    point = "modulators of 8 bits, a camera of 12 bits, 20 detected photons per MAC"
    assert found["light"] == point
    assert f"60 test images on light: {point}" in str(accuracy_sentence(result.summary))
    assert not any("accuracy" in one for one in result.summary["warnings"])


def test_the_same_scenario_on_boards_has_that_without_light(folder: Path) -> None:
    manifest = read_trained(folder / "artifact")
    found = api.run(cluster(folder, "raspberry-pi-4b")).summary["accuracy"]
    assert found["top1"] == pytest.approx(manifest.fusion.accuracy, rel=1e-12)
    assert "light" not in found


def test_a_lost_part_counts_with_the_accuracy_of_light(folder: Path) -> None:
    """The second part is down for the requests at 5, 5.5, … 7 s: five of twenty miss it."""
    light = read_trained(folder / "artifact").light
    assert light is not None
    down = {"device": LIGHT, "faults": {"schedule": [{"at": "4.9 s", "duration": "2.5 s"}]}}
    nodes = {"one": {"device": LIGHT}, "two": down, "hub": {"device": "raspberry-pi-5"}}
    placement = {"strategy": "class-wise", "input": "hub", "fusion": "hub", "nodes": ["one", "two"]}
    summary = api.run(cluster(folder, LIGHT, nodes=nodes, placement=placement)).summary
    lost = summary["requests"]["degraded"]
    assert lost == 5
    survivors = light.survivors.accuracy
    mean = ((20 - lost) * survivors["11"] + lost * survivors["10"]) / 20
    assert summary["accuracy"]["top1"] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        (
            {"nodes": {"part": {"device": LIGHT, "count": 2}, "hub": {"device": LIGHT}}},
            "'fusion' is on it here",
        ),
        (
            {
                "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub",
                              "nodes": ["one", "two"]},
                "nodes": {"one": {"device": LIGHT}, "two": {"device": "raspberry-pi-4b"},
                          "hub": {"device": "raspberry-pi-5"}},
            },
            "'part-1' is off it here",
        ),
    ],
)  # fmt: skip
def test_what_was_not_measured_is_not_claimed(
    folder: Path, changes: dict[str, Any], warning: str
) -> None:
    summary = api.run(cluster(folder, LIGHT, **changes)).summary
    assert summary["accuracy"] is None
    assert any(warning in one for one in summary["warnings"])


def test_an_artifact_without_light_says_how_it_is_measured(folder: Path) -> None:
    made(folder / "dark" / "artifact", folder / "work", None)
    summary = api.run(cluster(folder / "dark", LIGHT)).summary
    assert summary["accuracy"] is None
    assert any("give its recipe a section 'light'" in one for one in summary["warnings"])


def test_a_coarser_device_than_was_measured_is_warned_of(folder: Path) -> None:
    coarse = {**LIGHT, "filter": {"bits": 4}, "camera": {"bits": 8}}
    summary = api.run(cluster(folder, coarse)).summary
    said = [one for one in summary["warnings"] if "coarser" in one]
    assert len(said) == 2
    assert said[0].endswith(
        "node 'part-0' is coarser: its filter has 4 bits, its camera has 8 bits"
    )


def test_the_whole_model_runs_on_light_too(folder: Path) -> None:
    light = read_trained(folder / "artifact").light
    assert light is not None
    nodes = {"one": {"device": LIGHT}, "hub": {"device": "raspberry-pi-5"}}
    single = {"strategy": "single", "input": "hub", "nodes": ["one"]}
    found = api.run(cluster(folder, LIGHT, nodes=nodes, placement=single)).summary["accuracy"]
    assert found["top1"] == pytest.approx(light.unsplit.accuracy, rel=1e-12)


def test_the_command_prints_what_light_costs(tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    few = {**SMALL, "training": {"epochs": 1}, "split": {"parts": 1},
           "light": {**POINT, "images": 20}}  # fmt: skip
    few["pruning"] = {**SMALL["pruning"], "final": {"epochs": 1}}
    file.write_text(json.dumps(few))
    done = edgesim("partition", file, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    point = "modulators of 8 bits, a camera of 12 bits, 20 detected photons per MAC"
    assert f"On light, with {point}, on 20 test images: fused" in said


def test_the_version_changes_with_the_code_of_optics() -> None:
    version = PhysicalRoad().version
    assert version == PhysicalRoad().version
    assert len(version) == 16


@torch.no_grad()
def test_a_plain_vit_on_light_is_the_convsharevit_of_its_weights() -> None:
    """Two models of other code: whole-map kernels of :mod:`optics.convshare`, and ours on light."""
    config = ViTConfig(image=8, channels=1, patch=2, width=24, depth=2, heads=4, head_width=6,
                       mlp_width=48, classes=10)  # fmt: skip
    model = VisionTransformer(config, torch.Generator().manual_seed(0)).eval()
    model.head.weight.mul_(20)
    images = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    share = from_vit(model.state_dict(), heads=4).eval()
    assert share.config.qkv == share.config.mlp == "shared-valid"
    torch.testing.assert_close(share(images), model(images), rtol=0, atol=1e-5)
    lit = PhysicalRoad()(model, LightSpec(plane=48), images, 0)(images, 1)
    torch.testing.assert_close(lit.logits, share(images), rtol=0, atol=1e-4)
