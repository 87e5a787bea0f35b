"""Zernike polynomials in Noll's order, each of unit variance over the round pupil."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from optics.errors import InputError


def noll(index: int) -> tuple[int, int]:
    """Return (n, m) of Noll's ``index``: radial order, and azimuthal order, below 0 for sines.

    Source: R. J. Noll, JOSA 66:207 (1976): even indices are cosines, odd ones sines.

    Raises:
        InputError: the index is below 1.
    """
    if index < 1:
        raise InputError(f"Noll's index starts at 1; got {index}")
    n = 0
    left = index - 1
    while left > n:
        n += 1
        left -= n
    m = n % 2 + 2 * ((left + (n + 1) % 2) // 2)
    return n, m if index % 2 == 0 else -m


def zernike(index: int, radius: Tensor, angle: Tensor) -> Tensor:
    """Return Noll's Z_index at ``radius`` (1 at the pupil's edge) and ``angle`` (radians).

    Z = √(n+1) R_n^|m| (√2 cos mθ, √2 sin |m|θ, or 1 for m = 0), of unit rms over the pupil. The
    polynomial goes on outside of the pupil.

    Raises:
        InputError: the index is below 1.
    """
    n, m = noll(index)
    order = abs(m)
    radial = torch.zeros_like(radius)
    for k in range((n - order) // 2 + 1):
        factor = (-1) ** k * math.comb(n - k, k) * math.comb(n - 2 * k, (n - order) // 2 - k)
        radial = radial + factor * radius ** (n - 2 * k)
    if m == 0:
        return math.sqrt(n + 1) * radial
    wave = torch.cos(order * angle) if m > 0 else torch.sin(order * angle)
    return math.sqrt(2 * (n + 1)) * radial * wave


def wavefront(
    coefficients_waves: Sequence[float], rows: Tensor, columns: Tensor, radius_m: float
) -> Tensor:
    """Return the aberration in waves, shape (H, W), of a pupil of ``radius_m`` around the axis.

    Args:
        coefficients_waves: coefficients of Z1, Z2, … in waves rms.
        rows: places down (H,), in metres.
        columns: places right (W,), in metres; the angle is counted from right towards down.
        radius_m: radius of the pupil, in metres.
    """
    y, x = rows[:, None] / radius_m, columns[None, :] / radius_m
    radius, angle = torch.hypot(x, y), torch.atan2(y.expand(len(rows), len(columns)), x)
    total = torch.zeros_like(radius)
    for index, waves in enumerate(coefficients_waves, 1):
        if waves:
            total = total + waves * zernike(index, radius, angle)
    return total
