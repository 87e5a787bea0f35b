"""Checkpoints: what is written comes back, what does not fit is named."""

import pytest
import torch
from safetensors.torch import save_file

from partition.errors import InputError, PartitionError
from partition.files import fingerprint, write_atomic
from partition.store import load_tensors, save_tensors
from partition.weights import load_vit, resize_positions, save_vit
from tests.partition.small import TINY, images, tiny_model


def test_a_saved_model_gives_the_same_logits(tmp_path):
    model = tiny_model(stem=(4,), patch=2, distilled=True)
    save_vit(tmp_path / "m.safetensors", model)
    loaded = load_vit(tmp_path / "m.safetensors")
    assert loaded.config == model.config
    assert torch.equal(loaded(images(2)), model(images(2)))


def test_a_foreign_file_without_a_header_has_its_shape_read_off(tmp_path):
    model = tiny_model(head_width=64, heads=1, distilled=True)
    save_file(model.state_dict(), tmp_path / "timm.safetensors")
    assert load_vit(tmp_path / "timm.safetensors").config == model.config


def test_other_image_size_resizes_positions_and_other_classes_need_leave(tmp_path):
    path = tmp_path / "m.safetensors"
    save_vit(path, tiny_model())
    larger = load_vit(path, TINY.with_(image=16))
    assert larger.pos_embed.shape == (1, 65, 12)
    assert torch.equal(larger.pos_embed[:, 0], tiny_model().pos_embed[:, 0])
    with pytest.raises(InputError, match=r"head.* has shape \(4.* where the model has \(7"):
        load_vit(path, TINY.with_(classes=7))
    assert load_vit(path, TINY.with_(classes=7), new_head=0).head.weight.std() > 0


def test_positions_that_are_constant_stay_so():
    config = TINY.with_(image=20)
    assert torch.allclose(resize_positions(torch.ones(1, 17, 12), config), torch.ones(1, 101, 12))


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, cut):
    path = tmp_path / "m.safetensors"
    save_vit(path, tiny_model())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_vit(path)


def test_a_pickled_checkpoint_is_refused(tmp_path):
    torch.save(tiny_model().state_dict(), tmp_path / "m.pth")
    with pytest.raises(InputError, match="pickled checkpoints are not read"):
        load_vit(tmp_path / "m.pth")


def test_missing_and_unknown_weights_are_named(tmp_path):
    weights = tiny_model().state_dict()
    weights["pre_logits.fc.weight"] = weights.pop("norm.bias")
    save_file(weights, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"missing, the first norm\.bias; .*first pre_logits"):
        load_vit(tmp_path / "m.safetensors", TINY)


def test_bytes_are_a_function_of_the_content(tmp_path):
    tensors = {"b": torch.arange(3), "a": torch.ones(2, 2)}
    save_tensors(tmp_path / "1", tensors, {"x": 1, "a": [2]})
    save_tensors(tmp_path / "2", dict(reversed(tensors.items())), {"a": [2], "x": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert load_tensors(tmp_path / "1")[1] == {"x": 1, "a": [2]}
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PartitionError, match="No space left on device; make room"):
        write_atomic(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"
