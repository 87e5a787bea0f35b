"""Recipe to artifact on a few digits: whole, repeatable, resumable, tamper-evident."""

import json
import os
import shutil
from dataclasses import replace

import pytest
import torch

from partition.artifact import load_artifact, load_part, restore, write_artifact
from partition.code_version import code_of, code_version
from partition.config import ViTConfig
from partition.cost import mlp_cost, vit_cost
from partition.data import open_data
from partition.entries import cost_entry
from partition.errors import InfeasibleError, InputError, PartitionError
from partition.files import to_json
from partition.manifest import MANIFEST, manifest_hash, read_manifest, read_trained
from partition.pipeline import run
from partition.recipe import STAGES, Budget, Recipe

SMALL = {
    "name": "small",
    "seed": 3,
    "data": {"limit": 12},
    "model": {"width": 24, "depth": 2, "heads": 4, "head_width": 6, "mlp_width": 32},
    "training": {"epochs": 3, "batch": 32, "learning_rate": 0.005},
    "split": {"parts": 3},
    "pruning": {
        "heads": 2,
        "images": 16,
        "tuning": {"epochs": 1, "batch": 32},
        "final": {"epochs": 2, "batch": 32},
    },
    "fusion": {"hidden": [16], "training": {"epochs": 4, "batch": 32, "learning_rate": 0.005}},
}


def small(**changes):
    return Recipe.from_mapping({**SMALL, **changes})


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run") / "artifact"
    run(small(), folder)
    return folder


@pytest.fixture
def copy(artifact, tmp_path):
    shutil.copytree(artifact, tmp_path / "copy")
    return tmp_path / "copy"


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_manifest_tells_the_truth_about_the_weights(artifact):
    manifest, loaded = read_trained(artifact), load_artifact(artifact)
    data = open_data(manifest.recipe.data)
    inputs = loaded.to_input(data.test.images)
    predicted = loaded.answer(inputs).argmax(-1)
    assert manifest.fusion.accuracy == float((predicted == data.test.labels).double().mean())
    without = loaded.answer(inputs, (0, 2)).argmax(-1)
    expected = float((without == data.test.labels).double().mean())
    assert manifest.survivors.accuracy["101"] == pytest.approx(expected, abs=1.5 / len(inputs))
    assert manifest.survivors.accuracy["111"] == manifest.fusion.accuracy
    assert len(manifest.survivors.accuracy) == 8
    assert sorted(c for part in manifest.parts for c in part.classes) == list(range(10))
    for entry, model in zip(manifest.parts, loaded.parts):
        assert entry.parameters == sum(p.numel() for p in model.parameters())
        assert (model.config.width, model.config.mlp_width) == (12, 16)
        assert model.config.heads * model.config.head_width == 12
        assert entry.config.classes == len(entry.classes) + 1
        assert entry.macs == vit_cost(model.config).macs
    assert manifest.unsplit.accuracy > 0.2


def test_the_same_recipe_gives_the_same_bytes_even_after_kills(artifact, tmp_path):
    class KilledError(Exception):
        pass

    told = []

    def kill_at_the_sixth(report):
        if report.note is None:  # a line about what is reused is no progress
            told.append(report)
        if len(told) == 6:
            raise KilledError

    folder = tmp_path / "again"
    kills = 0
    while not folder.exists():
        told.clear()
        try:
            run(small(), folder, kill_at_the_sixth)
        except KilledError:
            kills += 1
        assert kills < 40
    assert kills > 5
    assert _bytes(folder) == _bytes(artifact)
    assert {path.name for path in tmp_path.iterdir()} == {"again", "again.work"}


def test_recipes_that_share_a_folder_share_the_unsplit_model(tmp_path):
    steps = []
    work = tmp_path / "work"
    run(small(), tmp_path / "three", work_dir=work)
    manifest = run(
        small(split={"parts": 1}), tmp_path / "one", lambda r: steps.append(r.step), work_dir=work
    )
    assert steps.count("unsplit") == 1  # the line that says that it is reused
    assert "part 1/1: residual importance" in steps
    assert [part.other for part in manifest.parts] == [False]
    assert list(manifest.survivors.accuracy) == ["0", "1"]


def _notes(recipe, folder, work, **given):
    """Return the notes of a run, but for the one that its few epochs taught nothing."""
    notes = []
    run(recipe, folder, lambda report: notes.append(report.note), work_dir=work, **given)
    return [note for note in notes if note and "nothing useful was learnt" not in note]


