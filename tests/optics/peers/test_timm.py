"""Weights of timm's ViTs as shared valid kernels: the same logits, and timm's weights back.

timm is in no environment of ours; ``tests/partition/peers/requirements.txt`` says how to make one.
"""

from __future__ import annotations

from math import prod

import pytest
import torch

from optics.convshare import from_vit, to_vit
from optics.layers import Bench, convert
from optics.system import FourF
from tests.partition.peers.bare_torchvision import import_timm

timm = import_timm()


@pytest.mark.parametrize(
    ("name", "heads"),
    [("vit_tiny_patch16_224", 3), ("deit_tiny_patch16_224", 3), ("vit_small_patch32_224", 6)],
)
@torch.no_grad()
def test_logits_are_timms(name: str, heads: int):
    torch.manual_seed(0)  # timm draws from the global generator
    theirs = timm.create_model(name, pretrained=False, num_classes=7).eval()
    for parameter in theirs.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.02)
    theirs.double()
    ours = from_vit(theirs.state_dict(), heads=heads).eval()
    assert prod(ours.config.map) == ours.config.width
    assert ours.blocks[0].attn.qkv.kernel_size == ours.config.map
    images = torch.randn(2, 3, 224, 224, dtype=torch.float64)
    torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=1e-10)
    ours.float()
    single = theirs.float()(images.float())
    # Logits of about 1 in single precision.
    torch.testing.assert_close(ours(images.float()), single, rtol=0, atol=1e-5)
    back = to_vit(ours).state_dict()
    theirs.load_state_dict(back)
    for key, weight in theirs.state_dict().items():
        assert torch.equal(back[key], weight)


@torch.no_grad()
def test_logits_of_a_convolution_on_light_are_timms():
    torch.manual_seed(0)
    theirs = timm.create_model(
        "vit_tiny_patch16_224", pretrained=False, num_classes=5, img_size=64, depth=2
    ).eval()
    kernels = from_vit(theirs.state_dict(), heads=3).eval()
    light = convert(kernels, Bench(FourF.ideal((2160, 2160))), road="ideal").model
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(light(images), theirs(images), rtol=0, atol=1e-5)


def test_other_models_of_timm_are_refused():
    theirs = timm.create_model("deit_tiny_distilled_patch16_224", pretrained=False, depth=1)
    with pytest.raises(ValueError, match=r"a plain ViT has no dist_token, head_dist"):
        from_vit(theirs.state_dict(), heads=3)
