"""Incoherent and partially coherent images against direct sums and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from optics.elements.coherence import (
    ExtendedSource,
    incoherent_image,
    partially_coherent_image,
    point_spread,
    transfer_function,
    wavelengths_apart,
)
from optics.errors import InputError, SamplingError
from optics.grid import centred_fft2, centred_ifft2, coordinates

SIDE, PITCH_M, WAVELENGTH_M = 32, 5e-6, 500e-9
CUT_PER_M = 0.2 / PITCH_M


def disc(v: Tensor, u: Tensor) -> Tensor:
    return (v**2 + u**2 <= CUT_PER_M**2).double()


def grid(side: int = SIDE) -> tuple[Tensor, Tensor]:
    places = coordinates(side, 1 / (side * PITCH_M))
    return places[:, None], places[None, :]


def test_an_incoherent_image_is_the_direct_sum_of_the_images_of_its_points() -> None:
    generator = torch.Generator().manual_seed(0)
    thing = torch.rand(2, SIDE, SIDE, dtype=torch.float64, generator=generator)
    pupil = disc(*grid()) * torch.exp(2j * math.pi * (grid()[0] * 6e-6 + (grid()[1] * 9e-6) ** 3))
    expected = torch.zeros_like(thing)
    for row in range(SIDE):
        for column in range(SIDE):
            point = torch.zeros(SIDE, SIDE, dtype=torch.complex128)
            point[row, column] = 1
            response = centred_ifft2(centred_fft2(point) * pupil).abs() ** 2
            expected += thing[:, row, column, None, None] * response
    found = incoherent_image(thing, pupil)
    assert torch.allclose(found, expected, atol=1e-13)
    # What passes: the share of the frequencies that the pupil lets through.
    passed = float(pupil.abs().square().mean())
    assert float(found.sum()) == pytest.approx(passed * float(thing.sum()), rel=1e-12)
    assert float(point_spread(pupil).sum()) == pytest.approx(passed, rel=1e-12)


def test_a_round_pupil_transfers_up_to_twice_the_coherent_cut_off() -> None:
    # 2/π (acos ρ - ρ √(1 - ρ²)), ρ the frequency over twice the coherent cut-off (Goodman, ch. 6).
    side = 512
    v, u = grid(side)
    transfer = transfer_function(disc(v, u).to(torch.complex128)).real[side // 2, side // 2 :]
    rho = (coordinates(side, 1 / (side * PITCH_M))[side // 2 :] / (2 * CUT_PER_M)).numpy()
    inside = np.clip(rho, 0, 1)
    expected = 2 / math.pi * (np.arccos(inside) - inside * np.sqrt(1 - inside**2))
    # The edge of 102 frequencies' radius is drawn in whole samples.
    assert np.abs(transfer.numpy() - expected).max() < 4e-3
    beyond = transfer[torch.from_numpy(rho > 1 + 2 / side / 0.4)]
    assert float(beyond.abs().max()) < 1e-12
    before = transfer[torch.from_numpy((rho > 0.5) & (rho < 0.98))]
    assert float(before.min()) > 1e-4  # where coherent light sends nothing


def test_one_mode_is_the_coherent_image_and_modes_add_up() -> None:
    generator = torch.Generator().manual_seed(1)
    thing = torch.rand(SIDE, SIDE, dtype=torch.float64, generator=generator)
    pitch = (PITCH_M, PITCH_M)
    coherent = centred_ifft2(centred_fft2(thing.to(torch.complex128)) * disc(*grid())).abs() ** 2
    point = ExtendedSource.of(WAVELENGTH_M)
    assert point.weights == (1.0,)
    one = partially_coherent_image(thing, disc, point, pitch, WAVELENGTH_M)
    assert torch.allclose(one, coherent, atol=1e-13)

    source = ExtendedSource.of(WAVELENGTH_M, radius_sine=0.01, bandwidth_m=20e-9, rings=2, lines=3)
    assert len(source.weights) == 3 * 19
    assert math.fsum(source.weights) == pytest.approx(1)
    y, x = (coordinates(SIDE, PITCH_M)[:, None], coordinates(SIDE, PITCH_M)[None, :])
    expected = torch.zeros_like(coherent)
    for wavelength_m, sines, weight in zip(
        source.wavelengths_m, source.sines, source.weights, strict=True
    ):
        down, right = (round(s / wavelength_m * SIDE * PITCH_M) / (SIDE * PITCH_M) for s in sines)
        lit = thing * torch.exp(2j * math.pi * (down * y + right * x))
        scale = wavelength_m / WAVELENGTH_M
        mask = disc(*(axis * scale for axis in grid()))
        expected += weight * centred_ifft2(centred_fft2(lit) * mask).abs() ** 2
    found = partially_coherent_image(thing, disc, source, pitch, WAVELENGTH_M)
    assert torch.allclose(found, expected, atol=1e-13)


def test_a_wide_source_is_nearly_incoherent_and_a_point_is_not() -> None:
    # Two points 0.61 λf/D-like apart: a wide source shows |PSF|² of each, a point interferes.
    thing = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    thing[16, 14] = thing[16, 18] = 1
    pitch = (PITCH_M, PITCH_M)
    apart = incoherent_image(thing, disc(*grid()))
    sine = 2.6 * CUT_PER_M * WAVELENGTH_M
    wide = partially_coherent_image(
        thing,
        disc,
        ExtendedSource.of(WAVELENGTH_M, radius_sine=sine, rings=12),
        pitch,
        WAVELENGTH_M,
    )
    point = partially_coherent_image(
        thing, disc, ExtendedSource.of(WAVELENGTH_M), pitch, WAVELENGTH_M
    )

    def off(image: Tensor) -> float:
        scaled = image / image.sum() * apart.sum()
        return float((scaled - apart).abs().max() / apart.max())

    # Coherence of a disc of directions falls as 2 J₁(x)/x, x = 2π s d / λ = 13: below 0.06.
    assert off(wide) < 0.06
    assert off(point) > 0.2


def test_the_spread_of_a_line_has_its_width() -> None:
    source = ExtendedSource.of(WAVELENGTH_M, bandwidth_m=10e-9, lines=7)
    mean_m = sum(w * x for w, x in zip(source.weights, source.wavelengths_m, strict=True))
    variance_m2 = sum(
        w * (x - mean_m) ** 2 for w, x in zip(source.weights, source.wavelengths_m, strict=True)
    )
    assert mean_m == pytest.approx(WAVELENGTH_M)
    assert 2.3548 * math.sqrt(variance_m2) == pytest.approx(10e-9, rel=1e-4)
    disc_of = ExtendedSource.of(WAVELENGTH_M, radius_sine=0.1, rings=10)
    mean_square = sum(
        w * (a**2 + b**2) for w, (a, b) in zip(disc_of.weights, disc_of.sines, strict=True)
    )
    assert mean_square == pytest.approx(0.1**2 / 2, rel=1e-3)  # of an even disc: R²/2


def test_channels_of_wavelengths_meet_the_filter_each_at_its_scale() -> None:
    # A grating in the Fourier plane, exp(2πi a λf u...): a shift of the image that grows with λ.
    waves = (400e-9, 500e-9, 600e-9)
    generator = torch.Generator().manual_seed(2)
    fields = torch.randn(2, 3, SIDE, SIDE, dtype=torch.complex128, generator=generator)
    shift_m = 5 * PITCH_M

    def prism(v: Tensor, u: Tensor) -> Tensor:
        return torch.exp(-2j * math.pi * shift_m * (u + 0 * v))

    found = wavelengths_apart(fields, waves, PITCH_M, prism, 500e-9)
    for channel, shift in enumerate((4, 5, 6)):
        expected = torch.roll(fields[:, channel], shift, -1)
        assert torch.allclose(found[:, channel], expected, atol=1e-12)


def test_what_makes_no_image_is_refused() -> None:
    with pytest.raises(SamplingError, match="half of the highest frequency"):
        incoherent_image(torch.ones(8, 8), torch.ones(8, 8))
    with pytest.raises(InputError, match="at or above 0; got -1"):
        incoherent_image(-torch.ones(8, 8), torch.zeros(8, 8))
    with pytest.raises(InputError, match="of the object's plane"):
        incoherent_image(torch.ones(8, 8), torch.zeros(9, 9))
    with pytest.raises(InputError, match="radius_sine must be at or above 0"):
        ExtendedSource.of(500e-9, radius_sine=-1)
    with pytest.raises(InputError, match="with 2 wavelengths; got"):
        wavelengths_apart(torch.ones(3, 8, 8), (4e-7, 5e-7), 1e-6, disc, 5e-7)
