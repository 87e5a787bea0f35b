"""Iterative encoders: Gerchberg-Saxton, direct binary search, and gradient descent."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from optics.encoding.encoding import figures, seen
from optics.grid import centred_fft2, centred_ifft2
from optics.modulation import transmission
from optics.modulator import Modulator, ModulatorKind


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
        kind: kind of the modulator.
        scale: scale of T, (...), above 0.
        start: light to begin with, (..., rows, columns).
        steps: number of steps.

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


def flipped(
    target: Tensor, wave: Tensor, window: Tensor, scale: Tensor, start: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Return (pattern, history) of direct binary search on Σ_W |h - scale H|².

    To flip one pixel by d = ±1 changes the error by 2 d G + |W|/P, G its derivative and P the
    number of pixels: one transform gives it for all of them. Each step flips the k pixels that
    help most, as if they did not meet; k grows by half where the error falls, and where it does
    not the step is taken back and k quartered, down to the single best one. So the error never
    grows. Source of the search: Seldowitz, Allebach, Sweeney, Appl. Opt. 26:2788 (1987).

    Args:
        target: T, (..., rows, columns), complex.
        wave: exp(2πi ν·p).
        window: booleans (rows, columns).
        scale: scale of T, (...).
        start: pattern of 0 and 1, (..., rows, columns).
        steps: number of steps.

    Returns:
        The pattern, and the error over all light on the part at the start and after each step,
        (steps + 1, ...).
    """
    pixels = start.shape[-2] * start.shape[-1]
    wanted = centred_ifft2(target) * scale[..., None, None]
    cost = float(window.sum()) / pixels

    def miss(pattern: Tensor) -> Tensor:
        return (centred_ifft2(pattern * wave.conj()) - wanted) * window

    pattern, off = start, miss(start)
    error = off.abs().square().sum((-2, -1))
    count = torch.full_like(error, max(1, pixels // 64), dtype=torch.long)
    errors = [error / pixels]
    for _ in range(steps):
        gradient = (centred_fft2(off) * wave).real
        turn = 1 - 2 * pattern
        change = (2 * turn * gradient + cost).flatten(-2)
        order = change.sort(-1)
        # As many as may be flipped: those that help, up to the count.
        helps = (order.values < 0).sum(-1)
        chosen = torch.minimum(count, helps)
        rank = torch.arange(pixels, device=start.device) < chosen[..., None]
        mask = torch.zeros_like(rank).scatter(-1, order.indices, rank).view_as(pattern)
        tried = torch.where(mask, 1 - pattern, pattern)
        tried_off = miss(tried)
        tried_error = tried_off.abs().square().sum((-2, -1))
        better = tried_error < error
        pattern = torch.where(better[..., None, None], tried, pattern)
        off = torch.where(better[..., None, None], tried_off, off)
        error = torch.where(better, tried_error, error)
        count = torch.where(better, chosen * 3 // 2 + 1, (chosen // 4).clamp(min=1))
        errors.append(error / pixels)
        if not bool(better.any()) and int(chosen.max()) <= 1:
            break
    errors += [errors[-1]] * (steps + 1 - len(errors))
    return pattern, torch.stack(errors)


RATE = {"lcos-phase": 0.02, "lcos-amplitude": 0.01}
"""First step of the descent, in the unit of the drive; it falls to 0 as half a cosine."""


def optimised(
    target: Tensor,
    carrier: tuple[float, float],
    window: Tensor,
    modulator: Modulator,
    scale: Tensor,
    start: Tensor,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """Return (drive, history) of Adam on Σ_W |h - scale H|² through :func:`transmission`.

    Levels pass the gradient straight through. The drive with the best signal-to-noise ratio of
    all steps is returned, the start included, so that it is never worse than the start.

    Args:
        target: T, (..., rows, columns), complex.
        carrier: ν.
        window: booleans (rows, columns).
        modulator: the part; its flicker is left out.
        scale: scale of T, (...).
        start: drive to begin with.
        steps: steps of the descent.

    Returns:
        The drive, and the error over all light on the part before each step and at the end,
        (steps + 1, ...).
    """
    steady = replace(modulator, flicker_rad=0.0)
    kernel = centred_ifft2(target.detach())
    wanted = kernel * scale[..., None, None]
    drive = start.detach().clone()
    best, best_snr = drive.clone(), torch.full_like(scale.real, -1)
    errors = []
    latent = drive.requires_grad_()
    adam = torch.optim.Adam([latent], lr=RATE[modulator.kind])
    for step in range(steps + 1):
        with torch.enable_grad():
            made = seen(transmission(latent, steady), carrier)
            error = ((made - wanted) * window).abs().square().sum((-2, -1))
            total = error.sum()
        errors.append(error.detach() / (target.shape[-2] * target.shape[-1]))
        _, signal, rest = figures(made.detach(), kernel, window, scale)
        better = signal / rest > best_snr
        best = torch.where(better[..., None, None], latent.detach(), best)
        best_snr = torch.where(better, signal / rest, best_snr)
        if step == steps:
            break
        (latent.grad,) = torch.autograd.grad(total, latent)
        for group in adam.param_groups:
            group["lr"] = RATE[modulator.kind] * (1 + math.cos(math.pi * step / steps)) / 2
        adam.step()
        if modulator.kind != "lcos-phase":
            with torch.no_grad():
                latent.clamp_(0, 1)
    if modulator.kind == "lcos-phase":
        best = torch.remainder(best, 2 * math.pi)
    return best, torch.stack(errors)
