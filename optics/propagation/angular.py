"""The angular spectrum: exact scalar propagation, band-limited where its phase would alias."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.checks import finite
from optics.errors import SamplingError
from optics.field import Field
from optics.grid import frequencies
from optics.propagation.transfer import CACHE_BYTES, Surround, cached, plane, transferred

FEWEST_BINS = 32
"""Frequencies within the band limit, per axis, below which it is too coarse to trust."""


def angular_spectrum(
    field: Field, distance_m: float, *, surround: Surround = "dark", band_limit: bool = True
) -> Field:
    """Return ``field`` after ``distance_m`` of free space; a negative distance goes back.

    H = exp(2πi z (√(1/λ² - u² - v²) - 1/λ)); evanescent waves fade with |z|. With ``band_limit``,
    frequencies are dark beyond u = 1 / (λ √((2z/S)² + 1)), S the side of the computed plane, where
    H would turn by more than π from bin to bin; light of such frequencies leaves the window. This
    limit lies below 1/λ, so that evanescent waves pass only without it.
    Source: K. Matsushima and T. Shimobaba, Opt. Express 17:19662 (2009).

    Raises:
        SamplingError: without ``band_limit``, H aliases at this distance; with it, fewer than 32
            frequencies are left in the band.
        InputError: the distance is not finite.
    """
    finite("angular_spectrum", "distance_m", distance_m)
    shape = plane(field, surround)
    for axis, (count, pitch_m) in enumerate(zip(shape, field.pitch_m, strict=True)):
        _check(count, pitch_m, field.wavelength_m, distance_m, band_limit, ("down", "right")[axis])
    transfer = angular_transfer(
        shape,
        field.pitch_m,
        field.wavelength_m,
        float(distance_m),
        band_limit,
        field.data.dtype,
        field.data.device,
    )
    return transferred(field, transfer)


def angular_limit_m(count: int, pitch_m: float, wavelength_m: float) -> float:
    """Return the distance up to which H is sampled at every frequency that travels.

    z = N dx² √(1 - (λ/2dx)²) / λ, where the phase turns by π from one bin to the next at the
    highest frequency; 0 for a pitch below half a wavelength.
    """
    sine = wavelength_m / (2 * pitch_m)
    return count * pitch_m**2 * math.sqrt(max(0.0, 1 - sine**2)) / wavelength_m


def _check(
    count: int, pitch_m: float, wavelength_m: float, z_m: float, band_limit: bool, axis: str
) -> None:
    if not band_limit:
        limit_m = angular_limit_m(count, pitch_m, wavelength_m)
        if abs(z_m) > limit_m * (1 + 1e-9):
            raise SamplingError(
                f"angular_spectrum without band limit aliases at distance_m={z_m:g} along {axis}: "
                f"its limit here is {limit_m:g} m; use band_limit=True, or fresnel_impulse"
            )
        return
    side_m = count * pitch_m
    bins = 2 * side_m * _band_per_m(side_m, wavelength_m, z_m)
    if bins < min(FEWEST_BINS, count):
        raise SamplingError(
            f"angular_spectrum keeps only {bins:.0f} frequencies at distance_m={z_m:g} along "
            f"{axis}, which would alias; use fresnel_impulse or fresnel_matrix for this distance"
        )


def _band_per_m(side_m: float, wavelength_m: float, z_m: float) -> float:
    return 1 / (wavelength_m * math.hypot(2 * z_m / side_m, 1))


@cached(CACHE_BYTES)
def angular_transfer(
    shape: tuple[int, int],
    pitch_m: tuple[float, float],
    wavelength_m: float,
    distance_m: float,
    band_limit: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return H on (H, W) samples in the transform's own order; computed in float64."""
    u = frequencies(shape[0], pitch_m[0], device=device)[:, None] * wavelength_m
    v = frequencies(shape[1], pitch_m[1], device=device)[None, :] * wavelength_m
    cosine_squared = 1 - u**2 - v**2
    cosine = torch.sqrt(cosine_squared.abs())
    wave_number = 2 * math.pi / wavelength_m
    travels = cosine_squared >= 0
    # 1 - cos θ loses all digits at small angles; sin²θ / (1 + cos θ) keeps them.
    phase = -wave_number * distance_m * (u**2 + v**2) / (1 + cosine)
    fade = -wave_number * abs(distance_m) * cosine
    zero = torch.zeros((), dtype=torch.float64, device=device)
    transfer = torch.polar(
        torch.where(travels, zero, fade).exp(), torch.where(travels, phase, zero)
    )
    if band_limit:
        bands = [
            _band_per_m(count * pitch, wavelength_m, distance_m) * wavelength_m
            for count, pitch in zip(shape, pitch_m, strict=True)
        ]
        inside = ((u / bands[0]) ** 2 + v**2 <= 1) & (u**2 + (v / bands[1]) ** 2 <= 1)
        transfer = transfer * inside
    return transfer.to(dtype)
