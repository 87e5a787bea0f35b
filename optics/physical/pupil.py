"""Pupils and aberrations on the grids of the physical road, in the transform's own order."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.lens import Lens
from optics.zernike import wavefront

_EDGE = 8
"""Lines per sample on which the edge of a pupil is computed."""


def pupil_mask(lens: Lens, rows_m: Tensor, columns_m: Tensor) -> Tensor | None:
    """Return what a lens does beside focusing, complex128 (H, W), or ``None`` if nothing.

    Samples on the edge have the part of their area that is inside. ``efficiency`` is not in it:
    systems count that as power.

    Args:
        lens: lens with its pupil and its aberrations.
        rows_m: places of the rows (H,), evenly spaced but for one jump.
        columns_m: places of the columns (W,).
    """
    if math.isinf(lens.pupil_m):
        return None
    radius_m = lens.pupil_m / 2
    corner_m = math.hypot(_furthest(rows_m), _furthest(columns_m))
    aberrated = any(lens.zernike_waves)
    if corner_m <= radius_m and not aberrated:
        return None
    mask = covered(rows_m, columns_m, radius_m).to(torch.complex128)
    if aberrated:
        waves = wavefront(lens.zernike_waves, rows_m, columns_m, radius_m)
        mask = mask * torch.polar(torch.ones_like(waves), 2 * math.pi * waves)
    return mask


def covered(rows_m: Tensor, columns_m: Tensor, radius_m: float) -> Tensor:
    """Return the part of each sample's area within a circle around the axis, float64 (H, W)."""
    step_y = _step(rows_m)
    step_x = _step(columns_m)
    inside = torch.zeros(len(rows_m), len(columns_m), dtype=torch.float64, device=rows_m.device)
    for line in range(_EDGE):
        y = rows_m + ((line + 0.5) / _EDGE - 0.5) * step_y
        half = torch.sqrt((radius_m**2 - y**2).clamp(min=0))[:, None]
        right = torch.minimum(columns_m[None, :] + step_x / 2, half)
        left = torch.maximum(columns_m[None, :] - step_x / 2, -half)
        inside += (right - left).clamp(min=0) / (step_x * _EDGE)
    return inside


def chirp(rows_m: Tensor, columns_m: Tensor, wavelength_m: float, distance_m: float) -> Tensor:
    """Return exp(iπ r² / (λz)), complex128 (H, W)."""
    r2 = rows_m[:, None] ** 2 + columns_m[None, :] ** 2
    phase = math.pi / (wavelength_m * distance_m) * r2
    return torch.polar(torch.ones_like(phase), phase)


def _furthest(places_m: Tensor) -> float:
    """Return the distance from the axis to the edge of the last sample; 0 for a single one."""
    if len(places_m) < 2:
        return 0.0
    return float(places_m.abs().max() + places_m.diff().abs().min() / 2)


def _step(places_m: Tensor) -> float:
    return float(places_m.diff().abs().min()) if len(places_m) > 1 else math.inf
