"""The angular spectrum at any distance: a band as wide as the window sees, sampled as needed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.checks import finite
from optics.field import Field
from optics.grid import coordinates
from optics.propagation.angular import free_space
from optics.propagation.transfer import CACHE_BYTES, Plane, cached


def band_extended(field: Field, distance_m: float) -> Field:
    """Return ``field`` after ``distance_m`` of free space, on a dark surround, at any distance.

    The angular spectrum by matrix products, on frequencies of its own. The band ends where light
    passes the window by its own width and six Fresnel lengths √(λz), or at the highest frequency
    of the samples; from the window's edge on it falls as half a cosine, so that its end does not
    diffract. The distance between frequencies lets light travel as far without meeting its
    periodic copy. An axis of one sample is uniform.
    Source of the wider band: W. Zhang, H. Zhang, G. Jin, Opt. Lett. 45:1543 (2020).

    Raises:
        InputError: the distance is not finite.
    """
    finite("band_extended", "distance_m", distance_m)
    plane = Plane.of(field, "periodic")
    rows, columns = (_axis(plane, abs(float(distance_m)), axis) for axis in (0, 1))
    spectrum = rows @ field.data @ columns.mT
    spectrum = spectrum * _band(plane, float(distance_m))
    return field.with_data(rows.mH @ spectrum @ columns.conj())


def _frequencies(plane: Plane, away_m: float, axis: int) -> tuple[Tensor, Tensor, float]:
    """Return frequencies of an axis and their weights, (count,), float64, and their distance."""
    count, pitch_m, wavelength_m = plane.shape[axis], plane.pitch_m[axis], plane.wavelength_m
    if count == 1:
        one = torch.ones(1, dtype=torch.float64, device=plane.device)
        return one * 0, one, 1 / pitch_m
    window_m = count * pitch_m
    margin_m = max(window_m, 6 * math.sqrt(wavelength_m * away_m))
    highest = 1 / (2 * pitch_m)
    reach_m = window_m + margin_m
    band = min(highest, reach_m / (wavelength_m * math.hypot(reach_m, away_m)))
    sine = min(wavelength_m * band, 0.99)
    # Room for the light on its way, and for tails of fields with edges.
    period_m = 3 * window_m + min(away_m * sine / math.sqrt(1 - sine**2), reach_m)
    bins = 2 * math.ceil(highest * period_m)
    step = 2 * highest / bins
    half = min(math.ceil(band / step), bins // 2)
    steps = torch.arange(-half, min(half + 1, bins // 2), dtype=torch.float64, device=plane.device)
    u = steps * step
    sines = (u * wavelength_m).clamp(-0.999999, 0.999999)
    passed_m = (away_m * sines / torch.sqrt(1 - sines**2)).abs() - window_m
    fall = (1 + torch.cos(math.pi * (passed_m / margin_m).clamp(0, 1))) / 2
    return u, fall, step


@cached(CACHE_BYTES)
def _axis(plane: Plane, away_m: float, axis: int) -> Tensor:
    """Return the transform of one axis, (frequencies, samples); its adjoint is the way back."""
    u, _, step = _frequencies(plane, away_m, axis)
    places = coordinates(plane.shape[axis], plane.pitch_m[axis], device=plane.device)
    phase = -2 * math.pi * torch.outer(u, places)
    size = math.sqrt(step * plane.pitch_m[axis])
    return torch.polar(torch.full_like(phase, size), phase).to(plane.dtype)


@cached(CACHE_BYTES)
def _band(plane: Plane, distance_m: float) -> Tensor:
    """Return H times the weights of both axes, (frequencies down, right)."""
    (u, fall_u, _), (v, fall_v, _) = (_frequencies(plane, abs(distance_m), axis) for axis in (0, 1))
    length_m = plane.wavelength_m
    transfer = free_space(u[:, None] * length_m, v * length_m, length_m, distance_m)
    return (transfer * (fall_u[:, None] * fall_v)).to(plane.dtype)
