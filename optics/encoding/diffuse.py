"""Error diffusion: what a pixel of 0 or 1 lacks is made good by the pixels after it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""The pixels (down, right) that take the error, as in Floyd and Steinberg."""


def error_diffusion(wanted: Tensor, carrier: tuple[float, float]) -> Tensor:
    """Return 0 and 1 for amplitudes from 0 to 1, (..., rows, columns), of the same type.

    Row by row each pixel becomes 0 or 1, and its error goes to four pixels after it by weights w_k
    that have Σ w_k exp(-2πi ν·k) = 1, the least ones: the noise, e times (1 - Σ w_k exp(-2πi f·k)),
    is then 0 at the carrier, where the kernel is, as Floyd and Steinberg's is at frequency 0.
    Source of the scheme: Floyd and Steinberg, Proc. SID 17:75 (1976).

    Pixels (i, j) of equal j + 2i do not need one another, and are worked on at once.
    """
    rows, columns = wanted.shape[-2:]
    weights = diffusion_weights(carrier)
    # A border takes the errors that leave the plane.
    padded = torch.nn.functional.pad(wanted, (1, 1, 0, 1)).clone()
    made = torch.zeros_like(padded)
    for diagonal in range(columns + 2 * (rows - 1)):
        i = torch.arange(
            max(0, -(-(diagonal - columns + 1) // 2)),
            min(rows - 1, diagonal // 2) + 1,
            device=wanted.device,
        )
        j = diagonal - 2 * i + 1
        value = padded[..., i, j]
        on = (value >= 0.5).to(value.dtype)
        made[..., i, j] = on
        for (down, right), weight in zip(NEIGHBOURS, weights, strict=True):
            padded[..., i + down, j + right] += weight * (value - on)
    return made[..., :rows, 1 : columns + 1].contiguous()


def diffusion_weights(carrier: tuple[float, float]) -> tuple[float, ...]:
    """Return the least real weights of :data:`NEIGHBOURS` that put a zero of noise at ν."""
    phases = [2 * math.pi * (carrier[0] * k[0] + carrier[1] * k[1]) for k in NEIGHBOURS]
    waves = [[math.cos(p) for p in phases], [math.sin(p) for p in phases]]
    rows = torch.tensor(waves, dtype=torch.float64)
    found = torch.linalg.pinv(rows, rtol=1e-9) @ torch.tensor([1.0, 0.0], dtype=torch.float64)
    return tuple(found.tolist())
