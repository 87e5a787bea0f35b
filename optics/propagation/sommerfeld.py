"""Rayleigh and Sommerfeld's diffraction integral as a convolution with its sampled kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.checks import finite
from optics.errors import SamplingError
from optics.field import Field
from optics.propagation.angular import angular_limit_m
from optics.propagation.transfer import CACHE_BYTES, Plane, cached, transferred

_SLACK = 1 + 1e-9
_NEAREST = 4
"""Distance in samples below which the peak of the kernel is not resolved."""


def critical_m(field: Field, axis: int) -> float:
    """Return the distance from which the kernel is sampled along an axis, 0 for a single sample.

    |z| = 2 N dx² √(1 - (λ/2dx)²) / λ: at the window's far end the phase of the kernel turns by π
    from sample to sample. Up to the same distance the angular spectrum is sampled on twice the
    window (:func:`~optics.propagation.angular_limit_m`).
    """
    count, pitch_m = field.shape[axis], field.pitch_m[axis]
    return 0.0 if count == 1 else angular_limit_m(2 * count, pitch_m, field.wavelength_m)


def rayleigh_sommerfeld(field: Field, distance_m: float) -> Field:
    """Return ``field`` after ``distance_m``, the sum of the spherical waves of all its samples.

    U(x) = Σ u(ξ) h(x - ξ) dξ with h = z/(2πr²) (1/r - ik) exp(ik(r - z)), r² = z² + |x - ξ|², on a
    dark surround: the first Rayleigh-Sommerfeld integral, exact beyond paraxial angles, by a padded
    convolution that equals the direct sum. A negative distance goes back, with the conjugate of h.
    Source: F. Shen and A. Wang, Appl. Opt. 45:1102 (2006).

    Raises:
        SamplingError: h aliases at this distance, or an axis has one sample.
        InputError: the distance is not finite.
    """
    finite("rayleigh_sommerfeld", "distance_m", distance_m)
    if 1 in field.shape:
        raise SamplingError(
            f"rayleigh_sommerfeld needs two samples per axis; got {field.shape[0]} x "
            f"{field.shape[1]}: use band_extended, for which an axis of one sample is uniform"
        )
    limit_m = max(critical_m(field, 0), critical_m(field, 1), _NEAREST * max(field.pitch_m))
    if abs(distance_m) < limit_m / _SLACK:
        raise SamplingError(
            f"rayleigh_sommerfeld aliases at distance_m={distance_m:g}: it starts at {limit_m:g} m "
            "here; use propagate, angular_spectrum or band_extended"
        )
    return transferred(field, _kernel(Plane.of(field, "dark"), float(distance_m)))


@cached(CACHE_BYTES)
def _kernel(plane: Plane, distance_m: float) -> Tensor:
    y, x = plane.places
    away_m, offset_m2 = abs(distance_m), y**2 + x**2
    r = torch.sqrt(offset_m2 + away_m**2)
    wave_number = 2 * math.pi / plane.wavelength_m
    amplitude = away_m / (2 * math.pi * r**2) * (plane.pitch_m[0] * plane.pitch_m[1])
    # r - z loses all digits near the axis; offset² / (r + z) keeps them.
    wave = torch.polar(amplitude, wave_number * offset_m2 / (r + away_m))
    kernel = torch.complex(1 / r, torch.full_like(r, -wave_number)) * wave
    spectrum: Tensor = torch.fft.fft2(kernel if distance_m > 0 else kernel.conj())
    return spectrum.to(plane.dtype)
