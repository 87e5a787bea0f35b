"""The model beside a plain ViT, and each mixing beside scipy's correlation, token by token."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from optics.convshare import (
    MIXINGS,
    ConvShareConfig,
    ConvShareViT,
    Mixing,
    parameters_count,
    shapes,
)
from optics.convshare.model import create_mixing, mix
from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, convert
from optics.system import FourF
from tests.optics.convshare.plain import plain_vit

LINEAR = ConvShareConfig(
    image=12, channels=2, patch=4, map=(4, 6), depth=2, heads=3, mlp_ratio=3, classes=5,
    qkv="linear", projection="linear", mlp="linear",
)  # fmt: skip
SHARED = replace(LINEAR, qkv="shared-valid", projection="shared-valid", mlp="shared-valid")


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model_of(config: ConvShareConfig, dtype: torch.dtype = torch.float64) -> ConvShareViT:
    """With biases and norms that are not those of a fresh model, which would hide much."""
    model = ConvShareViT(config, rng(1)).to(dtype).eval()
    draw = rng(2)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
            parameter.add_(noise.to(dtype), alpha=0.1)
    return model


IMAGES = torch.randn(3, 2, 12, 12, generator=rng(0), dtype=torch.float64)


@torch.no_grad()
def test_linear_mixings_are_a_plain_vit():
    model = model_of(LINEAR)
    logits, attention = plain_vit(model.state_dict(), IMAGES, LINEAR.heads)
    torch.testing.assert_close(model(IMAGES), logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.attention(IMAGES), attention, rtol=0, atol=1e-12)
    assert attention.shape == (2, 3, 3, 10, 10)


def test_kernels_that_cover_the_map_are_drawn_as_the_matrix_that_they_are():
    matrices, kernels = ConvShareViT(LINEAR, rng(0)), ConvShareViT(SHARED, rng(0))
    states = matrices.state_dict(), kernels.state_dict()
    assert states[0].keys() == states[1].keys()
    assert states[1]["blocks.1.mlp.fc2.weight"].shape == (24, 3, 4, 6)
    for name, weight in states[0].items():
        assert torch.equal(weight.flatten(), states[1][name].flatten())
    with torch.no_grad():
        difference = matrices(IMAGES.float()) - kernels.eval()(IMAGES.float())
    assert float(difference.abs().max()) < 1e-5


def test_everything_drawn_comes_from_the_generator():
    before = torch.random.get_rng_state()
    one, same, other = (ConvShareViT(SHARED, rng(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    drawn = 0
    for name, weight in one.items():
        assert torch.equal(weight, same[name])
        drawn += not torch.equal(weight, other[name])
    assert drawn == 3 + 4 * 2 + 1
    empty = ConvShareViT(SHARED).state_dict()
    assert all(not weight.any() for name, weight in empty.items() if "norm" not in name)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_weights_keep_the_variance_of_what_they_mix(mixing: Mixing):
    config = ConvShareConfig(map=(8, 12), qkv=mixing, depth=1)
    layer = ConvShareViT(config, rng(0)).blocks[0].attn.qkv  # type: ignore[union-attr]
    weight = layer.weight.detach()
    # Cut at two deviations, a normal's deviation is 0.8796 of what it was.
    found = float(weight.std()) * weight[0].numel() ** 0.5 / 0.8796
    assert found == pytest.approx(1, abs=4 / (2 * weight.numel()) ** 0.5)


@pytest.mark.parametrize(("mixing", "kernel"), list(product(MIXINGS[1:], [(3, 3), (1, 5), (4, 6)])))
@pytest.mark.parametrize("name", ["attn.qkv", "mlp.fc2"])
@torch.no_grad()
def test_mixings_are_correlations_of_each_token(mixing: Mixing, kernel: tuple[int, int], name: str):
    if mixing.endswith("same") and kernel == (4, 6):
        kernel = (3, 5)
    config = replace(LINEAR, qkv=mixing, mlp=mixing, kernel=kernel)
    described = config.layers()[name]
    layer = create_mixing(described).double().eval()
    for parameter in layer.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=rng(3), dtype=torch.float64))
    x = torch.randn(2, 10, described.inputs, generator=rng(4), dtype=torch.float64)

    weight, bias = layer.weight.numpy(), layer.bias.numpy()
    of_token = len(weight) // (1 if described.shared else 10)
    expected = np.empty((2, 10, described.outputs))
    for image, token in product(range(2), range(10)):
        maps = x[image, token].numpy().reshape(-1, 4, 6)
        first = 0 if described.shared else token * of_token
        found = [
            sum(correlate2d(m, k, mixing.rpartition("-")[2]) for m, k in zip(maps, weight[o]))
            + bias[o]
            for o in range(first, first + of_token)
        ]
        expected[image, token] = np.concatenate([map_.ravel() for map_ in found])
    np.testing.assert_allclose(mix(layer, x, (4, 6)), expected, rtol=0, atol=1e-12)


def test_all_at_once_in_training_is_the_same():
    """Training takes convolutions as the matrices that they are."""
    for mixing in MIXINGS[1:]:
        kernel = None if mixing.endswith("valid") else (3, 5)
        model = model_of(replace(LINEAR, qkv=mixing, projection=mixing, mlp=mixing, kernel=kernel))
        found = []
        for training in (False, True):
            logits = model.train(training)(IMAGES)
            found.append((logits, *torch.autograd.grad(logits.square().sum(), model.parameters())))
        for plain, fast in zip(*found, strict=True):
            torch.testing.assert_close(fast, plain, rtol=1e-9, atol=1e-9)


CONFIGS = [
    SHARED,
    replace(LINEAR, qkv="shared-same", projection="linear", mlp="unshared-same"),
    replace(LINEAR, qkv="unshared-valid", projection="unshared-same", mlp="shared-valid", kernel=3),
    replace(LINEAR, qkv="shared-same", kernel=(1, 3), mlp="unshared-valid", mlp_kernel=(4, 6)),
]


@pytest.mark.parametrize("config", CONFIGS)
@torch.no_grad()
def test_shapes_are_what_the_model_runs(config: ConvShareConfig):
    model = model_of(config, torch.float32)
    done = convert(model, Bench(FourF.ideal((32, 32))), road="ideal")
    torch.testing.assert_close(done.model(IMAGES.float()), model(IMAGES.float()), rtol=0, atol=1e-4)
    ran = {}
    for name in done.converted:
        layer = done.model.get_submodule(name)
        assert isinstance(layer, OpticalConv2d)
        ran[name] = layer.last_shape
    assert ran == shapes(config, len(IMAGES))
    assert list(shapes(config, 3)) == list(done.converted)
    assert parameters_count(config) == sum(parameter.numel() for parameter in model.parameters())


def test_shapes_load_no_torch():
    code = (
        "import sys\nfrom optics.convshare import ConvShareConfig, shapes\n"
        "shapes(ConvShareConfig(), 1)\nsys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 5}, r"got 12 pixels and patches of 5: take a patch of 4 or 6"),
        ({"heads": 5}, r"24 numbers of a token \(map 4x6\) evenly; got 5 heads: take 4 or 6"),
        ({"depth": 0}, "depth is a whole number of at least 1; got 0"),
        ({"classes": 2.5}, "classes is a whole number of at least 1; got 2.5"),
        ({"map": (4, 0)}, "model: map must be"),
        ({"qkv": "shared"}, "attn.qkv: a mixing is one of linear, shared-valid"),
        ({"kernel": 5}, "attn.qkv: a kernel of 5x5 does not lie in a map of 4x6"),
        ({"mlp_kernel": 0}, "mlp.fc1: a kernel of 0x0 does not lie in a map of 4x6"),
        ({"mlp": "shared-same", "mlp_kernel": 4}, "mlp.fc1: 'same' kernels have odd sides.*4x4"),
        ({"kernel": (2, 2)}, "attn.qkv: .* 15 numbers each, and 72 .* of 1x1, 3x3, 4x4 or 4x6"),
        ({"kernel": "big"}, "kernel is one whole number or two"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        replace(SHARED, **change)  # type: ignore[arg-type]


def test_images_and_batches_of_another_size_are_named():
    with pytest.raises(InputError, match=r"\(batch, 2, 12, 12\); got \(3, 1, 12, 12\)"):
        ConvShareViT(SHARED)(IMAGES[:, :1].float())
    with pytest.raises(InputError, match="a batch has at least one image; got 0"):
        shapes(SHARED, 0)
