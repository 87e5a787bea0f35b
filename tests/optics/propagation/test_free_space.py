"""Free space at any distance against direct sums, exact orders of gratings, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from optics.field import Field
from optics.grid import coordinates
from optics.propagation import (
    AliasingWarning,
    angular_limit_m,
    angular_spectrum,
    band_extended,
    fourier_lens,
    fresnel_transfer,
    propagate,
    rayleigh_sommerfeld,
)

WAVELENGTH_M = 532e-9
Complex = NDArray[np.complex128]


def direct_sum(
    data: Complex, pitch_m: tuple[float, float], distance_m: float, points_m: NDArray[np.float64]
) -> Complex:
    """The first Rayleigh-Sommerfeld integral, term by term, at points (count, 2)."""
    k = 2 * math.pi / WAVELENGTH_M
    y, x = (coordinates(n, p).numpy() for n, p in zip(data.shape, pitch_m, strict=True))
    found = []
    for py, px in points_m:
        offset = (py - y[:, None]) ** 2 + (px - x) ** 2
        r = np.sqrt(offset + distance_m**2)
        wave = np.exp(1j * k * offset / (r + distance_m)) * distance_m / (2 * math.pi * r**2)
        found.append((data * wave * (1 / r - 1j * k)).sum() * pitch_m[0] * pitch_m[1])
    return np.array(found)


def samples_at(field: Field, count: int) -> tuple[Complex, NDArray[np.float64]]:
    """Some samples of a field, and their places (count, 2)."""
    rng = np.random.default_rng(count)
    rows, columns = (rng.integers(0, n, count) for n in field.shape)
    y, x = (axis.numpy() for axis in field.axes_m)
    return field.data.numpy()[rows, columns], np.stack([y[rows], x[columns]], -1)


def rms(found: Complex, expected: Complex) -> float:
    return float(np.sqrt((np.abs(found - expected) ** 2).sum() / (np.abs(expected) ** 2).sum()))


@pytest.mark.parametrize("count", [64, 256])
@pytest.mark.parametrize("paraxial", [False, True])
@pytest.mark.parametrize("distance_m", [61.6e-3, 1.7, -61.6e-3])
def test_a_periodic_field_is_the_sum_of_its_orders(
    count: int, paraxial: bool, distance_m: float
) -> None:
    period, pitch_m = 16, 8e-6
    slits = torch.zeros(count, count, dtype=torch.complex128)
    slits[:, torch.arange(count) % period < 5] = 1
    field = Field(slits, WAVELENGTH_M, pitch_m)
    method = fresnel_transfer if paraxial else angular_spectrum
    found = method(field, distance_m, surround="periodic").data[0].numpy()
    orders = np.fft.fft(slits[0, :period].numpy()) / period
    expected = np.zeros(count, complex)
    for order, amplitude in enumerate(orders):
        m = order if order < period // 2 else order - period
        sine = m * WAVELENGTH_M / (period * pitch_m)
        along = -(sine**2) / 2 if paraxial else math.sqrt(1 - sine**2) - 1
        wave = np.exp(2j * math.pi * m * np.arange(count) / period)
        expected += amplitude * wave * np.exp(2j * math.pi * distance_m / WAVELENGTH_M * along)
    assert np.abs(found - expected).max() < 1e-9


@pytest.mark.parametrize("distance_m", [0.09, 0.5])
def test_the_padded_convolution_is_the_direct_sum(distance_m: float) -> None:
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(24, 31, dtype=torch.complex128, generator=generator)
    field = Field(data, WAVELENGTH_M, (9e-6, 8e-6))
    found, points_m = samples_at(rayleigh_sommerfeld(field, distance_m), 12)
    expected = direct_sum(data.numpy(), field.pitch_m, distance_m, points_m)
    assert rms(found, expected) < 1e-12
    back = rayleigh_sommerfeld(field.with_data(data.conj()), -distance_m).data.conj()
    torch.testing.assert_close(back, rayleigh_sommerfeld(field, distance_m).data)


@pytest.mark.parametrize(
    ("pitch_m", "distance_m"),
    [(8e-6, 0.12), (8e-6, 0.25), (8e-6, 0.5), (0.5e-6, 1e-3), (0.5e-6, 2e-3)],
)
def test_a_square_opening_at_long_distance(pitch_m: float, distance_m: float) -> None:
    count = 256
    side = (torch.arange(count) - count // 2).abs() < count // 4
    opening = (side[:, None] & side).double()
    field = Field(opening, WAVELENGTH_M, pitch_m)
    found = propagate(field, distance_m)
    assert found.method == "rayleigh-sommerfeld"
    light, points_m = samples_at(found.field, 40)
    expected = direct_sum(opening.numpy(), field.pitch_m, distance_m, points_m)
    assert rms(light, expected) < 1e-10
    extended, _ = samples_at(band_extended(field, distance_m), 40)
    assert rms(extended, expected) < 2e-3


@pytest.mark.parametrize("pitch_m", [8e-6, 0.5e-6])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.99, 1.01, 3.0, 10.0])
def test_resolved_light_on_both_sides_of_the_critical_distance(
    pitch_m: float, share: float
) -> None:
    """Two tilted beams, one off the axis, against a direct sum over a source eight times finer."""
    count, fine = 64, 8
    distance_m = share * angular_limit_m(2 * count, pitch_m, WAVELENGTH_M)

    def beams(y: NDArray[np.float64], x: NDArray[np.float64]) -> Complex:
        y, x = y[:, None] / pitch_m, x[None, :] / pitch_m
        one = np.exp(-((y - 5) ** 2 + (x + 3) ** 2) / 8**2 + 2j * math.pi * (0.08 * x - 0.03 * y))
        return one + 0.5j * np.exp(-((y + 6) ** 2 + (x - 8) ** 2) / 6**2 - 0.6j * y)

    axis = coordinates(count, pitch_m).numpy()
    finer = coordinates(count * fine, pitch_m / fine).numpy()
    field = Field(torch.from_numpy(beams(axis, axis)), WAVELENGTH_M, pitch_m)
    pitches_m = (pitch_m / fine, pitch_m / fine)
    for method in ("auto", "band-extended"):
        found = propagate(field, distance_m, method=method)  # type: ignore[arg-type]
        light, points_m = samples_at(found.field, 24)
        expected = direct_sum(beams(finer, finer), pitches_m, distance_m, points_m)
        # Errors over the rms of the whole plane, as few of the points are bright.
        unit = np.sqrt((found.field.intensity.mean()).item() * len(light))
        assert np.linalg.norm(light - expected) / unit < 2e-3


def test_auto_takes_what_is_sampled() -> None:
    wave = torch.hann_window(32, dtype=torch.float64)
    square = Field(wave[:, None] * wave, WAVELENGTH_M, 8e-6)
    oblong = Field(square.data, WAVELENGTH_M, (4e-6, 16e-6))
    limit_m = angular_limit_m(64, 8e-6, WAVELENGTH_M)
    assert propagate(square, 0.9 * limit_m).method == "angular-spectrum"
    assert propagate(square, -1.1 * limit_m).method == "rayleigh-sommerfeld"
    assert propagate(oblong, limit_m).method == "band-extended"
    line = propagate(Field(wave[None, :], WAVELENGTH_M, 8e-6), 2 * limit_m)
    assert line.method == "band-extended"
    # The same light on many equal rows, in a periodic surround across them: a cylinder's wave.
    rows = angular_spectrum(
        Field(torch.nn.functional.pad(wave, (496, 496))[None, :], WAVELENGTH_M, 8e-6),
        2 * limit_m,
        surround="periodic",
    )
    torch.testing.assert_close(line.field.data, rows.data[:, 496:528], rtol=0, atol=2e-4)


def test_lost_light_is_that_of_a_beam_that_leaves() -> None:
    count, pitch_m, waist = 128, 8e-6, 16
    axis = coordinates(count, 1.0)
    beam = torch.exp(-(axis[:, None] ** 2 + axis**2) / waist**2)
    tilt = Field.plane_wave((count, count), WAVELENGTH_M, pitch_m, (0.0, 0.02))
    distance_m = 0.03
    found = propagate(Field(beam, WAVELENGTH_M, pitch_m).modulated(tilt.data), distance_m)
    # A Gaussian beam of w(z), moved by z tan θ, over the window's edge at 63.5 samples.
    width = waist * math.hypot(1, WAVELENGTH_M * distance_m / (math.pi * (waist * pitch_m) ** 2))
    moved = distance_m * 0.02 / math.sqrt(1 - 0.02**2) / pitch_m
    lost = math.erfc(math.sqrt(2) * (63.5 - moved) / width) / 2
    assert float(found.lost) == pytest.approx(lost, abs=2e-3)
    assert float(propagate(Field(beam, WAVELENGTH_M, pitch_m), 1e-3).lost) < 1e-6


def test_light_that_is_hardly_sampled_is_said() -> None:
    tilted = Field.plane_wave((64, 64), WAVELENGTH_M, 8e-6, (0.0, 0.0325))
    with pytest.warns(AliasingWarning, match="of the field's power lies beyond 0.9"):
        propagate(tilted, 1e-3)
    propagate(Field.plane_wave((64, 64), WAVELENGTH_M, 8e-6, (0.02, 0.02)), 1e-3)


def test_numbers_of_numpy_lists_empty_batches_and_lines() -> None:
    field = Field(torch.ones(0, 4, 6), np.float32(532e-9), [8e-6, np.float32(4e-6)])  # type: ignore[arg-type, list-item]
    assert (field.wavelength_m, field.pitch_m) == (532e-9, (8e-6, 4e-6))
    assert type(field.pitch_m[1]) is float
    assert propagate(field, np.float32(0.5)).field.data.shape == (0, 4, 6)
    assert propagate(field, 1e-6).lost.shape == (0,)
    assert fourier_lens(field, 0.1).data.shape == (0, 4, 6)
    assert Field(torch.ones(4, 4), 5e-7, np.float64(8e-6)).pitch_m == (8e-6, 8e-6)
    line = Field(torch.ones(1, 64), 500e-9, 5e-6)
    for method in (angular_spectrum, band_extended, fresnel_transfer):
        assert method(line, 1e-3).data.shape == (1, 64)
    torch.testing.assert_close(
        angular_spectrum(line, 5.0, surround="periodic").data, line.data, rtol=0, atol=1e-12
    )
