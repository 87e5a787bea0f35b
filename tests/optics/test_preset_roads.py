"""Presets on the physical road."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

from optics.detection import TwoShot
from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, SignalWarning, calibrate
from optics.physical import Geometry, Sampling
from optics.presets import PRESETS, preset
from optics.tiling import ConvShape, usable_plane


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
        1, 1, 3, bias=False, road="physical", bench=Bench(
            replace(system, camera=well), scheme=TwoShot(), noise=False, max_bytes=2**30
        ),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    layer.weight.data.copy_(torch.randn(1, 1, 3, 3, generator=generator))
    images = (torch.rand(2, 1, 28, 28, generator=generator) > 0.5).float()
    with torch.no_grad():
        light = layer(images)
        layer.road = "ideal"
        exact = layer(images)
    assert float((light - exact).square().mean().sqrt() / exact.square().mean().sqrt()) < 0.08


def test_a_phase_display_with_crosstalk_takes_a_carrier_by_default() -> None:
    """On the axis undiffracted light fills the camera's well: calibrated 5.6 times off."""
    system = preset("lcos-pluto")
    focal_m = 104 * system.input.pitch_m * system.filter.pitch_m / system.laser.wavelength_m
    small = replace(
        system,
        lens_1=replace(system.lens_1, focal_length_m=focal_m),
        lens_2=replace(system.lens_2, focal_length_m=focal_m),
    )
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 1, 20, 20, generator=generator)
    weight = torch.randn(2, 1, 5, 5, generator=generator)
    exact = torch.nn.functional.conv2d(images, weight)
    errors = []
    for encoder in ({}, {"carrier": (0.0, 0.0)}):
        bench = Bench(small, scheme=TwoShot(), along=("images",), encoder=encoder)
        layer = OpticalConv2d(1, 2, 5, bias=False, road="physical", bench=bench)
        layer.weight.data.copy_(weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SignalWarning)
            calibrate(layer, images)
        with torch.no_grad():
            off = layer(images) - exact
        errors.append(float(off.square().mean().sqrt() / exact.square().mean().sqrt()))
    assert errors[0] < 0.2 < 2 < errors[1]


def test_a_bench_of_a_preset_lays_side_by_side_what_its_filter_shows_without_loss() -> None:
    shape = ConvShape(batch=4, in_channels=2, out_channels=6, size=(28, 28), kernel=(3, 3))
    mirrors = Bench.preset("dmd-dlp7000", scheme=TwoShot()).layout(shape)
    # Off its axis the filter shows one kernel of one channel: 2 x 6 filters, 4 images in each.
    assert (mirrors.rounds, mirrors.frames) == ((1, 2, 1, 6), 24)
    assert Bench.preset("lcos-pluto", scheme=TwoShot()).layout(shape).frames == 24
    with pytest.raises(InputError, match="no system is called 'pluto'"):
        Bench.preset("pluto")
