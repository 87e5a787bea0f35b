"""An artifact measured again: what the run measured, on other images, with parts missing."""

import json

import pytest
import torch
from PIL import Image

from partition.artifact import load_artifact, write_artifact
from partition.data import open_data
from partition.errors import InputError
from partition.evaluate import evaluate
from partition.forms import FORMS, in_form, rounded
from partition.manifest import MANIFEST, read_trained
from partition.pipeline import run
from tests.partition.small import generator, images, tiny_model
from tests.partition.test_run import small


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("evaluate") / "artifact"
    run(small(), folder)
    return folder


def test_the_unsplit_model_is_in_the_artifact(artifact):
    manifest, loaded = read_trained(artifact), load_artifact(artifact)
    data = open_data(manifest.recipe.data)
    predicted = loaded.unsplit(loaded.to_input(data.test.images)).argmax(-1)
    right = float((predicted == data.test.labels).double().mean())
    assert manifest.unsplit.accuracy == right
    assert "unsplit.safetensors" in manifest.files


def test_its_own_test_images_give_the_accuracies_of_the_manifest(artifact):
    manifest = read_trained(artifact)
    found = evaluate(artifact, subsets=[[0], [0, 2], [0, 1, 2]])
    (form,) = found.forms
    assert (found.samples, form.form) == (manifest.data.images.test, "fp32")
    assert form.unsplit["accuracy"] == manifest.unsplit.accuracy
    assert list(form.parts) == [part.accuracy for part in manifest.parts]
    assert form.fused["accuracy"] == manifest.fusion.accuracy
    assert tuple(form.fused["class_accuracies"]) == manifest.fusion.class_accuracies
    for key, accuracy in form.subsets.items():
        assert accuracy == pytest.approx(
            manifest.survivors.accuracy[key], abs=1.5 / manifest.data.images.test
        )
    assert list(form.subsets) == ["100", "101", "111"]
    assert list(evaluate(artifact).forms[0].subsets) == ["011", "101", "110"]


def test_images_of_a_folder_are_found_by_the_names_of_their_classes(artifact, tmp_path):
    loaded = load_artifact(artifact)
    test = open_data(loaded.manifest.recipe.data).test
    chosen = torch.isin(test.labels, torch.tensor([2, 7])).nonzero().flatten()
    for place in chosen.tolist():
        folder = tmp_path / "mine" / "test" / str(int(test.labels[place]))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(test.images[place, 0].numpy()).save(folder / f"{place}.png")
    found = evaluate(artifact, tmp_path / "mine")
    predicted = loaded.answer(loaded.to_input(test.images[chosen])).argmax(-1)
    right = float((predicted == test.labels[chosen]).double().mean())
    assert found.samples == len(chosen)
    assert found.forms[0].fused["accuracy"] == pytest.approx(right)
    known = [label for label, one in enumerate(found.forms[0].fused["class_accuracies"]) if one]
    assert set(known) <= {2, 7}
    (tmp_path / "mine" / "test" / "7").rename(tmp_path / "mine" / "test" / "seven")
    with pytest.raises(InputError, match=r"class 'seven' .* is none of the artifact's; its cl"):
        evaluate(artifact, tmp_path / "mine")
    with pytest.raises(InputError, match="no image folder at"):
        evaluate(artifact, tmp_path / "nothing")


@pytest.mark.parametrize("subsets", [[[3]], [[-1]], [[]]])
def test_parts_that_are_not_there_are_refused(artifact, subsets):
    with pytest.raises(InputError, match="expected numbers of parts from 0 to 2, got"):
        evaluate(artifact, subsets=subsets)


def test_every_form_is_measured_and_fp32_is_the_weights_as_they_are(artifact):
    found = evaluate(artifact, forms=FORMS)
    assert [one.form for one in found.forms] == list(FORMS)
    document = json.loads(json.dumps(found.to_dict()))
    assert set(document["forms"]) == set(FORMS)
    accuracies = [one.fused["accuracy"] for one in found.forms]
    # eight bits of weights cost a small model little: within five points of 359 images
    assert max(accuracies) - min(accuracies) < 0.05


def test_an_artifact_of_an_earlier_version_has_no_unsplit_weights(artifact, tmp_path):
    loaded = load_artifact(artifact)
    document = json.loads((artifact / MANIFEST).read_text())
    del document["unsplit"]["file"]
    write_artifact(tmp_path / "old", document, loaded.parts, loaded.fusion)
    assert load_artifact(tmp_path / "old").unsplit is None
    found = evaluate(tmp_path / "old")
    assert found.forms[0].unsplit is None
    assert found.forms[0].fused["accuracy"] == loaded.manifest.fusion.accuracy


def test_other_test_images_than_the_artifact_had_are_refused(artifact, monkeypatch):
    data = open_data(load_artifact(artifact).manifest.recipe.data)
    fewer = data.test.take(torch.arange(5))
    from dataclasses import replace

    monkeypatch.setattr("partition.evaluate.open_data", lambda *given: replace(data, test=fewer))
    with pytest.raises(InputError, match=r"has 5 test images .* tested on 359 .* --data"):
        evaluate(artifact)


def test_integers_of_eight_bits_are_at_most_half_a_step_off():
    weight = torch.randn(6, 40, generator=generator(0))
    made = rounded(weight, "int8")
    step = weight.abs().amax(1, keepdim=True) / 127
    assert ((made - weight).abs() <= step / 2 * (1 + 1e-5)).all()
    levels = made / step
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert torch.equal(rounded(weight, "fp16"), weight.half().float())
    assert torch.equal(rounded(weight, "bf16"), weight.bfloat16().float())
    assert torch.equal(rounded(torch.zeros(2, 3), "int8"), torch.zeros(2, 3))


def test_a_form_leaves_the_model_as_it_was():
    model = tiny_model()
    before = model(images(2))
    changed = in_form(model, "int8")
    assert torch.equal(model(images(2)), before)
    assert not torch.equal(changed(images(2)), before)
    assert torch.equal(changed.pos_embed, model.pos_embed)
    assert torch.equal(in_form(model, "fp32")(images(2)), before)
