"""Fresnel (paraxial) propagation on the field's own grid: near by transfer, far by impulse."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.checks import finite
from optics.errors import SamplingError
from optics.field import Field
from optics.propagation.transfer import CACHE_BYTES, Plane, Surround, cached, transferred

_SLACK = 1 + 1e-9
"""Sides computed as count × pitch may miss the critical distance by rounding."""


def fresnel_transfer(field: Field, distance_m: float, *, surround: Surround = "dark") -> Field:
    """Return ``field`` after ``distance_m`` of free space, in the Fresnel approximation.

    H = exp(-iπλz(u² + v²)) (Goodman, Introduction to Fourier Optics, ch. 4). A periodic surround
    has discrete frequencies alone and takes any distance. With a dark surround H is sampled up to
    |z| = S dx / λ, S the side of the computed plane (twice the window).

    Raises:
        SamplingError: H aliases at this distance, with a dark surround.
        InputError: the distance is not finite.
    """
    finite("fresnel_transfer", "distance_m", distance_m)
    plane = Plane.of(field, surround)
    critical_m = zip(plane.shape, plane.critical_m, strict=True)
    limit_m = min((m for count, m in critical_m if count > 1), default=math.inf)
    if surround == "dark" and abs(distance_m) > limit_m * _SLACK:
        raise SamplingError(
            f"fresnel_transfer aliases at distance_m={distance_m:g}: its limit here is "
            f"{limit_m:g} m; use fresnel_impulse, or more samples"
        )
    return transferred(field, _transfer(plane, float(distance_m)))


def fresnel_impulse(field: Field, distance_m: float) -> Field:
    """Return ``field`` after ``distance_m``, convolved with the sampled Fresnel impulse response.

    h = exp(iπr² / (λz)) / (iλz), on a dark surround (Goodman, ch. 4). It is sampled from
    |z| = S dx / λ on, S the side of the computed plane (twice the window).

    Raises:
        SamplingError: h aliases at this distance.
        InputError: the distance is not finite.
    """
    finite("fresnel_impulse", "distance_m", distance_m)
    plane = Plane.of(field, "dark")
    limit_m = max(plane.critical_m)
    if abs(distance_m) < limit_m / _SLACK:
        raise SamplingError(
            f"fresnel_impulse aliases at distance_m={distance_m:g}: it starts at {limit_m:g} m "
            "here; use fresnel_transfer or angular_spectrum"
        )
    return transferred(field, _impulse(plane, float(distance_m)))


@cached(CACHE_BYTES)
def _transfer(plane: Plane, distance_m: float) -> Tensor:
    u, v = plane.frequencies
    phase = -math.pi * plane.wavelength_m * distance_m * (u**2 + v**2)
    return torch.polar(torch.ones_like(phase), phase).to(plane.dtype)


@cached(CACHE_BYTES)
def _impulse(plane: Plane, distance_m: float) -> Tensor:
    y, x = plane.places
    scale = plane.wavelength_m * distance_m
    area = plane.pitch_m[0] * plane.pitch_m[1] / scale
    phase = math.pi * (y**2 + x**2) / scale - math.pi / 2
    spectrum: Tensor = torch.fft.fft2(torch.polar(torch.ones_like(phase), phase) * area)
    return spectrum.to(plane.dtype)
