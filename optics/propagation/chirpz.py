"""Target windows of any pitch and place, by the chirp-z transform."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from optics.checks import finite, pitches, pixel_counts
from optics.field import Field
from optics.grid import frequencies
from optics.ideal.problem import fast_size
from optics.propagation.angular import free_space
from optics.propagation.matrix import check_focal
from optics.propagation.transfer import CACHE_BYTES, cached


def chirp_z(
    data: Tensor, count: int, *, step: float, first: float, origin: float, axis: int
) -> Tensor:
    """Return X[k] = Σ x[n] exp(-2πi (n - origin)(first + k step)) along an axis, k from 0.

    The discrete Fourier transform at evenly spaced frequencies of any spacing, by a convolution
    with a chirp: nk = (n² + k² - (k - n)²) / 2. It takes three transforms of N + ``count`` samples.
    Source: L. Bluestein, IEEE Trans. Audio Electroacoust. 18:451 (1970).

    Args:
        data: complex, N samples along ``axis``.
        count: frequencies.
        step: distance of frequencies, in cycles per sample.
        first: first frequency, in cycles per sample.
        origin: place of the origin, in samples.
        axis: axis of ``data``, counted from the end.
    """
    size, (device, dtype) = data.shape[axis], (data.device, data.dtype)
    length = fast_size(size + count - 1)
    before, kernel, behind = (
        part.to(dtype).view(-1, *[1] * (-axis - 1))
        for part in _chirps(size, count, length, step, first, origin, device)
    )
    spectrum = torch.fft.fft(data * before, n=length, dim=axis) * kernel
    made: Tensor = torch.fft.ifft(spectrum, dim=axis).narrow(axis, 0, count) * behind
    return made


def _chirps(
    size: int,
    count: int,
    length: int,
    step: float,
    first: float,
    origin: float,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is multiplied before, the transform of the chirp, and what behind; complex128."""
    n = torch.arange(size, dtype=torch.float64, device=device)
    k = torch.arange(count, dtype=torch.float64, device=device)
    # 0, 1, … of the frequencies, then the negative ones of the samples.
    m = torch.zeros(length, dtype=torch.float64, device=device)
    m[:count] = k
    if size > 1:
        m[-(size - 1) :] = torch.arange(-(size - 1), 0, dtype=torch.float64, device=device)
    return (
        _wave(-first * n - step / 2 * n**2),
        torch.fft.fft(_wave(step / 2 * m**2)),
        _wave(origin * (first + step * k) - step / 2 * k**2),
    )


def _wave(cycles: Tensor) -> Tensor:
    """Return exp(2πi cycles)."""
    return torch.polar(torch.ones_like(cycles), 2 * math.pi * torch.remainder(cycles, 1))


def angular_window(
    field: Field,
    distance_m: float,
    shape: tuple[int, int],
    pitch_m: float | Sequence[float],
    centre_m: tuple[float, float] = (0.0, 0.0),
) -> Field:
    """Return ``field`` after ``distance_m`` on a window of any pitch and place, on a dark surround.

    The angular spectrum, of those frequencies alone whose light reaches the window or passes it so
    near that it is sampled (K. Matsushima, Opt. Express 18:18453, 2010), summed at the window's
    samples by :func:`chirp_z`. A finer pitch than the field's zooms in, and shows no light of
    higher frequencies than the field has. Up to the distance of
    :func:`~optics.propagation.angular_limit_m` of the field's and the window's sizes together it
    is exact; beyond, the edge of the band diffracts.

    Args:
        field: before the space.
        distance_m: z; a negative one goes back.
        shape: samples of the window (rows, columns).
        pitch_m: pitch of the window in metres, one for both axes or (down, right).
        centre_m: place of the window's sample (rows // 2, columns // 2), (down, right), in metres.

    Raises:
        InputError: a figure is out of its range.
    """
    finite("angular_window", "distance_m", distance_m)
    pixel_counts("angular_window", "shape", shape)
    pitch = pitches("angular_window", pitch_m)
    for place_m, name in zip(centre_m, ("down", "right"), strict=True):
        finite("angular_window", f"centre_m, {name}", place_m)
    sides = tuple(
        fast_size(2 * (count + math.ceil(wide * new_m / own_m)))
        for count, wide, new_m, own_m in zip(field.shape, shape, pitch, field.pitch_m, strict=True)
    )
    if field.data.numel() == 0:
        return field.with_data(field.data.new_zeros(*field.data.shape[:-2], *shape), pitch)
    transfer = _transfer(
        (sides[0], sides[1]), field.shape, field.pitch_m, field.wavelength_m, float(distance_m),
        (float(centre_m[0]), float(centre_m[1])), field.data.dtype, field.data.device,
    )  # fmt: skip
    data = torch.fft.fftshift(torch.fft.fft2(field.data, s=sides) * transfer, dim=(-2, -1))
    for axis, index in ((-2, 0), (-1, 1)):
        period_m = sides[index] * field.pitch_m[index]
        start_m = centre_m[index] - (shape[index] // 2) * pitch[index]
        data = chirp_z(
            data,
            shape[index],
            step=-pitch[index] / period_m,
            first=-start_m / period_m,
            origin=sides[index] // 2,
            axis=axis,
        )
    return field.with_data(data / (sides[0] * sides[1]), pitch)


@cached(CACHE_BYTES)
def _transfer(
    sides: tuple[int, int],
    shape: tuple[int, int],
    pitch_m: tuple[float, float],
    wavelength_m: float,
    distance_m: float,
    centre_m: tuple[float, float],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return H on ``sides`` in the transform's order, with the phase of the field's own origin."""
    axes = [
        frequencies(count, one_m, device=device)
        for count, one_m in zip(sides, pitch_m, strict=True)
    ]
    v, u = axes[0][:, None], axes[1][None, :]
    sines = v * wavelength_m, u * wavelength_m
    cosine = torch.sqrt((1 - sines[0] ** 2 - sines[1] ** 2).clamp(min=1e-12))
    made = free_space(*sines, wavelength_m, distance_m)
    for axis, sine in enumerate(sines):
        half_m = sides[axis] * pitch_m[axis] / 2
        made = made * ((distance_m * sine / cosine - centre_m[axis]).abs() <= half_m)
    start = v * (shape[0] // 2 * pitch_m[0]) + u * (shape[1] // 2 * pitch_m[1])
    return (made * _wave(start)).to(dtype)


def chirp_fourier(
    field: Field,
    focal_length_m: float,
    shape: tuple[int, int],
    pitch_m: float | Sequence[float],
    centre_m: tuple[float, float] = (0.0, 0.0),
) -> Field:
    """Return the field in the back focal plane on a free grid, as ``matrix_fourier`` does.

    By :func:`chirp_z`, in N log N operations of each line in place of N M: the faster one from
    some hundred samples on. Arguments and errors are those of
    :func:`~optics.propagation.matrix_fourier`.
    """
    pitch = check_focal("chirp_fourier", field, focal_length_m, shape, pitch_m, centre_m)
    scale = field.wavelength_m * focal_length_m
    data = field.data
    for axis, index in ((-2, 0), (-1, 1)):
        own_m = field.pitch_m[index]
        start_m = centre_m[index] - (shape[index] // 2) * pitch[index]
        data = chirp_z(
            data,
            shape[index],
            step=pitch[index] * own_m / scale,
            first=start_m * own_m / scale,
            origin=field.shape[index] // 2,
            axis=axis,
        )
    return field.with_data(data * (-1j * field.pitch_m[0] * field.pitch_m[1] / scale), pitch)