def test_every_reuse_is_a_line_and_fresh_reuses_nothing(artifact, tmp_path):
    work = tmp_path / "work"
    assert _notes(small(), tmp_path / "a", work) == []
    parts = [f"part {n}/3: {stage}" for n in (1, 2, 3) for stage in STAGES]
    said = _notes(small(), tmp_path / "b", work)
    steps = ["unsplit", "predictions", *parts, "fusion"]
    assert [note.split(": reused, from ")[0] for note in said] == steps
    files = {str(path) for path in work.iterdir()}
    assert {note.split(": reused, from ")[1] for note in said} == files
    times = {path: path.stat().st_mtime_ns for path in work.iterdir()}
    assert _notes(small(), tmp_path / "c", work, fresh=True) == []
    assert {
        path: path.stat().st_mtime_ns > times[path] for path in work.iterdir()
    } == dict.fromkeys(times, True)
    for name in "abc":
        assert _bytes(tmp_path / name) == _bytes(artifact)


def test_steps_of_other_code_are_not_reused(tmp_path, monkeypatch):
    work = tmp_path / "work"
    run(small(), tmp_path / "a", work_dir=work)
    before = set(work.iterdir())
    monkeypatch.setattr("partition.steps.code_version", lambda: "0123456789abcdef")
    assert _notes(small(), tmp_path / "b", work) == []
    assert len(set(work.iterdir()) - before) == len(before)


def test_what_a_kill_cut_short_continues_with_a_line(tmp_path):
    class KilledError(Exception):
        pass

    def kill_in_the_third_epoch(report):
        if report.step == "unsplit" and report.done > 0.6:
            raise KilledError

    with pytest.raises(KilledError):
        run(small(), tmp_path / "a", kill_in_the_third_epoch)
    (said,) = _notes(small(), tmp_path / "a", tmp_path / "a.work")
    assert said.startswith(f"unsplit: continued after epoch 2, from {tmp_path / 'a.work'}")


def test_the_version_of_the_code_is_that_of_what_it_does():
    code = 'def f(x):\n    """Text."""\n    return x + 1\n'
    assert code_of(code) == code_of("# note\ndef f(x):\n    return (x+1)\n\n'Said.'\n")
    assert code_of(code) != code_of(code.replace("1", "2"))
    assert len(code_version()) == 16


def test_polish_goes_on_from_the_pruned_part_and_shares_all_before(artifact, tmp_path):
    work, steps = tmp_path / "work", []
    run(small(), tmp_path / "plain", work_dir=work)
    pruning = {**SMALL["pruning"], "polish": {"epochs": 2, "batch": 32}, "polish_negatives": 1.0}

    def on_report(report):
        if report.note is None:
            steps.append(report.step)

    manifest = run(small(pruning=pruning), tmp_path / "polished", on_report, work_dir=work)
    trained = {step for step in steps if step.startswith("part")}
    assert trained == {f"part {number}/3: polish" for number in (1, 2, 3)}
    stages = [stage.stage for stage in manifest.parts[0].training]
    assert stages == ["residual", "attention", "mlp", "polish"]
    plain, polished = load_artifact(tmp_path / "plain"), load_artifact(tmp_path / "polished")
    assert plain.parts[0].config == polished.parts[0].config
    assert not torch.equal(plain.parts[0].head.weight, polished.parts[0].head.weight)
    assert _bytes(tmp_path / "plain") != _bytes(tmp_path / "polished")


def test_a_handful_of_validation_images_is_said(tmp_path):
    recipe = small(data={"limit": 12, "validation": 0.02})
    said = _notes(recipe, tmp_path / "a", tmp_path / "work")
    assert said[0].startswith("unsplit: only 30 validation images choose the best epoch; set ")
    assert [note.split(":")[0] for note in said] == ["unsplit", "part 1/3", "part 2/3", "part 3/3"]
    last = {**SMALL["training"], "selection": "last"}
    pruning = {**SMALL["pruning"], "final": {**SMALL["pruning"]["final"], "selection": "last"}}
    recipe = small(data={"limit": 12, "validation": 0.02}, training=last, pruning=pruning)
    assert not any("validation" in note for note in _notes(recipe, tmp_path / "a", tmp_path / "w"))


def test_a_damaged_step_is_made_again(tmp_path, artifact):
    run(small(), tmp_path / "a", work_dir=tmp_path / "work")
    for path in (tmp_path / "work").glob("part-*"):
        path.write_bytes(path.read_bytes()[:-3])
    said = _notes(small(), tmp_path / "b", tmp_path / "work")
    assert sum("is damaged; it is computed again" in note for note in said) == 9
    assert _bytes(tmp_path / "b") == _bytes(artifact)


def test_a_recipe_survives_its_manifest(artifact):
    assert read_trained(artifact).recipe == small()


@pytest.mark.parametrize("name", ["part-1.safetensors", "fusion.safetensors"])
def test_truncated_and_tampered_files_are_named(copy, name):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[:-1])
    with pytest.raises(InputError, match=f"{name} has SHA-256 .* truncated or was changed"):
        load_artifact(copy)
    (copy / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match=f"{name} has SHA-256"):
        load_artifact(copy)
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}"):
        load_artifact(copy)


