"""Weights of a plain ViT as kernels: the same logits, and the same bits on the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from optics.convshare import ConvShareConfig, ConvShareViT, from_vit, to_vit
from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, convert
from optics.system import FourF
from tests.optics.convshare.plain import plain_vit

SMALL = ConvShareConfig(
    image=16, channels=3, patch=4, map=(6, 8), depth=3, heads=4, mlp_ratio=4, classes=7,
    qkv="linear", projection="linear", mlp="linear",
)  # fmt: skip


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vit(dtype: torch.dtype = torch.float32) -> ConvShareViT:
    model = ConvShareViT(SMALL, rng(0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng(1)), alpha=0.1)
    return model.to(dtype)


@pytest.mark.parametrize("map_", [None, (4, 12), (1, 48)])
@torch.no_grad()
def test_kernels_give_the_logits_of_a_plain_vit(map_: tuple[int, int] | None):
    state = vit().state_dict()
    images = torch.randn(5, 3, 16, 16, generator=rng(2))
    kernels = from_vit(state, heads=4, map=map_).eval()
    assert kernels.config.map == (map_ or (6, 8))
    assert {kernels.config.qkv, kernels.config.projection, kernels.config.mlp} == {"shared-valid"}
    logits, attention = plain_vit(state, images, 4)
    torch.testing.assert_close(kernels(images), logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(kernels.attention(images), attention, rtol=0, atol=1e-5)
    light = convert(kernels, Bench(FourF.ideal((96, 96))), road="ideal")
    assert len([n for n in light.converted if n.startswith("blocks")]) == 3 * 4
    torch.testing.assert_close(light.model(images), logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_and_back_is_the_same_to_the_last_bit(dtype: torch.dtype):
    model = vit(dtype)
    for there in (from_vit(model), from_vit(model.state_dict(), heads=4, map=(3, 16))):
        back = to_vit(there)
        assert replace(back.config, map=(6, 8)) == SMALL
        state = back.state_dict()
        assert state.keys() == model.state_dict().keys()
        for name, weight in model.state_dict().items():
            assert torch.equal(state[name], weight)
            assert state[name].dtype == dtype
    with torch.no_grad():
        there.cls_token.add_(1)
    assert not torch.equal(there.cls_token, model.cls_token)


def test_weights_come_back_from_light():
    light = convert(from_vit(vit()), Bench(FourF.ideal((64, 64))), road="physical").model
    layer = light.get_submodule("blocks.0.attn.qkv")
    assert isinstance(layer, OpticalConv2d)
    layer.calibration = torch.tensor([1.0, 1e-3], dtype=torch.float64)
    assert isinstance(light, ConvShareViT)
    back = to_vit(light).state_dict()
    assert all(torch.equal(back[name], weight) for name, weight in vit().state_dict().items())


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: weight for key, weight in vit().state_dict().items() if key != name}


@pytest.mark.parametrize(
    ("state", "options", "message"),
    [
        (vit().state_dict(), {}, "number of heads cannot be read from weights; give heads="),
        (vit().state_dict(), {"heads": 5}, "48 numbers of a token .* got 5 heads: take 4 or 6"),
        (vit().state_dict(), {"heads": 4, "map": (7, 7)}, "7x7 holds 49 .* have 48; 6x8 fits"),
        (vit(), {"heads": 4}, "a model has its own heads"),
        (from_vit(vit()), {}, "attn.qkv: a plain ViT is linear; got shared-valid"),
        (without("pos_embed"), {"heads": 4}, "pos_embed is missing; expected the state dict of a"),
        (without("blocks.1.attn.qkv.bias"), {"heads": 4}, "blocks.1.attn.qkv.bias is missing"),
        (
            vit().state_dict() | {"dist_token": torch.zeros(1, 1, 48)},
            {"heads": 4},
            "a plain ViT has no dist_token: only models with one class token",
        ),
        (
            vit().state_dict() | {"blocks.2.mlp.fc2.weight": torch.zeros(48, 96)},
            {"heads": 4},
            r"blocks.2.mlp.fc2.weight of a plain ViT is \(48, 192\) .* got \(48, 96\)",
        ),
    ],
)
def test_other_weights_are_refused_by_name(state: object, options: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        from_vit(state, **options)  # type: ignore[arg-type]


def test_what_is_no_matrix_of_a_vit_stays():
    mixed = replace(SMALL, qkv="shared-valid", kernel=(3, 8), mlp="unshared-valid")
    with pytest.raises(InputError, match=r"attn.qkv: .* got shared-valid of 3x8, which stays a"):
        to_vit(ConvShareViT(mixed))
    with pytest.raises(InputError, match=r"mlp.fc1: .* got unshared-valid of 6x8"):
        to_vit(ConvShareViT(replace(mixed, kernel=None)))
