"""``edgesim partition``: one table or one JSON document, clear messages, and work that is kept."""

import json
import signal
import sys
from pathlib import Path

import pytest
import yaml

from edgesim import partitioning, scenario
from edgesim.common.errors import InputError
from edgesim.common.interrupts import Held
from edgesim.common.progress import StepBar
from edgesim.scenario.document import ScenarioError
from partition import read_trained
from partition.progress import Report
from partition.recipe import Recipe
from tests.edgesim.command import edgesim, started

EXAMPLES = Path(__file__).parents[2] / "examples"

RECIPE = {
    "name": "small",
    "seed": 3,
    "data": {"limit": 12},
    "model": {"width": 24, "depth": 2, "heads": 4, "head_width": 6, "mlp_width": 32},
    "training": {"epochs": 1, "batch": 32},
    "split": {"parts": 2},
    "pruning": {
        "heads": 2,
        "images": 8,
        "tuning": {"epochs": 0},
        "final": {"epochs": 1, "batch": 32},
    },
    "fusion": {"hidden": [8], "training": {"epochs": 1, "batch": 32}},
}

SCENARIO = {
    "placement": {"strategy": "class-wise"},
    "nodes": {"pi": {"device": "raspberry-pi-4b", "count": 2}},
    "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.25 ms"}},
    "traffic": {"arrivals": "offline", "requests": 1},
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


def test_a_table_at_80_columns_and_an_artifact(file, tmp_path):
    done = edgesim("partition", file, "-o", tmp_path / "out", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    manifest = read_trained(tmp_path / "out")
    assert f"{100 * manifest.fusion.accuracy:.2f} %" in done.stdout
    assert f"{100 * manifest.parts[1].accuracy:.2f} %" in done.stdout
    table = done.stdout.split("Wrote ")[0]
    assert max(len(line) for line in table.splitlines()) <= 80
    assert "unsplit" in done.stderr


def test_json_is_the_manifest_and_alone_on_stdout(file, tmp_path):
    again = tmp_path / "again"
    options = ("--json", "--seed", "4", "--set", "split.parts=1")
    done = edgesim("partition", file, "-o", again, *options)
    assert json.loads(done.stdout) == json.loads((again / "manifest.json").read_text())
    assert (read_trained(again).seed, len(read_trained(again).parts)) == (4, 1)


def test_a_recipe_is_found_bare_or_in_a_scenario(file, tmp_path):
    bare = partitioning.load(file)
    assert bare == Recipe.from_mapping(RECIPE)
    for more in ({}, SCENARIO):
        whole = {"name": "x", "model": {"training": RECIPE}, **more}
        (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(whole))
        assert partitioning.load(tmp_path / "scenario.yaml") == bare


def test_relative_paths_are_taken_from_the_folder_of_the_file(file):
    settings = ["data.folder=files", "model.checkpoint=/x.safetensors"]
    recipe = partitioning.load(file, settings)
    assert recipe.data.folder == str(file.parent / "files")
    assert recipe.model.checkpoint == "/x.safetensors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"f\.yaml:2:1: the text ends inside a list"),
        ("- 1", r"f\.yaml:1:1: expected a mapping: a scenario, or a recipe, got a list"),
        ("model: {training: {sed: 1}}", r"f\.yaml:1:20: .*training\.sed: unknown key .*'seed'"),
        ("nodes: {}\nmodel: {name: vit_tiny_patch16_224}", "expected a 'training' section"),
        (
            "base: cluster.yaml\naxes: {seed: [1]}",
            "this is a study, which has a 'base'; run it "
            "with `edgesim sweep`; `edgesim partition` takes a scenario or a recipe",
        ),
        ("node: {}", r"f\.yaml:1:1: node: unknown key"),
        (
            "model: {training: }",
            r"model\.training: expected a mapping with keys such as .*, got nothing",
        ),
    ],
)
def test_files_without_a_recipe_are_refused(tmp_path, text, message):
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        partitioning.load(tmp_path / "f.yaml")
    with pytest.raises(InputError, match=r"g\.yaml"):
        partitioning.load(tmp_path / "g.yaml")