def test_a_node_verifies_the_one_part_it_serves(copy):
    manifest = read_manifest(copy)
    assert load_part(copy, manifest, 1).config.width == 12
    (copy / "part-1.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="truncated or was changed"):
        load_part(copy, manifest, 1)
    assert load_part(copy, manifest, 0).config.width == 12


def _rewrite(folder, change):
    """Change the manifest and give it a right hash of its own: only contradictions are left."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    manifest["sha256"] = manifest_hash(manifest)
    (folder / MANIFEST).write_text(to_json(manifest))


def test_manifests_that_were_changed_or_contradict_the_weights_are_refused(copy):
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(text.replace('"name": "small"', '"name": "large"'))
    with pytest.raises(InputError, match="changed after it was written"):
        read_manifest(copy)
    (copy / MANIFEST).write_text(text[:-40])
    with pytest.raises(InputError, match="is damaged"):
        read_manifest(copy)
    (copy / MANIFEST).write_text(text)
    _rewrite(copy, lambda m: m["parts"][0]["config"].update(mlp_width=17))
    with pytest.raises(InputError, match=r"parts\.0: parameters: expected .* its shape has"):
        load_artifact(copy)
    (copy / MANIFEST).write_text(text)
    other = {**json.loads(text)["parts"][0]["config"], "mlp_width": 17}
    _rewrite(copy, lambda m: m["parts"][0].update(cost_entry(ViTConfig.from_dict(other))))
    with pytest.raises(InputError, match="does not fit the model"):
        load_artifact(copy)
    (copy / MANIFEST).write_text(text)
    large = {**json.loads(text)["parts"][0]["config"], "mlp_width": 1 << 24, "depth": 10_000}
    _rewrite(copy, lambda m: m["parts"][0].update(cost_entry(ViTConfig.from_dict(large))))
    with pytest.raises(InputError, match=r"part-0.* bytes, and the manifest says .* of weights"):
        load_artifact(copy)
    (copy / MANIFEST).write_text(text)
    _rewrite(copy, lambda m: m["fusion"].update(widths=[1, 2, 3], **mlp_cost([1, 2, 3])))
    with pytest.raises(InputError, match="fusion: widths: expected 36 features of all parts"):
        load_artifact(copy)
    (copy / MANIFEST).write_text(text)
    _rewrite(copy, lambda m: m["fusion"].update(widths=[36, 17, 10], **mlp_cost([36, 17, 10])))
    with pytest.raises(InputError, match="not of the parts and layers that the manifest names"):
        load_artifact(copy)
    (copy / MANIFEST).write_text(text)
    _rewrite(copy, lambda m: m.update(schema=99))
    with pytest.raises(InputError, match="schema 99"):
        read_manifest(copy)
    with pytest.raises(InputError, match=r"is not an artifact.*edgesim partition"):
        read_manifest(copy / "nothing")


def test_foreign_folders_are_left_alone_and_artifacts_replaced(copy, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="choose another folder"):
        run(small(), tmp_path / "mine")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        run(small(), tmp_path / "file")
    loaded = load_artifact(copy)
    document = json.loads((copy / MANIFEST).read_text())
    link = tmp_path / "link"
    link.symlink_to(copy)
    with pytest.raises(InputError, match="link is a symbolic link; name the folder itself"):
        write_artifact(link, document, loaded.parts, loaded.fusion)
    write_artifact(copy, {**document, "name": "new"}, loaded.parts, loaded.fusion)
    assert read_manifest(copy).name == "new"
    with pytest.raises(InputError, match=r"manifest for .*fusion\.macs: expected at least 0"):
        write_artifact(
            copy, {**document, "fusion": {**document["fusion"], "macs": -1}}, loaded.parts,
            loaded.fusion,
        )  # fmt: skip
    assert read_manifest(copy).name == "new"


def test_a_full_disk_leaves_the_old_artifact(copy, monkeypatch):
    loaded, before = load_artifact(copy), _bytes(copy)
    document = json.loads(before[MANIFEST])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PartitionError, match="No space left"):
        write_artifact(copy, document, loaded.parts, loaded.fusion)
    assert _bytes(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_devices_set_the_sizes_and_what_cannot_fit_is_known_before_training(tmp_path):
    recipe = small(pruning={**SMALL["pruning"], "heads": None})
    roomy = tuple(
        Budget(name=f"pi-{n}", memory_bytes=size) for n, size in enumerate((9_000, 40_000, 16_000))
    )
    manifest = run(replace(recipe, devices=roomy), tmp_path / "a")
    for part in manifest.parts:
        limit = next(b.memory_bytes for b in roomy if b.name == part.device)
        assert part.bytes <= limit
    assert sorted(part.device for part in manifest.parts) == ["pi-0", "pi-1", "pi-2"]
    fit = manifest.fit
    assert sum(fit.exact.heads) > sum(fit.greedy.heads)
    assert fit.gap == pytest.approx(1 - sum(fit.greedy.heads) / sum(fit.exact.heads))
    steps = []
    small_devices = (*roomy[1:], Budget(name="watch", memory_bytes=100))
    with pytest.raises(InfeasibleError, match=r"needs \d+ bytes, watch has 100"):
        run(replace(recipe, devices=small_devices), tmp_path / "b", steps.append)
    assert steps == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"parts": 11}}, "11 parts cannot share 10 classes"),
        ({"split": {"part": 3}}, r"recipe: split\.part: unknown key"),
        ({"training": {"epochs": 1.5}}, r"training\.epochs: expected a valid integer, got '1\.5'"),
        ({"training": {"batch": 0}}, r"training\.batch: expected at least 1, got '0'"),
        ({"pruning": {"importance": "kle"}}, "'magnitude', 'random' or 'taylor-kl', got 'kle'"),
        ({"pruning": {"polish_negatives": 2}}, "polish_negatives: expected at most 1, got '2'"),
        ({"pruning": {"heads": 9}}, "heads kept must be from 1 to 4, not 9"),
        (
            {"pruning": {"stages": ["mlp"]}},
            "stages: expected residual, attention, mlp in some order",
        ),
        ({"model": {"stem": 3}}, r"model\.stem: expected a valid tuple"),
        ({"model": {"patch": 3}}, "multiple of 3"),
        ({"devices": [{"memory_bytes": 5}]}, r"devices\.0\.name: expected a value, got none"),
        ({"data": 3}, "data: expected a dictionary"),
        ({"seed": -1}, "seed"),
        ({"fusion": {"hidden": [0]}}, "hidden"),
        ({"split": {"grouping": "near"}}, "'random', 'together' or 'apart', got 'near'"),
        ({"split": {"other": False, "parts": 10}}, "needs an 'other'"),
    ],
)
def test_wrong_recipes_are_refused_by_key(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run(small(**changes), tmp_path / "a")


def test_parts_without_other_are_measured_on_their_own_classes_alone(tmp_path):
    manifest = run(small(split={"parts": 5, "other": False, "grouping": "random"}), tmp_path / "a")
    data = open_data(small().data)
    loaded = load_artifact(tmp_path / "a")
    for entry, model in zip(manifest.parts, loaded.parts):
        assert entry.config.classes == len(entry.classes) == 2
        own = torch.isin(data.test.labels, torch.tensor(entry.classes))
        predicted = model(loaded.to_input(data.test.images[own])).argmax(-1)
        right = torch.tensor(entry.classes)[predicted] == data.test.labels[own]
        assert entry.accuracy == pytest.approx(float(right.double().mean()), abs=1.5 / len(right))


def test_a_kill_between_the_renames_loses_no_artifact(copy, monkeypatch):
    loaded, before = load_artifact(copy), _bytes(copy)
    document, rename = json.loads(before[MANIFEST]), os.replace

    class KilledError(BaseException):
        pass

    def killed(source, target):
        if str(target) == str(copy):
            raise KilledError
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("partition.artifact.os.replace", killed)
        with pytest.raises(KilledError):
            write_artifact(copy, document, loaded.parts, loaded.fusion, loaded.unsplit)
    assert not copy.exists()
    restore(copy)
    assert _bytes(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_full_disk_in_a_step_is_one_message_and_what_was_finished_stays(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def filling(descriptor):
        calls.append(descriptor)
        if len(calls) > 6:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", filling)
        with pytest.raises(PartitionError, match=r"No space left.*finished steps are kept"):
            run(small(), tmp_path / "a")
    kept = {path.name for path in (tmp_path / "a.work").iterdir()}
    assert any(name.startswith("unsplit-") for name in kept)
    assert not any(name.endswith(".tmp") for name in kept)
    said = _notes(small(), tmp_path / "a", tmp_path / "a.work")
    assert any(note.startswith("unsplit: reused") for note in said)


def test_a_fusion_that_learnt_nothing_is_reported(tmp_path):
    notes = []
    few = {"epochs": 0}
    untrained = small(training=few, split={"parts": 2}, fusion={"hidden": [4], "training": few})
    manifest = run(untrained, tmp_path / "out", lambda report: notes.append(report.note))
    said = [note for note in notes if note and "nothing useful was learnt" in note]
    assert len(said) == (manifest.fusion.accuracy <= 0.11)
    share = f"{manifest.fusion.accuracy:.1%} of the test images"
    assert said[0].startswith(f"fused answers are right on {share}")
