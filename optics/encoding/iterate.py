"""Gerchberg and Saxton's iteration between what is wanted and what the part can show."""

from __future__ import annotations

import torch
from torch import Tensor

from optics.grid import centred_fft2, centred_ifft2
from optics.modulator import ModulatorKind


def nearest(light: Tensor, kind: ModulatorKind) -> Tensor:
    """Return the nearest light that a part of this kind sends, of unlimited levels if any."""
    if kind == "lcos-phase":
        return torch.polar(torch.ones_like(light.real), light.angle())
    if kind == "lcos-amplitude":
        return light.real.clamp(0, 1).to(light.dtype)
    return (light.real >= 0.5).to(light.dtype)


def as_drive(light: Tensor, kind: ModulatorKind) -> Tensor:
    """Return the drive that shows ``light``, which :func:`nearest` made."""
    if kind == "lcos-phase":
        return torch.remainder(light.angle(), 2 * torch.pi)
    return light.real.contiguous()


def gerchberg_saxton(
    target: Tensor,
    wave: Tensor,
    window: Tensor,
    kind: ModulatorKind,
    scale: Tensor,
    start: Tensor,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """Return (light, history) of alternating projections.

    In turn, the output takes scale · H within the window and stays as it is outside, and the light
    becomes the nearest that the part can send. Each of both is the nearest point of a set, so that
    the error Σ_W |h - scale H|² never grows (Fienup, Appl. Opt. 21:2758, 1982).

    Args:
        target: T, (..., rows, columns), complex.
        wave: exp(2πi ν·p).
        window: booleans (rows, columns).
        kind: of the modulator.
        scale: of T, (...), above 0.
        start: light to begin with, (..., rows, columns).
        steps: how often.

    Returns:
        Light that a part of this kind sends, and the error over all light on the part, at the start
        and after each step, (steps + 1, ...).
    """
    wanted = centred_ifft2(target) * scale[..., None, None]
    pixels = target.shape[-2] * target.shape[-1]
    light = nearest(start, kind)
    errors = []
    for step in range(steps + 1):
        made = centred_ifft2(light * wave.conj())
        off = (wanted - made) * window
        errors.append(off.abs().square().sum((-2, -1)) / pixels)
        if step < steps:
            light = nearest(centred_fft2(made + off) * wave, kind)
    return light, torch.stack(errors)
