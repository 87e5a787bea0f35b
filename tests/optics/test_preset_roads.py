"""Presets on the physical road."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from optics.detection import TwoShot
from optics.layers import OpticalConv2d
from optics.physical import Geometry, Sampling
from optics.presets import PRESETS, preset
from optics.tiling import usable_plane


@pytest.mark.parametrize("name", PRESETS)
def test_the_physical_road_takes_the_whole_plane(name: str) -> None:
    system = preset(name)
    geometry = Geometry.of(system, usable_plane(system), Sampling.points())
    assert geometry.side >= max(usable_plane(system))


def test_mirrors_convolve_binary_images_to_some_percent() -> None:
    # Two levels at the input, Lee's fringes at the filter, a camera without limits.
    system = preset("dmd-dlp7000")
    well = replace(system.camera, full_well_e=float("inf"), bits=None)
    layer = OpticalConv2d(
        1, 1, 3, bias=False, system=replace(system, camera=well), road="physical",
        scheme=TwoShot(), noise=False, max_bytes=2**30,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    layer.weight.data.copy_(torch.randn(1, 1, 3, 3, generator=generator))
    images = (torch.rand(2, 1, 28, 28, generator=generator) > 0.5).float()
    with torch.no_grad():
        light = layer(images)
        layer.road = "ideal"
        exact = layer(images)
    assert float((light - exact).square().mean().sqrt() / exact.square().mean().sqrt()) < 0.08
