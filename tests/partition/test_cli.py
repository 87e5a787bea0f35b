"""``python -m partition``: exit statuses, messages, and where a recipe is found."""

import pytest
import yaml

from partition.__main__ import main
from partition.errors import InputError
from partition.manifest import read_trained
from partition.progress import ConsoleProgress, Report
from partition.scenario import load_recipe
from tests.partition.test_run import SMALL, small


def _file(tmp_path, values):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_recipe_is_found_bare_or_in_a_scenario(tmp_path):
    assert load_recipe(_file(tmp_path, SMALL)) == small()
    scenario = {"name": "x", "model": {"training": SMALL}, "nodes": {}}
    assert load_recipe(_file(tmp_path, scenario)) == small()


def test_relative_paths_are_taken_from_the_folder_of_the_file(tmp_path):
    values = {
        "data": {"name": "mnist", "folder": "files"},
        "model": {"checkpoint": "/x.safetensors"},
    }
    recipe = load_recipe(_file(tmp_path, values))
    assert recipe.data.folder == str(tmp_path / "files")
    assert recipe.model.checkpoint == "/x.safetensors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "expected a mapping"),
        ("model: {training: {sed: 1}}", r"model\.training\.sed: unknown key .did you mean 'seed'"),
        ("nodes: {}\nmodel: {name: vit_tiny_patch16_224}", "has no 'training' section"),
        ("node: {}", r"recipe\.node: unknown key"),
        ("model: {training: }", r"model\.training: expected a mapping, not None"),
    ],
)
def test_files_without_a_recipe_are_refused(tmp_path, text, message):
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(tmp_path / "f.yaml")
    with pytest.raises(InputError, match="cannot read"):
        load_recipe(tmp_path / "g.yaml")


def test_the_command_makes_an_artifact_and_tells_its_figures(tmp_path, capsys):
    path = _file(tmp_path, SMALL)
    out = tmp_path / "out"
    status = main([str(path), "-o", str(out), "--quiet", "--parts", "2", "--heads", "1"])
    manifest = read_trained(out)
    assert status == 0
    assert [part.heads_kept for part in manifest.parts] == [1, 1]
    assert f"{manifest.fusion.accuracy:.2%}" in capsys.readouterr().out


def test_wrong_input_is_one_line_and_exit_status_two(tmp_path, capsys):
    assert main([str(tmp_path / "none.yaml"), "-o", str(tmp_path / "o"), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "cannot read" in told
    path = _file(tmp_path, {**SMALL, "devices": [{"name": "watch", "memory_bytes": 10}] * 3})
    assert main([str(path), "-o", str(tmp_path / "o"), "--quiet"]) == 1
    assert "watch has 10" in capsys.readouterr().err


def test_the_console_bar_shows_step_and_figures(capsys):
    with ConsoleProgress() as progress:
        progress(Report(step="unsplit", done=0.5, loss=1.25))
        progress(Report(step="unsplit", done=1.0, loss=1.0, accuracy=0.875))
        progress(Report(step="unsplit", done=1.0, loss=1.0, accuracy=0.875))
        progress(Report(step="part 1/1: mlp importance", done=1.0))
    shown = capsys.readouterr().err
    assert shown.startswith("unsplit ")
    assert "loss 1.000  accuracy 87.50%" in shown
    assert shown.count("\n") == 1