WRONG = """\
model:
  training:
    seed: -1
    data: {name: cifar, validation: 1.5}
    training: {learning_rate: 3e-3, epochs: 1.5, mixup: .nan}
    split: {parts: two, groping: apart, other: 1}
    pruning: {stages: [mlp], importance: kle, tuning: {epochs: 1e1}}
    devices: [{memory_bytes: 5}, {name: a, latency_s: 1}]
    fusion: {training: {mixup: 0.5}}
    model: {name: vit_tin_patch16_224, stem: 3}
"""
FOUND = [
    "3:11: model.training.seed: expected at least 0, got -1",
    "4:18: model.training.data.name: expected one of digits, fashion-mnist, mnist, cifar-10, "
    "cifar-100, folder, got 'cifar' (did you mean 'cifar-10'?)",
    "4:37: model.training.data.validation: expected less than 1, got 1.5",
    "5:45: model.training.training.epochs: expected an integer, got 1.5",
    "5:57: model.training.training.mixup: expected a finite number, got nan",
    "6:20: model.training.split.parts: expected an integer, got 'two'",
    "6:25: model.training.split.groping: unknown key 'groping' (did you mean 'grouping'?)",
    "6:48: model.training.split.other: expected true or false, got 1",
    "7:23: model.training.pruning.stages: expected residual, attention, mlp in some order, got mlp",
    "7:42: model.training.pruning.importance: expected one of kl, taylor, magnitude, random, "
    "taylor-kl, got 'kle' (did you mean 'kl'?)",
    "8:15: model.training.devices.0: expected a value for 'name', which is not given",
    "8:34: model.training.devices.1: device a: a latency limit needs macs_per_second",
    "9:13: model.training.fusion: the fusion is trained on features: mixup, folds and "
    "augmentation do not apply",
    "10:19: model.training.model.name: unknown model 'vit_tin_patch16_224' "
    "(did you mean 'vit_tiny_patch16_224'?); known: "
    "vit_tiny_patch16_224, vit_small_patch16_224, vit_base_patch16_224, vit_large_patch16_224, "
    "vit_huge_patch14_224, deit_tiny_distilled_patch16_224, deit_small_distilled_patch16_224, "
    "deit_base_distilled_patch16_224",
    "10:46: model.training.model.stem: expected a list, got 3",
]


def test_all_mistakes_of_a_recipe_are_told_at_once_with_their_places(tmp_path):
    path = tmp_path / "f.yaml"
    for text in (WRONG, WRONG + yaml.safe_dump(SCENARIO)):
        path.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            partitioning.load(path)
        assert list(caught.value.problems) == [f"{path}:{line}" for line in FOUND]
    # What `edgesim check` reads.
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert list(caught.value.problems) == [f"{path}:{line}" for line in FOUND]


def test_numbers_are_those_of_yaml_1_2(file):
    settings = ["training.learning_rate=3e-3", "training.epochs=1e1", "name='no'"]
    recipe = partitioning.load(file, settings)
    assert (recipe.training.learning_rate, recipe.training.epochs) == (0.003, 10)
    assert isinstance(recipe.training.epochs, int)
    assert partitioning.load(file, ["name=no"]).name == "no"


def test_the_bar_shows_step_and_figures(capsys):
    with StepBar() as progress:
        progress(Report(step="unsplit", done=0.5, loss=1.25))
        progress(Report(step="unsplit", done=1.0, loss=1.0, accuracy=0.875))
        progress(Report(step="unsplit", done=1.0, loss=1.0, accuracy=0.875))
        progress(Report(step="part 1/1: mlp importance", done=1.0))
        progress(Report(step="part 1/1: mlp", done=0.0, note="part 1/1: [8] images"))
    shown = capsys.readouterr().err
    assert shown.startswith("unsplit ")
    assert "loss 1.000  accuracy 87.50%" in shown
    assert shown.splitlines()[1:] == ["part 1/1: [8] images"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["split.parts=11"], "11 parts cannot share 10 classes"),
        (
            ["split.parts=two"],
            r"^--set split\.parts=two: split\.parts: expected an integer, got",
        ),
        (["data.name=fashion-mnist", "data.folder=nowhere"], "dataset-fashion-mnist"),
        (["data.name=cifar"], "did you mean 'cifar-10'"),
    ],
)
def test_wrong_input_is_named(file, tmp_path, settings, message):
    with pytest.raises(InputError, match=message), Held() as held:
        partitioning.make(partitioning.load(file, settings), tmp_path / "out", tmp_path / "w", held)
    assert not (tmp_path / "out").exists()


def test_wrong_input_is_one_line_and_exit_status_two(file, tmp_path):
    done = edgesim("partition", file, "-o", tmp_path / "out", "--set", "split.parts=11")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "11 parts cannot share 10 classes" in done.stderr


def test_the_rest_of_a_scenario_is_checked_before_training(tmp_path):
    text = (EXAMPLES / "digits-partition.yaml").read_text()
    (tmp_path / "file.yaml").write_text(text.replace("1 Gbit/s", "1 Gbit"))
    with pytest.raises(InputError, match=r"file\.yaml:\d+:\d+: network\.switch\.bandwidth"):
        partitioning.load(tmp_path / "file.yaml")
    (tmp_path / "file.yaml").write_text(text.replace("grouping: apart", "groping: apart"))
    with pytest.raises(InputError, match=r"split\.groping: unknown key .*'grouping'"):
        partitioning.load(tmp_path / "file.yaml")
    assert partitioning.load(EXAMPLES / "digits-partition.yaml", seed=9).seed == 9


