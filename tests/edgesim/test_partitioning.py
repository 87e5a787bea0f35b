"""``edgesim partition``: one table or one JSON document, clear messages, and work that is kept."""

import json
import signal
import sys
from pathlib import Path

import pytest
import yaml

from edgesim import partitioning
from edgesim.common.errors import InputError
from edgesim.common.interrupts import Held
from partition import read_trained
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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["split.parts=11"], "11 parts cannot share 10 classes"),
        (["split.parts=two"], r"recipe\.split\.parts: expected a whole number"),
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
                         "the same command goes on\n")  # fmt: skip
    kept = [path.suffixes for path in checkpoints.iterdir()]
    assert kept == [[".checkpoint", ".safetensors"]]
    assert not (tmp_path / "out").exists()
