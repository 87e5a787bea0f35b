"""Crosstalk: the drive of each pixel leaks into its neighbours."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_REACH = 6
"""Standard deviations beyond which a pixel's leak is below 1e-9 and left out."""


def leaked(drive: Tensor, sigma_px: float, samples: int) -> Tensor:
    """Return the drive behind a Gaussian blur, (..., rows·samples, columns·samples).

    The drive is constant over each pixel, the blur continuous, and each sample is the mean of what
    comes out over its own area, so that the mean over a pixel does not depend on ``samples``.
    Beyond the array's edge its last pixel goes on. Without blur every sample is its pixel.

    Args:
        drive: (..., rows, columns), real or complex.
        sigma_px: standard deviation of the blur in pixels, at least 0.
        samples: per pixel and axis.
    """
    if sigma_px == 0:
        if samples == 1:
            return drive
        return drive.repeat_interleave(samples, -2).repeat_interleave(samples, -1)
    weights = leak_weights(sigma_px, samples).to(drive.device, drive.dtype)
    along_columns = _blurred(drive, weights)
    return _blurred(along_columns.transpose(-1, -2), weights).transpose(-1, -2)


def leak_weights(sigma_px: float, samples: int) -> Tensor:
    """Return the share of each pixel in each sample of the middle one, (samples, pixels), float64.

    w = s ∫ Φ((x - k + 1/2)/σ) - Φ((x - k - 1/2)/σ) dx over a sample of width 1/s, in closed form
    by ∫ Φ(u) du = u Φ(u) + φ(u). Rows sum to 1.
    """
    reach = math.ceil(_REACH * sigma_px)
    pixel = torch.arange(-reach, reach + 1, dtype=torch.float64)
    edges = torch.arange(samples + 1, dtype=torch.float64) / samples - 0.5
    offset = edges[:, None] - pixel
    into = _integral((offset + 0.5) / sigma_px) - _integral((offset - 0.5) / sigma_px)
    weights = into[1:] - into[:-1]
    total: Tensor = weights.sum(-1, keepdim=True)
    return weights / total


def _integral(u: Tensor) -> Tensor:
    below: Tensor = torch.special.ndtr(u)
    return u * below + torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi)


def _blurred(drive: Tensor, weights: Tensor) -> Tensor:
    count, reach = drive.shape[-1], weights.shape[-1] // 2
    index = torch.arange(-reach, count + reach, device=drive.device).clamp(0, count - 1)
    neighbours = drive.index_select(-1, index).unfold(-1, weights.shape[-1], 1)
    return (neighbours @ weights.T).flatten(-2)
