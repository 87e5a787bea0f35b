"""Checkpoints of timm load as they are and give timm's logits.

timm is in no environment of ours; ``requirements.txt`` beside this file says how to make one.
"""

import json

import pytest
import torch
from safetensors.torch import save_file

from partition.convert import to_plain
from partition.errors import InputError
from partition.weights import config_of, load_vit
from tests.partition.peers.bare_torchvision import import_timm

timm = import_timm()

SMALL = {"embed_dim": 48, "depth": 3, "num_heads": 3, "num_classes": 7}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def _drawn(model):
    """timm draws from the global generator; norms, biases and factors are moved off 0 and 1."""
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "vit_small_patch32_224"]
)
@torch.no_grad()
def test_logits_are_timms(name, tmp_path):
    torch.manual_seed(0)
    theirs = _drawn(timm.create_model(name, pretrained=False, num_classes=7))
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = load_vit(tmp_path / "timm.safetensors")
    assert ours.config == config_of(theirs.state_dict())
    images = torch.randn(2, 3, 224, 224, dtype=torch.float64)
    # in float64, so that nothing but the models can differ
    torch.testing.assert_close(ours.double()(images), theirs.double()(images), **TOLERANCE)


@pytest.mark.parametrize(
    ("name", "size", "changes", "given"),
    [
        ("deit3_small_patch16_224", 64, {}, {}),
        ("vit_small_patch14_dinov2", 56, {}, {}),
        ("vit_small_patch14_reg4_dinov2", 56, {}, {}),
        ("vit_base_patch16_siglip_gap_224", 64, {}, {"activation": "gelu"}),
        ("vit_large_patch16_siglip_gap_512", 64, {}, {}),
        ("vit_base_patch16_clip_224", 64, {}, {"activation": "gelu"}),
        ("vit_base_patch16_clip_quickgelu_224", 64, {}, {}),
        ("vit_base_patch16_224", 64, {"global_pool": "avg"}, {}),
        ("vit_base_patch16_224", 64, {"global_pool": "avg", "fc_norm": False}, {}),
        ("vit_base_patch16_224", 64, {"qkv_bias": False}, {}),
        ("vit_base_patch16_224", 64, {"in_chans": 5}, {}),
    ],
)
@torch.no_grad()
def test_its_relatives_become_plain(name, size, changes, given, tmp_path):
    torch.manual_seed(0)
    theirs = _drawn(timm.create_model(name, pretrained=False, img_size=size, **SMALL, **changes))
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    if not given:
        pooling = changes.get("global_pool", "token")
        described = {"architecture": name, "global_pool": pooling}
        (tmp_path / "config.json").write_text(json.dumps(described))
    ours = load_vit(tmp_path / "model.safetensors", heads=3, **given)
    images = torch.randn(2, changes.get("in_chans", 3), size, size, dtype=torch.float64)
    torch.testing.assert_close(ours.double()(images), theirs.double()(images), **TOLERANCE)


@pytest.mark.parametrize("name", ["vit_base_patch16_siglip_gap_224", "vit_base_patch16_clip_224"])
def test_an_activation_that_weights_do_not_show_is_asked_for(name, tmp_path):
    theirs = timm.create_model(name, pretrained=False, img_size=64, **SMALL)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"do not show its activation.*model\.activation"):
        load_vit(tmp_path / "model.safetensors", heads=3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_base_patch16_siglip_224", "attn_pool.* belongs to attention pooling"),
        ("vit_giant_patch14_dinov2", r"fc1\.weight belongs to a gated feed-forward"),
        ("eva02_tiny_patch14_224", "rotary|gated|positions"),
        ("vit_small_patch16_dinov3", "rotary|not learned"),
        ("beit_base_patch16_224", "relative positions"),
        ("vit_medium_patch16_rope_reg1_gap_256", "rotary|not learned"),
    ],
)
def test_what_is_no_plain_vit_is_refused_by_name(name, message):
    with torch.device("meta"):
        theirs = timm.create_model(name, pretrained=False)
    with pytest.raises(InputError, match=f"no plain ViT: .*({message})"):
        to_plain(theirs.state_dict(), "the checkpoint")


@torch.no_grad()
def test_resized_positions_are_timms(tmp_path):
    torch.manual_seed(0)
    theirs = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=3).eval()
    theirs.pos_embed.normal_()
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    for size in (160, (96, 160)):
        config = config_of(theirs.state_dict()).with_(image=size)
        resized = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=3)
        resized.load_state_dict(theirs.state_dict())
        resized.set_input_size(config.size)
        ours = load_vit(tmp_path / "timm.safetensors", config)
        torch.testing.assert_close(ours.pos_embed, resized.pos_embed, rtol=1e-5, atol=1e-5)
