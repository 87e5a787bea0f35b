"""What layers say of their errors: expected signal-to-noise, gray images, wavelengths."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from optics.detection import FieldItself, TwoShot
from optics.errors import InputError
from optics.layers import (
    Bench,
    OpticalConv2d,
    SignalWarning,
    calibrate,
    convert,
    expected_snr_db,
)
from optics.lookup import LookUpTable
from optics.physical import GrayWarning, Sampling, WavelengthWarning, physical_convolution
from optics.presets import preset
from optics.system import FourF

IDEAL = FourF.ideal((32, 32))
IMAGES = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def lit(electrons: float) -> FourF:
    """Return an ideal system with so many electrons a second in each pixel, shot noise alone."""
    power_w = electrons * IDEAL.laser.photon_energy_j * 32 * 32
    return replace(IDEAL, laser=replace(IDEAL.laser, power_w=power_w))


def layer_on(bench: Bench) -> OpticalConv2d:
    layer = OpticalConv2d(1, 4, 3, dtype=torch.float64, road="physical", bench=bench)
    generator = torch.Generator().manual_seed(1)
    layer.weight.data.copy_(torch.rand(4, 1, 3, 3, generator=generator, dtype=torch.float64))
    return layer


def test_ten_times_the_light_is_ten_decibels_of_signal_to_noise() -> None:
    # The variance of a root is 1/4 of an electron at any light, and the square of y grows with it.
    dim, bright = (
        expected_snr_db(layer_on(Bench(lit(n), scheme=TwoShot())), IMAGES) for n in (1e5, 1e6)
    )
    # 3200 results each: 5 standard errors of the ratio of two variances are 0.8 dB.
    assert bright - dim == pytest.approx(10, abs=0.8)


def test_without_errors_there_is_no_limit_but_rounding() -> None:
    layer = layer_on(Bench(IDEAL, scheme=FieldItself()))
    assert expected_snr_db(layer, IMAGES) > 250
    assert layer.last_shape is None  # the layer itself was not called


def test_calibration_and_conversion_report_layers_that_say_little() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)).double()
    bench = Bench(lit(1e9), scheme=TwoShot(), input_peak=1.0)
    done = convert(model, bench, road="physical", images=IMAGES)
    assert set(done.snr_db) == {"0", "2"}
    assert min(done.snr_db.values()) > 30
    assert f"0  on light, {done.snr_db['0']:.1f} dB expected" in str(done)
    found = calibrate(done.model, IMAGES)
    assert {name: one.snr_db > 30 for name, one in found.items()} == {"0": True, "2": True}
    with pytest.warns(SignalWarning, match=r"below 200 dB .*: 0 \d+\.\d dB, 2 \d+\.\d dB; take"):
        calibrate(done.model, IMAGES, least_snr_db=200)
    dark = Bench(lit(1.0), scheme=TwoShot())
    with pytest.warns(SignalWarning, match=r"below 10 dB \(rms errors of 32%"):
        convert(model, dark, road="physical", images=IMAGES)
    assert convert(model, dark, road="ideal", images=IMAGES).snr_db == {}


def mirrors(planes: int) -> Bench:
    system = replace(IDEAL, input=replace(IDEAL.input, kind="dmd", bits=1))
    return Bench(system, scheme=TwoShot(), noise=False, planes=planes)


@pytest.mark.parametrize("planes", [2, 5, 8])
def test_binary_planes_show_the_nearest_gray_levels(planes: int) -> None:
    bench, weight = mirrors(planes), torch.randn(3, 1, 3, 3, dtype=torch.float64)
    done = physical_convolution(IMAGES, weight, bench=bench)
    most, peak = 2**planes - 1, float(IMAGES.max())
    shown = (IMAGES / peak * most).round() / most * peak
    assert torch.allclose(done.output, functional.conv2d(shown, weight), atol=1e-10)
    layer = OpticalConv2d(1, 3, 3, road="physical", bench=bench)
    single = OpticalConv2d(1, 3, 3, road="physical", bench=replace(bench, planes=1))
    assert done.exposures == layer.timing(8, (12, 12)).exposures
    # Ideal parts switch in no time: frames alone make the time of exposures.
    assert done.exposures == planes * single.timing(8, (12, 12)).exposures


def test_binary_planes_pass_the_gradient_as_if_there_were_no_levels() -> None:
    weight = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    images = IMAGES[:1].clone().requires_grad_()
    grown = torch.rand(1, 2, 10, 10, dtype=torch.float64)
    bench = replace(mirrors(8), scheme=FieldItself())
    done = physical_convolution(images, weight, bench=bench)
    (found,) = torch.autograd.grad(done.output, images, grown)
    (exact,) = torch.autograd.grad(functional.conv2d(images, weight), images, grown)
    assert torch.allclose(found, exact, rtol=1e-10, atol=1e-10)


def test_gray_images_on_mirrors_are_told_and_binary_ones_are_not() -> None:
    weight = torch.rand(1, 1, 3, 3, dtype=torch.float64)
    with pytest.warns(GrayWarning, match=r"\d+ of 1152 pixels .* gray: .*planes=8"):
        physical_convolution(IMAGES, weight, bench=mirrors(1))
    physical_convolution((IMAGES > 0.5).double(), weight, bench=mirrors(1))
    with pytest.raises(InputError, match="1 unless the input is a DMD"):
        Bench(IDEAL, planes=2)
    with pytest.raises(InputError, match="planes must be a whole number"):
        Bench(IDEAL, planes=1.5)  # type: ignore[arg-type]


def test_dithered_images_are_binary_and_blurs_see_their_gray() -> None:
    ramp = torch.linspace(0.05, 0.95, 24, dtype=torch.float64).expand(2, 1, 24, 24)
    dithered = replace(mirrors(1), dither=True)
    identity = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    identity[0, 0, 1, 1] = 1
    shown = physical_convolution(ramp, identity, padding=1, bench=dithered).output
    peak = float(ramp.max())
    assert torch.allclose(shown, (shown > peak / 2).double() * peak, atol=1e-10)
    # Errors that leave the image at its edges are all that its mean lacks: one pixel's worth each.
    assert float((shown.mean() - ramp.mean()).abs()) < 4 * 24 / 24**2 * peak
    blur = torch.ones(1, 1, 7, 7, dtype=torch.float64) / 49
    exact = functional.conv2d(ramp, blur)
    with pytest.warns(GrayWarning, match="dither=True"):
        split = physical_convolution(ramp, blur, bench=mirrors(1))
    found = physical_convolution(ramp, blur, bench=dithered)
    assert found.exposures == split.exposures
    assert float((found.output - exact).norm()) < 0.2 * float((split.output - exact).norm())
    with pytest.raises(InputError, match="dither is for one plane of an input that is a DMD"):
        replace(mirrors(8), dither=True)
    with pytest.raises(InputError, match="got planes=1 with an input of kind 'ideal'"):
        Bench(IDEAL, dither=True)


def test_dithering_passes_the_gradient_as_if_there_were_no_levels() -> None:
    weight = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    images = IMAGES[:1].clone().requires_grad_()
    grown = torch.rand(1, 2, 10, 10, dtype=torch.float64)
    bench = replace(mirrors(1), dither=True, scheme=FieldItself())
    done = physical_convolution(images, weight, bench=bench)
    (found,) = torch.autograd.grad(done.output, images, grown)
    (exact,) = torch.autograd.grad(functional.conv2d(images, weight), images, grown)
    assert torch.allclose(found, exact, rtol=1e-10, atol=1e-10)


def test_a_modulator_off_its_design_wavelength_is_told() -> None:
    pluto = preset("lcos-pluto")
    red = replace(pluto, laser=replace(pluto.laser, wavelength_m=633e-9))
    range_rad = 2 * math.pi * 532 / 633
    with pytest.warns(WavelengthWarning) as told:
        Bench(red)
    assert [str(one.message).partition(":")[0] for one in told] == ["input", "filter"]
    assert f"is about {range_rad:.4g} rad there" in str(told[1].message)
    Bench(pluto)
    levels = LookUpTable(tuple(2 * math.pi * k / 256 for k in range(256)), (0.9,) * 256)
    measured = replace(red, filter=replace(pluto.filter, table=levels), input=IDEAL.input)
    with pytest.warns(WavelengthWarning, match="its table is another there; measure it at the"):
        Bench(measured)
    with pytest.raises(InputError, match="design_wavelength_m must be finite and above 0"):
        replace(pluto.filter, design_wavelength_m=-1.0)


def test_a_measured_table_of_equal_steps_computes_what_bits_compute() -> None:
    phases = replace(IDEAL.filter, kind="lcos-phase", bits=6)
    levels = LookUpTable(tuple(2 * math.pi * k / 64 for k in range(64)), (0.7,) * 64)
    coarse = LookUpTable(tuple(1.2 * math.pi * k / 64 for k in range(64)), (0.7,) * 64)
    weight = torch.randn(
        2, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    exact = functional.conv2d(IMAGES, weight)
    plain, same, short = (
        physical_convolution(
            IMAGES, weight, bench=Bench(replace(IDEAL, filter=part), scheme=FieldItself())
        ).output
        for part in (phases, replace(phases, table=levels), replace(phases, table=coarse))
    )
    # The scale of a pattern is measured, so that an amplitude of all levels cancels.
    torch.testing.assert_close(same, plain, rtol=1e-9, atol=1e-9)
    errors = [float((found - exact).norm() / exact.norm()) for found in (plain, short)]
    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize("sampling", [Sampling.points(), Sampling(filter=2)])
def test_patterns_undo_the_crosstalk_of_the_input(sampling: Sampling) -> None:
    blurred = replace(IDEAL.input, kind="lcos-amplitude", crosstalk_px=0.3)
    system = replace(IDEAL, input=blurred)
    images, weight = IMAGES, torch.randn(2, 1, 3, 3, dtype=torch.float64)
    exact = functional.conv2d(images, weight)
    errors = []
    for compensate in (True, False):
        bench = Bench(system, scheme=FieldItself(), sampling=sampling, compensate=compensate)
        off = physical_convolution(images, weight, bench=bench).output - exact
        errors.append(float(off.norm() / exact.norm()))
    # Inverse on the pixels' grid, but for what reaches the end of the response's period.
    assert errors[0] < (1e-10 if sampling.filter == 1 else 1e-6)
    assert errors[1] > 0.1


def test_a_bench_lays_side_by_side_what_its_filter_shows_by_default() -> None:
    dmd, pluto = preset("dmd-dlp7000"), preset("lcos-pluto")
    assert Bench(dmd).tiles_along == ("images",) == Bench(pluto).tiles_along
    plain = replace(pluto, filter=replace(pluto.filter, crosstalk_px=0.0))
    assert set(Bench(plain).tiles_along) == {"images", "channels", "kernels", "groups"}
    assert Bench(dmd, along=("kernels",)).tiles_along == ("kernels",)
