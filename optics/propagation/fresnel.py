"""Fresnel (paraxial) propagation on the field's own grid: near by transfer, far by impulse."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.checks import finite
from optics.errors import SamplingError
from optics.field import Field
from optics.grid import frequencies
from optics.propagation.transfer import CACHE_BYTES, Surround, cached, plane, transferred

_SLACK = 1 + 1e-9
"""Sides computed as count × pitch may miss the critical distance by rounding."""


def fresnel_transfer(field: Field, distance_m: float, *, surround: Surround = "dark") -> Field:
    """Return ``field`` after ``distance_m`` of free space, in the Fresnel approximation.

    H = exp(-iπλz(u² + v²)) (Goodman, Introduction to Fourier Optics, ch. 4). It is sampled up to
    |z| = S dx / λ, S the side of the computed plane (twice the window with a dark surround).

    Raises:
        SamplingError: H aliases at this distance.
        InputError: the distance is not finite.
    """
    finite("fresnel_transfer", "distance_m", distance_m)
    shape = plane(field, surround)
    limit_m = min(_critical_m(field, shape))
    if abs(distance_m) > limit_m * _SLACK:
        raise SamplingError(
            f"fresnel_transfer aliases at distance_m={distance_m:g}: its limit here is "
            f"{limit_m:g} m; use fresnel_impulse, or more samples"
        )
    kind = field.data.dtype, field.data.device
    transfer = _transfer(shape, field.pitch_m, field.wavelength_m, float(distance_m), *kind)
    return transferred(field, transfer)


def fresnel_impulse(field: Field, distance_m: float) -> Field:
    """Return ``field`` after ``distance_m``, convolved with the sampled Fresnel impulse response.

    h = exp(iπr² / (λz)) / (iλz), on a dark surround (Goodman, ch. 4). It is sampled from
    |z| = S dx / λ on, S the side of the computed plane (twice the window).

    Raises:
        SamplingError: h aliases at this distance.
        InputError: the distance is not finite.
    """
    finite("fresnel_impulse", "distance_m", distance_m)
    shape = plane(field, "dark")
    limit_m = max(_critical_m(field, shape))
    if abs(distance_m) < limit_m / _SLACK:
        raise SamplingError(
            f"fresnel_impulse aliases at distance_m={distance_m:g}: it starts at {limit_m:g} m "
            "here; use fresnel_transfer or angular_spectrum"
        )
    kind = field.data.dtype, field.data.device
    transfer = _impulse(shape, field.pitch_m, field.wavelength_m, float(distance_m), *kind)
    return transferred(field, transfer)


def _critical_m(field: Field, shape: tuple[int, int]) -> tuple[float, float]:
    rows, columns = (
        count * pitch_m**2 / field.wavelength_m
        for count, pitch_m in zip(shape, field.pitch_m, strict=True)
    )
    return rows, columns


@cached(CACHE_BYTES)
def _transfer(
    shape: tuple[int, int],
    pitch_m: tuple[float, float],
    wavelength_m: float,
    distance_m: float,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    u = frequencies(shape[0], pitch_m[0], device=device)[:, None]
    v = frequencies(shape[1], pitch_m[1], device=device)[None, :]
    phase = -math.pi * wavelength_m * distance_m * (u**2 + v**2)
    return torch.polar(torch.ones_like(phase), phase).to(dtype)


@cached(CACHE_BYTES)
def _impulse(
    shape: tuple[int, int],
    pitch_m: tuple[float, float],
    wavelength_m: float,
    distance_m: float,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    # fftfreq in units of one sample is 0, 1, …, then the negative ones: places, unshifted.
    y = frequencies(shape[0], 1 / (shape[0] * pitch_m[0]), device=device)[:, None]
    x = frequencies(shape[1], 1 / (shape[1] * pitch_m[1]), device=device)[None, :]
    area = pitch_m[0] * pitch_m[1] / (wavelength_m * distance_m)
    phase = math.pi * (y**2 + x**2) / (wavelength_m * distance_m) - math.pi / 2
    spectrum: Tensor = torch.fft.fft2(torch.polar(torch.ones_like(phase), phase) * area)
    return spectrum.to(dtype)
