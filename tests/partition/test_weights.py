"""Checkpoints: what is written comes back, what does not fit is named."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from partition.config import preset
from partition.errors import InputError, PartitionError
from partition.files import fingerprint, write_atomic
from partition.model import VisionTransformer
from partition.recipe import UnsplitSpec
from partition.store import load_tensors, save_tensors
from partition.unsplit import unsplit_config
from partition.weights import config_of, load_vit, resize_positions, save_vit
from tests.partition.small import KINDS, TINY, bars, images, tiny_model


def test_a_saved_model_gives_the_same_logits(tmp_path):
    model = tiny_model(stem=(4,), patch=2, distilled=True)
    save_vit(tmp_path / "m.safetensors", model)
    loaded = load_vit(tmp_path / "m.safetensors")
    assert loaded.config == model.config
    assert torch.equal(loaded(images(2)), model(images(2)))


def test_a_foreign_file_without_a_header_has_its_shape_read_off_but_for_the_heads(tmp_path):
    path = tmp_path / "timm.safetensors"
    model = tiny_model(distilled=True)
    save_file(model.state_dict(), path)
    with pytest.raises(InputError, match=r"timm\.safetensors: its weights .* model\.heads"):
        load_vit(path)
    loaded = load_vit(path, heads=2)
    assert loaded.config == model.config
    assert torch.equal(loaded(images(2)), model(images(2)))
    with pytest.raises(InputError, match=r"36 query, key and value rows .* of 5 heads"):
        load_vit(path, heads=5)


@pytest.mark.parametrize(
    ("name", "heads", "head_width"),
    [
        ("vit_tiny_patch16_224", 3, 64),
        ("vit_base_patch16_224", 12, 64),
        ("vit_large_patch16_224", 16, 64),
        ("vit_huge_patch14_224", 16, 80),
    ],
)
def test_public_shapes_have_their_own_heads(name, heads, head_width):
    """ViT-H/14 has 16 heads of 80 (Dosovitskiy et al. 2021, Table 1), not 20 of 64."""
    with torch.device("meta"):
        weights = VisionTransformer(preset(name)).state_dict()
    config = config_of(weights)
    assert (config.heads, config.head_width) == (heads, head_width)
    assert config == preset(name)


def test_heads_that_the_header_contradicts_are_refused(tmp_path):
    save_vit(tmp_path / "m.safetensors", tiny_model())
    with pytest.raises(InputError, match="its header says 2 heads, and 3 were asked for"):
        load_vit(tmp_path / "m.safetensors", TINY.with_(heads=3, head_width=4))


def test_a_backbone_without_a_head_gets_one_or_says_so(tmp_path):
    path, model = tmp_path / "m.safetensors", tiny_model()
    weights = {name: w for name, w in model.state_dict().items() if "head" not in name}
    save_file(weights, path)
    for config in (None, TINY):
        with pytest.raises(InputError, match=r"backbone without a head.*new_head=SEED"):
            load_vit(path, config, heads=2)
    loaded = load_vit(path, TINY, new_head=0)
    assert torch.equal(loaded.features(images(2)), model.features(images(2)))
    assert loaded.head.weight.std() > 0


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("rope.periods", "rotary positions"),
        ("attn_pool.latent", "attention pooling .SigLIP.; take its 'gap' variant"),
        ("blocks.0.attn.q_norm.weight", "norms of queries and keys"),
        ("blocks.0.mlp.fc1_g.weight", "a gated feed-forward"),
        ("blocks.0.attn.relative_position_bias_table", "relative positions"),
    ],
)
def test_other_kinds_of_models_are_named(tmp_path, key, message):
    path = tmp_path / "m.safetensors"
    save_file({**tiny_model().state_dict(), key: torch.ones(12)}, path)
    for config in (None, TINY):
        with pytest.raises(InputError, match=f"no plain ViT: {key} belongs to {message}"):
            load_vit(path, config, heads=2)


def test_models_without_learned_positions_are_refused(tmp_path):
    weights = tiny_model().state_dict()
    del weights["pos_embed"]
    save_file(weights, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="no pos_embed, so its positions are not learned"):
        load_vit(tmp_path / "m.safetensors", heads=2)


@pytest.mark.parametrize("changes", KINDS)
def test_every_kind_is_saved_and_read_back(tmp_path, changes):
    model = tiny_model(**changes)
    save_vit(tmp_path / "m.safetensors", model)
    loaded = load_vit(tmp_path / "m.safetensors")
    assert loaded.config == model.config
    assert torch.equal(loaded(images(2)), model(images(2)))


def test_layer_scale_is_folded_into_the_weights_before_it(tmp_path):
    """x + γ · f(x): the factors scale the rows of the last linear layer of f, and its bias."""
    model, weights = tiny_model(), tiny_model().state_dict()
    draw = torch.Generator().manual_seed(5)
    for block in range(TINY.depth):
        for scale, layer in (("ls1", "attn.proj"), ("ls2", "mlp.fc2")):
            gamma = torch.rand(TINY.width, generator=draw) + 0.5
            weights[f"blocks.{block}.{scale}.gamma"] = gamma
            for kind in ("weight", "bias"):
                name = f"blocks.{block}.{layer}.{kind}"
                weights[name] = weights[name] / gamma.view(-1, *[1] * (weights[name].dim() - 1))
    save_file(weights, tmp_path / "m.safetensors")
    loaded = load_vit(tmp_path / "m.safetensors", heads=2)
    torch.testing.assert_close(loaded(images(2)), model(images(2)), rtol=1e-5, atol=1e-5)


def test_patches_alone_may_have_positions(tmp_path):
    model = tiny_model(registers=2)
    with torch.no_grad():
        model.pos_embed[:, :3] = 0
    weights = {**model.state_dict(), "pos_embed": model.pos_embed[:, 3:].detach().clone()}
    save_file(weights, tmp_path / "m.safetensors")
    loaded = load_vit(tmp_path / "m.safetensors", heads=2)
    assert loaded.config == model.config
    assert torch.equal(loaded(images(2)), model(images(2)))


def test_another_kind_than_the_shape_that_was_asked_for_is_named(tmp_path):
    save_file(tiny_model(registers=2).state_dict(), tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="its model has registers 2, and 0 was asked for"):
        load_vit(tmp_path / "m.safetensors", TINY)


def test_a_damaged_description_is_named(tmp_path):
    save_file(tiny_model().state_dict(), tmp_path / "m.safetensors")
    (tmp_path / "config.json").write_text("[1")
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        load_vit(tmp_path / "m.safetensors", heads=2)
    (tmp_path / "config.json").write_text('{"vision_config": {"hidden_act": 3}, "x": 1}')
    assert load_vit(tmp_path / "m.safetensors", heads=2).config == TINY


@pytest.mark.parametrize("distilled", [True, False])
def test_distilled_and_plain_are_not_mixed_up(tmp_path, distilled):
    save_file(tiny_model(distilled=distilled).state_dict(), tmp_path / "m.safetensors")
    message = f"set model.distilled: {str(distilled).lower()}"
    with pytest.raises(InputError, match=message):
        load_vit(tmp_path / "m.safetensors", TINY.with_(distilled=not distilled))


def test_a_recipe_takes_the_shape_of_its_checkpoint(tmp_path):
    path, data = tmp_path / "m.safetensors", bars()
    save_file(tiny_model().state_dict(), path)
    spec = UnsplitSpec(checkpoint=str(path), heads=2)
    assert unsplit_config(spec, data) == TINY
    with pytest.raises(InputError, match=r"model\.heads"):
        unsplit_config(UnsplitSpec(checkpoint=str(path)), data)
    with pytest.raises(InputError, match=r"model\.width: expected 12, which .* has, got 13"):
        unsplit_config(replace(spec, width=13), data)
    with pytest.raises(InputError, match=r"model\.name: expected patch 2, which .* has, got 16"):
        unsplit_config(replace(spec, name="vit_tiny_patch16_224"), data)


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
