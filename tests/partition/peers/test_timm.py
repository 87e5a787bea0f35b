"""Checkpoints of timm load as they are and give timm's logits.

timm is in no environment of ours; ``requirements.txt`` beside this file says how to make one.
"""

import pytest
import torch
from safetensors.torch import save_file

from partition.weights import config_of, load_vit
from tests.partition.peers.bare_torchvision import import_timm

timm = import_timm()


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "vit_small_patch32_224"]
)
@torch.no_grad()
def test_logits_are_timms(name, tmp_path):
    torch.manual_seed(0)  # timm draws from the global generator
    theirs = timm.create_model(name, pretrained=False, num_classes=7).eval()
    for parameter in theirs.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.05)
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = load_vit(tmp_path / "timm.safetensors")
    assert ours.config == config_of(theirs.state_dict())
    images = torch.randn(2, 3, 224, 224)
    # twelve blocks of float32 in another order of summation
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_resized_positions_are_timms(tmp_path):
    torch.manual_seed(0)
    theirs = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=3).eval()
    theirs.pos_embed.normal_()
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    config = config_of(theirs.state_dict()).with_(image=160)
    theirs.set_input_size((160, 160))
    ours = load_vit(tmp_path / "timm.safetensors", config)
    torch.testing.assert_close(ours.pos_embed, theirs.pos_embed, rtol=1e-5, atol=1e-5)
