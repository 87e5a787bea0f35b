"""A model at an operating point: ideal parts change nothing, photons and bits as they should."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from optics.errors import InputError
from optics.layers.linear import linear_as_conv
from optics.layers.operating import HEADROOM, operating_point, optical_layers, put_on_light

PLANE = (48, 48)
FEATURES = 36


def model() -> nn.Module:
    made = nn.Linear(FEATURES, 24, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.randn(24, FEATURES, generator=torch.Generator().manual_seed(0)))
    return made


def inputs(count: int = 60) -> Tensor:
    return torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def error_of(**point: float) -> tuple[float, nn.Module]:
    """Return the rms error of the results over their rms, and the model on light."""
    x, plain = inputs(), model()
    lit = put_on_light(linear_as_conv(plain), operating_point(PLANE, **point), x, 2)  # type: ignore[arg-type]
    exact = plain(x)
    return float((lit(x) - exact).square().mean().sqrt() / exact.square().mean().sqrt()), lit


def test_without_a_limit_light_computes_the_product() -> None:
    assert error_of()[0] < 1e-4  # float32; a reference beam's intensities are squares


@pytest.mark.parametrize("photons", [0.3, 3.0, 30.0])
def test_the_noise_of_photons_is_that_of_counting(photons: float) -> None:
    """σ / rms = 1 / √(photons · MACs): two frames of beam and light with R = ⟨u²⟩."""
    error, _ = error_of(photons=photons)
    expected = 1 / math.sqrt(photons * FEATURES)
    # 1,440 results: their rms is known to 1 / √(2 · 1440) = 1.9 %; three of these.
    assert error == pytest.approx(expected, rel=0.06)


def test_errors_of_bits_halve_with_each_bit() -> None:
    errors = [error_of(bits=bits)[0] for bits in (5, 7, 9)]
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(4.0, rel=0.35)


def test_a_camera_of_many_bits_adds_nothing_to_photons_and_of_few_bits_much() -> None:
    alone = error_of(photons=30.0)[0]
    many, lit = error_of(photons=30.0, camera_bits=14)
    assert many == pytest.approx(alone, rel=0.05)
    assert error_of(photons=30.0, camera_bits=4)[0] > 1.5 * alone
    (layer,) = optical_layers(lit).values()
    assert layer.last_saturated == 0
    assert layer.bench.system.camera.bits == 14
    assert 0 < HEADROOM < 1


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="bits"):
        operating_point(PLANE, bits=0)
    with pytest.raises(InputError, match="pixels"):
        operating_point((0, 4))
