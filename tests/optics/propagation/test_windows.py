"""Zoomed and shifted target windows against direct sums and the matrix transform."""

from __future__ import annotations

import math

import pytest
import torch

from optics.errors import InputError, SamplingError
from optics.field import Field
from optics.propagation import (
    angular_spectrum,
    angular_window,
    chirp_fourier,
    chirp_z,
    matrix_fourier,
)

WAVELENGTH_M, PITCH_M = 532e-9, 4e-6


def light(side: int = 48) -> Field:
    """Two spots of unlike size and tilt: no symmetry hides a turn or a sign."""
    grid = Field(torch.zeros(side, side + 8, dtype=torch.complex128), WAVELENGTH_M, PITCH_M)
    y, x = grid.axes_m
    y, x = y[:, None], x[None, :]
    first = torch.exp(-((y + 30e-6) ** 2 + (x - 20e-6) ** 2) / 22e-6**2 + 2j * math.pi * 1e4 * x)
    second = torch.exp(-((y - 20e-6) ** 2 + (x + 35e-6) ** 2) / 26e-6**2 - 2j * math.pi * 8e3 * y)
    return grid.with_data(first + 0.6j * second)


def direct(
    field: Field, z_m: float, shape: tuple[int, int], pitch_m: float, centre_m: tuple[float, float]
) -> torch.Tensor:
    """The first Rayleigh-Sommerfeld integral, summed sample by sample at each place."""
    y, x = field.axes_m
    rows, columns = (
        (torch.arange(n, dtype=torch.float64) - n // 2) * pitch_m + c
        for n, c in zip(shape, centre_m, strict=True)
    )
    dy = (rows[:, None] - y).view(shape[0], 1, -1, 1)
    dx = (columns[:, None] - x).view(1, shape[1], 1, -1)
    r = torch.sqrt(dy**2 + dx**2 + z_m**2)
    k = 2 * math.pi / field.wavelength_m
    wave = torch.polar(z_m / (2 * math.pi * r**2), k * (dy**2 + dx**2) / (r + z_m))
    kernel = torch.complex(1 / r, torch.full_like(r, -k)) * wave
    return (field.data * kernel).sum((-2, -1)) * PITCH_M**2


@pytest.mark.parametrize("z_m", [1e-3, 3e-3])
@pytest.mark.parametrize("centre_m", [(0.0, 0.0), (40e-6, -60e-6)])
def test_a_zoomed_and_shifted_window_is_the_direct_sum(
    z_m: float, centre_m: tuple[float, float]
) -> None:
    field, shape, pitch_m = light(), (24, 17), 1.3e-6
    found = angular_window(field, z_m, shape, pitch_m, centre_m)
    expected = direct(field, z_m, shape, pitch_m, centre_m)
    assert found.pitch_m == (pitch_m, pitch_m)
    off = (found.data - expected).norm() / expected.norm()
    assert float(off) < 2e-3  # as propagate is held to


def test_a_window_far_off_the_axis_holds_what_a_tilt_sends_there() -> None:
    # A tilt of 2 degrees arrives z tan 2° away, outside of the field's own window.
    sine, z_m = math.sin(math.radians(2)), 4e-3
    field = light()
    tilted = field.with_data(
        field.data * Field.plane_wave(field.shape, WAVELENGTH_M, PITCH_M, (0.0, sine)).data
    )
    shift_m = z_m * math.tan(math.radians(2))
    found = angular_window(tilted, z_m, (64, 64), 4e-6, (0.0, shift_m))
    assert float(found.power_w / field.power_w) > 0.97
    expected = direct(tilted, z_m, (16, 16), 8e-6, (0.0, shift_m))
    part = angular_window(tilted, z_m, (16, 16), 8e-6, (0.0, shift_m))
    assert float((part.data - expected).norm() / expected.norm()) < 2e-3


def test_a_window_like_the_fields_own_is_the_angular_spectrum_and_goes_back() -> None:
    field = light()
    own = angular_window(field, 5e-4, field.shape, PITCH_M)
    plain = angular_spectrum(field, 5e-4)
    assert float((own.data - plain.data).abs().max()) < 2e-4
    back = angular_window(
        angular_window(field, 3e-4, (160, 160), PITCH_M), -3e-4, field.shape, 4e-6
    )
    assert float((back.data - field.data).norm() / field.data.norm()) < 1e-4


def test_chirp_z_is_the_sum_that_it_says() -> None:
    x = torch.randn(3, 20, 7, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    found = chirp_z(x, 9, step=0.013, first=-0.21, origin=6.5, axis=-2)
    n, k = torch.arange(20, dtype=torch.float64), torch.arange(9, dtype=torch.float64)
    waves = torch.exp(-2j * math.pi * (n - 6.5) * (-0.21 + k * 0.013)[:, None])
    assert torch.allclose(found, waves @ x, atol=1e-12)
    whole = chirp_z(x, 20, step=1 / 20, first=0.0, origin=0.0, axis=-2)
    assert torch.allclose(whole, torch.fft.fft(x, dim=-2), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
def test_the_focal_plane_by_chirp_z_is_that_by_matrices(dtype: torch.dtype) -> None:
    field = light().with_data(light().data.to(dtype).expand(2, -1, -1))
    arguments = 0.05, (30, 41), (3e-6, 5e-6), (60e-6, -90e-6)
    found, expected = chirp_fourier(field, *arguments), matrix_fourier(field, *arguments)
    limit = 1e-12 if dtype is torch.complex128 else 1e-5
    assert found.pitch_m == expected.pitch_m
    assert float((found.data - expected.data).abs().max() / expected.data.abs().max()) < limit


def test_windows_out_of_range_are_refused() -> None:
    field = light()
    with pytest.raises(InputError, match="distance_m must be a finite number"):
        angular_window(field, math.inf, (4, 4), 1e-6)
    with pytest.raises(InputError, match="shape must be"):
        angular_window(field, 1e-3, (0, 4), 1e-6)
    with pytest.raises(SamplingError, match="chirp_fourier: the grid reaches"):
        chirp_fourier(field, 0.05, (30, 30), 1e-3)
    empty = field.with_data(field.data[None][:0])
    assert angular_window(empty, 1e-3, (4, 5), 1e-6).data.shape == (0, 4, 5)