def test_checking_a_recipe_says_that_it_is_valid_and_what_comes_next(file, tmp_path):
    scenario_file = EXAMPLES / "digits-partition.yaml"
    done = edgesim("check", scenario_file)
    assert done.returncode == 0, done.stderr
    assert "digits  is valid; the model is yet to be trained: 5 parts of digits" in done.stdout
    assert f"edgesim partition {scenario_file} -o DIR" in done.stdout
    assert f"edgesim run {scenario_file} --set model.training= --set" in done.stdout
    for bare in (file, EXAMPLES / "fashion-partition.yaml"):
        done = edgesim("check", bare)
        assert done.returncode == 0, done.stderr
        assert "is valid; the model is yet to be trained" in done.stdout
        assert "edgesim run" not in done.stdout
    done = edgesim("check", file, "--json", "--seed", "8")
    document = json.loads(done.stdout)
    assert (document["trained"], document["scenario"]) == (False, False)
    assert document["recipe"]["seed"] == 8
    assert document["recipe"]["model"]["width"] == 24


def test_checking_a_wrong_recipe_fails_with_all_mistakes(file):
    done = edgesim("check", file, "--set", "split.parts=two", "--set", "seed=-1")
    assert done.returncode == 2
    assert "split.parts: expected an integer" in done.stderr
    assert "seed: expected at least 0" in done.stderr
    done = edgesim("check", EXAMPLES / "digits-partition.yaml", "--set", "traffic.rate=no")
    assert done.returncode == 2
    assert "traffic.rate" in done.stderr


def test_running_before_partitioning_says_what_to_do():
    done = edgesim("run", EXAMPLES / "digits-partition.yaml")
    assert done.returncode == 2
    assert "run `edgesim partition FILE -o DIR`" in done.stderr


def test_an_interrupt_keeps_finished_steps(file, tmp_path):
    code = "from edgesim.cli import main; main()"
    command = [sys.executable, "-c", code, "partition", file, "-o", tmp_path / "out",
               "--set", "training.epochs=2000"]  # fmt: skip
    with started(command, tmp_path) as process:
        checkpoints = tmp_path / "out.work"
        while not list(checkpoints.glob("*.checkpoint.safetensors")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        told = process.communicate()[1]
    assert process.returncode == 1
    assert told.endswith(f"interrupted; finished steps are kept in {checkpoints}, "
                         "and the same command continues\n")  # fmt: skip
    kept = [path.suffixes for path in checkpoints.iterdir()]
    assert kept == [[".checkpoint", ".safetensors"]]
    assert not (tmp_path / "out").exists()


def test_damaged_images_are_one_message_or_left_out_when_asked(file, tmp_path):
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(8):
            pixels = bytes([16 * number] * 192)
            (tmp_path / "images" / label / f"{number}.ppm").write_bytes(b"P6 8 8 255\n" + pixels)
    damaged = tmp_path / "images" / "b" / "9.ppm"
    damaged.write_bytes(b"P6 8 8 25\x19\n")
    data = (
        "--set", "data={name: folder, folder: images, image: 8}", "--set", "split.parts=1",
        "-o", tmp_path / "out",
    )  # fmt: skip
    done = edgesim("partition", file, *data)
    assert done.returncode == 2
    assert f"cannot decode {damaged}" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    done = edgesim("partition", file, *data, "--skip-damaged")
    assert done.returncode == 0, done.stderr
    assert f"1 of 17 images are damaged and left out: {damaged}" in done.stderr
    assert "1 damaged image file was left out" in done.stdout
    assert read_trained(tmp_path / "out").data.skipped_files == ("b/9.ppm",)


def test_an_artifact_is_evaluated_in_a_table_and_as_json(file, tmp_path):
    assert edgesim("partition", file, "-o", tmp_path / "out").returncode == 0
    manifest = read_trained(tmp_path / "out")
    done = edgesim("evaluate", tmp_path / "out", "--parts", "1", "--form", "fp32", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    lines = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    shown = {
        "unsplit": manifest.unsplit.accuracy,
        "part 1, its own task": manifest.parts[1].accuracy,
        "fused, part 1": manifest.survivors.accuracy["01"],
    }
    for name, accuracy in shown.items():
        assert f"{100 * accuracy:.2f} %" in lines[name]
    assert "every part" not in done.stdout
    assert "part 0" not in done.stdout
    done = edgesim("evaluate", tmp_path / "out", "--form", "fp32", COLUMNS="80")
    lines = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert f"{100 * manifest.fusion.accuracy:.2f} %" in lines["fused, every part"]
    assert f"{100 * manifest.parts[0].accuracy:.2f} %" in lines["part 0, its own task"]
    done = edgesim("evaluate", tmp_path / "out", "--json")
    document = json.loads(done.stdout)
    assert list(document["forms"]) == ["fp32", "fp16", "bf16", "int8"]
    assert document["forms"]["fp32"]["fused"]["accuracy"] == manifest.fusion.accuracy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parts", "x"], "--parts: expected numbers of parts, such as 0,2, got x"),
        (["--form", "int4"], "--form: expected fp32, fp16, bf16, int8, got 'int4'"),
        ([], "is not an artifact"),
    ],
)
def test_wrong_evaluations_are_one_message(tmp_path, options, message):
    done = edgesim("evaluate", tmp_path, *options)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_evaluating_a_scenario_says_that_an_artifact_is_expected(file):
    done = edgesim("evaluate", file)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert f"{file} is a file; expected the folder of an artifact" in said
    assert "edgesim partition" in said
