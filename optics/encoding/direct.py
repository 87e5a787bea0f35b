"""Encoders in one step: double-phase, off-axis amplitude, Lee's binary fringes, error diffusion."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def double_phase(target: Tensor) -> Tensor:
    """Return phases of a checkerboard, in radians from 0 to 2π, for a target A exp(iφ) with A ≤ 1.

    Pixels take φ + arccos A and φ - arccos A in turn, so that t = T ± i √(1 - A²) exp(iφ): what
    does not belong to T alternates from pixel to pixel, and goes to the corners of the output. The
    scale is 1, and the kernel exact as far as T and √(1 - A²) exp(iφ) vary slowly over pixels.
    Source: Mendoza-Yero, Mínguez-Vega, Lancis, Opt. Lett. 39:1740 (2014).
    """
    rows, columns = (
        torch.arange(n, device=target.device) - n // 2 for n in (target.shape[-2], target.shape[-1])
    )
    sign = 1 - 2 * ((rows[:, None] + columns) % 2)
    return torch.remainder(
        target.angle() + sign * torch.acos(target.abs().clamp(max=1)), 2 * math.pi
    )


def off_axis(carried: Tensor) -> Tensor:
    """Return amplitudes (1 + Re T')/2 of a target T' = T exp(2πi ν·p) with |T| ≤ 1.

    The interferogram of T and a plane wave, as a real filter shows it: a constant, T' with the
    scale 1/4, and its twin. Exact; at most 1/16 of the light is in T, as of any cosine grating.
    Source: VanderLugt, IEEE Trans. Inf. Theory 10:139 (1964).
    """
    return ((1 + carried.real) / 2).clamp(0, 1)


def lee(carried: Tensor) -> Tensor:
    """Return fringes of 0 and 1 for a target T' = A exp(iφ + 2πi ν·p) with A ≤ 1.

    1 where cos(φ + 2πν·p) > cos(πw), w = arcsin(A)/π: fringes of which the first harmonic is
    sin(πw)/π = A/π. The scale is 1/π, so that at most 1/π² of the light is in T; higher harmonics
    go to multiples of ν, and fold back where the pixels are too coarse for the fringes.
    Source: W. H. Lee, Appl. Opt. 18:3661 (1979).
    """
    modulus = carried.abs().clamp(max=1)
    threshold = torch.sqrt((1 - modulus.square()).clamp(min=0))
    cosine = torch.where(modulus > 0, carried.real / modulus.where(modulus > 0, 1), -1.0)
    return (cosine > threshold).to(modulus.dtype)


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
