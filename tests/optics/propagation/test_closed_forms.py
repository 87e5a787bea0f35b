"""Propagators and lenses against diffraction that is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import jv

from optics.field import Field
from optics.grid import turned
from optics.lens import Lens
from optics.propagation import (
    angular_spectrum,
    fourier_lens,
    fresnel_matrix,
    fresnel_transfer,
    matrix_fourier,
)
from tests.optics.propagation.oracles import (
    CASES,
    WAVELENGTH_M,
    Case,
    disc,
    gaussian,
    relative,
    slit,
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gaussian_beam_through_every_propagator(case: Case) -> None:
    waist_m = 120e-6
    grid = Field(torch.zeros(case.samples, dtype=torch.complex128), WAVELENGTH_M, case.pitch_m)
    field = Field(gaussian(*grid.axes_m, waist_m, 0.0), WAVELENGTH_M, case.pitch_m)
    behind = case.propagate(field, case.distance_m)
    centre_m = (50e-6, -80e-6) if "matrix" in case.name else (0.0, 0.0)
    y, x = (axis + c for axis, c in zip(behind.axes_m, centre_m, strict=True))
    expected = gaussian(y, x, waist_m, case.distance_m)
    # The window cuts the beam at exp(-36); the angular spectrum is exact where the beam is
    # paraxial, and differs by k z θ⁴ / 8 with θ = λ / (π w₀), and its band limit cuts nothing.
    theta = WAVELENGTH_M / (math.pi * waist_m)
    exact = 2 * math.pi / WAVELENGTH_M * abs(case.distance_m) * theta**4
    tolerance = 2 * exact if "angular" in case.name else 1e-12
    assert relative(behind.data, expected) < tolerance


def test_gaussian_width_and_gouy_phase() -> None:
    waist_m, distance_m = 100e-6, 0.04
    rayleigh_m = math.pi * waist_m**2 / WAVELENGTH_M
    samples, pitch_m = (256, 256), 9e-6
    grid = Field(torch.zeros(samples, dtype=torch.complex128), WAVELENGTH_M, pitch_m)
    field = Field(gaussian(*grid.axes_m, waist_m, 0.0), WAVELENGTH_M, pitch_m)
    behind = fresnel_transfer(field, distance_m, surround="periodic").data
    # Second moment of intensity along one axis is w² / 4.
    intensity = behind.abs() ** 2
    x = grid.axes_m[1]
    moment = float((intensity * x**2).sum() / intensity.sum())
    width_m = waist_m * math.hypot(1, distance_m / rayleigh_m)
    assert 2 * math.sqrt(moment) == pytest.approx(width_m, rel=1e-9)
    gouy = -math.atan(distance_m / rayleigh_m)
    assert float(behind[128, 128].angle()) == pytest.approx(gouy, abs=1e-12)


# The integrals are told for light that goes on.
@pytest.mark.parametrize("case", [c for c in CASES if c.distance_m > 0], ids=str)
def test_square_opening_by_fresnel_integrals(case: Case) -> None:
    grid = Field(torch.zeros(case.samples, dtype=torch.complex128), WAVELENGTH_M, case.pitch_m)
    counts = (101, 121)  # odd, so that both edges lie half-way between samples
    opening = torch.zeros(case.samples, dtype=torch.complex128)
    (h, w), (a, b) = case.samples, counts
    opening[h // 2 - a // 2 : h // 2 + a // 2 + 1, w // 2 - b // 2 : w // 2 + b // 2 + 1] = 1
    behind = case.propagate(Field(opening, WAVELENGTH_M, case.pitch_m), case.distance_m)
    centre_m = (50e-6, -80e-6) if "matrix" in case.name else (0.0, 0.0)
    y, x = (axis.numpy() + c for axis, c in zip(behind.axes_m, centre_m, strict=True))
    down = slit(y, a * grid.pitch_m[0], case.distance_m)
    right = slit(x, b * grid.pitch_m[1], case.distance_m)
    expected = torch.from_numpy(np.outer(down, right))
    error = (behind.data - expected).norm() / expected.norm()
    # Sampling of a sharp edge: the light beyond half the sampling rate folds back.
    assert error < 0.03


def test_points_on_the_axis_behind_a_round_opening() -> None:
    # Intensity 4 sin²(πa² / (2λz)): dark and bright by turns (Goodman, ch. 4).
    radius_m, errors = 0.4e-3, []
    for count, pitch_m in ((256, 4e-6), (512, 2e-6)):
        field = Field(disc((count, count), (pitch_m, pitch_m), radius_m), WAVELENGTH_M, pitch_m)
        error = 0.0
        for number in (1.0, 1.5, 2.0, 2.5, 3.0):
            distance_m = radius_m**2 / (WAVELENGTH_M * number)
            behind = fresnel_matrix(field, distance_m, (1, 1), pitch_m)
            expected = 4 * math.sin(math.pi * number / 2) ** 2
            error = max(error, abs(float(behind.intensity) - expected))
        errors.append(error)
    # Grey samples tell the edge's place to second order in the pitch.
    assert errors[0] < 0.015
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def test_axis_behind_a_round_opening_beyond_paraxial_light() -> None:
    # Rayleigh and Sommerfeld's first integral on the axis, exactly (Osterberg & Smith, JOSA
    # 51:1050, 1961): u = 1 - z / √(z² + a²) exp(ik(√(z² + a²) - z)).
    radius_m, wave_number, errors = 10e-6, 2 * math.pi / WAVELENGTH_M, []
    for count, pitch_m in ((256, 0.2e-6), (512, 0.1e-6)):
        field = Field(disc((count, count), (pitch_m, pitch_m), radius_m), WAVELENGTH_M, pitch_m)
        error = 0.0
        for distance_m in (15e-6, 20e-6, 30e-6):
            slant_m = math.hypot(distance_m, radius_m)
            turn = wave_number * (slant_m - distance_m)
            expected = 1 - distance_m / slant_m * complex(math.cos(turn), math.sin(turn))
            found = complex(angular_spectrum(field, distance_m).data[count // 2, count // 2])
            error = max(error, abs(found - expected))
            paraxial = math.pi * radius_m**2 / (WAVELENGTH_M * distance_m)
            fresnel = 1 - complex(math.cos(paraxial), math.sin(paraxial))
            assert abs(fresnel - expected) > 0.1  # so that the test tells the two apart
        errors.append(error)
    # A grey sample of the edge is as wide as the pitch: second order in pitch × sin θ / λ.
    assert errors[1] < 0.02
    assert errors[0] / errors[1] > 3


@pytest.mark.parametrize("surround", ["dark", "periodic"])
def test_plane_waves_turn_by_their_own_phase(surround: str) -> None:
    samples, pitch_m, distance_m = (48, 64), (2e-6, 1.5e-6), 200e-6
    grid = Field(torch.zeros(samples, dtype=torch.complex128), WAVELENGTH_M, pitch_m)
    y, x = grid.axes_m
    u, v = 5 / grid.size_m[0], -7 / grid.size_m[1]
    wave = torch.exp(2j * math.pi * (u * y[:, None] + v * x[None, :]))
    field = Field(wave, WAVELENGTH_M, pitch_m)
    along = math.sqrt(1 / WAVELENGTH_M**2 - u**2 - v**2) - 1 / WAVELENGTH_M
    if surround == "dark":
        behind = angular_spectrum(field, distance_m)
        assert relative(behind.data, wave) > 0.5  # the edge of the window diffracts
        return
    behind = angular_spectrum(field, distance_m, surround="periodic", band_limit=False)
    expected = wave * np.exp(2j * math.pi * distance_m * along)
    assert relative(behind.data, expected) < 1e-12
    paraxial = fresnel_transfer(field, distance_m / 4, surround="periodic")
    phase = -math.pi * WAVELENGTH_M * distance_m / 4 * (u**2 + v**2)
    assert relative(paraxial.data, wave * np.exp(1j * phase)) < 1e-12


def test_evanescent_waves_fade_both_ways() -> None:
    samples, pitch_m, distance_m = (64, 64), 0.3e-6, 0.3e-6
    grid = Field(torch.zeros(samples, dtype=torch.complex128), WAVELENGTH_M, pitch_m)
    y, x = grid.axes_m
    u, v = 30 / grid.size_m[0], 29 / grid.size_m[1]
    beyond = math.hypot(u, v)
    assert beyond > 1 / WAVELENGTH_M
    wave = torch.exp(2j * math.pi * (u * y[:, None] + v * x[None, :]))
    field = Field(wave, WAVELENGTH_M, pitch_m)
    fade = math.exp(-2 * math.pi * distance_m * math.sqrt(beyond**2 - 1 / WAVELENGTH_M**2))
    for sign in (1, -1):
        behind = angular_spectrum(
            field, sign * distance_m, surround="periodic", band_limit=False
        ).data
        # Past its fading it has the phase that every field lacks, exp(-ikz).
        torch.testing.assert_close(behind.abs(), torch.full(samples, fade).double())
    # A periodic field has no band limit unless asked for: the wave that fades is part of it.
    faded = angular_spectrum(field, distance_m, surround="periodic").data
    torch.testing.assert_close(faded.abs(), torch.full(samples, fade).double())


def test_talbot_images_whole_half_and_quarter() -> None:
    period, pitch_m, samples = 16, 5e-6, (512, 512)
    line = (torch.arange(512) % period < 5).to(torch.float64) + 0.2
    grating = line[None, :].expand(samples)
    length_m = 2 * (period * pitch_m) ** 2 / WAVELENGTH_M
    field = Field(grating, WAVELENGTH_M, pitch_m)
    whole, half, quarter = (
        fresnel_transfer(field, part * length_m, surround="periodic").data
        for part in (1, 0.5, 0.25)
    )
    shifted = torch.roll(grating, period // 2, -1)
    both = (1 - 1j) / 2 * grating + (1 + 1j) / 2 * shifted
    assert relative(whole, grating) < 1e-12
    assert relative(half, shifted) < 1e-12
    assert relative(quarter, both) < 1e-12


def test_airy_pattern() -> None:
    focal_m, pupil_m, pitch_m = 0.1, 4e-3, 20e-6
    opening = disc((220, 220), (pitch_m, pitch_m), pupil_m / 2)
    field = Field(opening, WAVELENGTH_M, pitch_m)
    unit_m = WAVELENGTH_M * focal_m / pupil_m
    focus = matrix_fourier(field, focal_m, (81, 81), unit_m / 10)
    y, x = focus.axes_m
    radius = torch.hypot(y[:, None], x[None, :]).numpy() * math.pi / unit_m
    bright = math.pi * pupil_m**2 / 4 / (WAVELENGTH_M * focal_m)
    expected = np.where(radius > 0, 2 * jv(1, radius) / np.where(radius > 0, radius, 1), 1) * bright
    error = (focus.data * 1j - torch.from_numpy(expected)).abs().max() / bright
    assert error < 2e-4  # grey edge samples: second order in dx / D = 1/200

    def amplitude(factor: float) -> float:
        point = matrix_fourier(field, focal_m, (1, 1), 1e-9, (0.0, factor * unit_m))
        return float((point.data * 1j).real)

    # The first dark ring is 1.2197 λf / D from the axis.
    assert brentq(amplitude, 1.1, 1.3) == pytest.approx(1.21967, rel=2e-4)


def test_focus_of_a_gaussian_beam_has_the_waist_of_the_2f_system() -> None:
    focal_m, waist_m, samples, pitch_m = 0.15, 200e-6, (256, 200), (8e-6, 10e-6)
    grid = Field(torch.zeros(samples, dtype=torch.complex128), WAVELENGTH_M, pitch_m)
    field = Field(gaussian(*grid.axes_m, waist_m, 0.0), WAVELENGTH_M, pitch_m)
    other_m = WAVELENGTH_M * focal_m / (math.pi * waist_m)
    on_grid = fourier_lens(field, focal_m)
    free = matrix_fourier(field, focal_m, (64, 50), (3e-6, 5e-6), (20e-6, -30e-6))
    for found, centre in ((on_grid, (0.0, 0.0)), (free, (20e-6, -30e-6))):
        y, x = (axis + c for axis, c in zip(found.axes_m, centre, strict=True))
        expected = -1j * waist_m / other_m * gaussian(y, x, other_m, 0.0)
        # Phases of up to some thousand radians are rounded.
        assert relative(found.data, expected) < 1e-11


def test_coherent_edge_is_a_quarter_bright_where_it_stands() -> None:
    # Any even amplitude response of unit area gives 1/2 at a step, an intensity of 1/4.
    samples = (64, 128)
    step = torch.zeros(samples, dtype=torch.float64)
    step[:, 65:128] = 1
    step[:, [0, 64]] = 0.5
    field = Field(step, WAVELENGTH_M, 8e-6)
    spectrum = fourier_lens(field, 0.1)
    lens = Lens(focal_length_m=0.1, pupil_m=2e-3)
    y, x = spectrum.axes_m
    pupil = torch.hypot(y[:, None], x[None, :]) <= lens.pupil_m / 2
    image = fourier_lens(spectrum.modulated(pupil.to(torch.float64)), 0.1)
    edge = image.intensity[:, 64]
    torch.testing.assert_close(edge, torch.full_like(edge, 0.25), rtol=0, atol=1e-13)
    assert float(image.intensity.max()) > 1.05  # it rings, as coherent light does


def test_gratings_pass_below_the_cut_off_and_not_above() -> None:
    samples, pitch_m, focal_m = (256, 256), 8e-6, 0.1
    lens = Lens(focal_length_m=focal_m, pupil_m=2e-3)
    cutoff = lens.cutoff_per_m(WAVELENGTH_M)
    assert cutoff == pytest.approx(2e-3 / 2 / (WAVELENGTH_M * focal_m))
    size_m = samples[1] * pitch_m
    last = int(cutoff * size_m)
    for cycles, passes in ((last, True), (last + 1, False)):
        x = Field(torch.zeros(samples), WAVELENGTH_M, pitch_m).axes_m[1]
        wave = torch.cos(2 * math.pi * cycles * x / size_m)[None, :].expand(samples)
        spectrum = fourier_lens(Field(wave, WAVELENGTH_M, pitch_m), focal_m)
        y, x = spectrum.axes_m
        pupil = torch.hypot(y[:, None], x[None, :]) <= lens.pupil_m / 2
        image = fourier_lens(spectrum.modulated(pupil.to(torch.float64)), focal_m)
        expected = -turned(wave) if passes else torch.zeros_like(wave)
        torch.testing.assert_close(image.data.real, expected, rtol=0, atol=1e-12)
