"""A filter that is shifted, rotated or scaled in the Fourier plane."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.grid import REAL, frequencies
from optics.physical.geometry import Geometry


def aligned(shown: Tensor, geometry: Geometry) -> Tensor:
    """Return the filter's transmission at its place, (..., side, side), transform's order.

    Each sample of the plane takes what lies at its place on the filter, between that one's samples
    linearly: for a shift that is exactly the mean of the filter over the sample's area. Beyond the
    filter's edge it is dark.

    Args:
        shown: (..., rows · samples, columns · samples), in the filter's own frame.
        geometry: grids, with the system's alignment.
    """
    alignment, samples = geometry.system.alignment, geometry.sampling.filter
    side = geometry.side
    index = frequencies(side, 1 / side, device=shown.device)
    place = (index + geometry.filter_offset) * geometry.filter_step_m
    cosine, sine = math.cos(alignment.rotation_rad), math.sin(alignment.rotation_rad)
    scale = alignment.magnification * geometry.filter_step_m
    middle = [(count // samples // 2) * samples + (samples - 1) / 2 for count in shown.shape[-2:]]
    # Input pixels as points repeat their spectrum: what passes the grid's end meets it again.
    turns = (-1, 0, 1) if geometry.sampling.input == 1 else (0,)
    total: Tensor | None = None
    for turn_y in turns:
        for turn_x in turns:
            period_m = side * geometry.filter_step_m
            down = place[:, None] + turn_y * period_m - alignment.shift_m[0]
            right = place[None, :] + turn_x * period_m - alignment.shift_m[1]
            # The filter's row axis is turned from down towards right.
            y = (cosine * down + sine * right) / scale + middle[0]
            x = (cosine * right - sine * down) / scale + middle[1]
            part = _between(shown, y, x)
            if part is not None:
                total = part if total is None else total + part
    return shown.new_zeros(*shown.shape[:-2], side, side) if total is None else total


def _between(shown: Tensor, y: Tensor, x: Tensor) -> Tensor | None:
    rows, columns = shown.shape[-2:]
    flat = shown.flatten(-2)
    top, left = _floor(y), _floor(x)
    total: Tensor | None = None
    for step_y in (0, 1):
        for step_x in (0, 1):
            row, column = top + step_y, left + step_x
            weight = (1 - (y - row).abs()) * (1 - (x - column).abs())
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            weight = (weight * inside).to(REAL.get(shown.dtype, shown.dtype))
            if not bool(weight.any()):
                continue
            at = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
            taken = flat.index_select(-1, at.reshape(-1).long()).view(*flat.shape[:-1], *at.shape)
            total = taken * weight if total is None else total + taken * weight
    return total


def _floor(places: Tensor) -> Tensor:
    # Whole places computed as quotients of pitches may fall short by rounding.
    near = places.round()
    return torch.where((places - near).abs() < 1e-9 * (1 + near.abs()), near, places.floor())
