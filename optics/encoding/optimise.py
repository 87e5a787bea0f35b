"""Drives found by gradient descent through the part itself, its levels and crosstalk included."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from optics.encoding.encoding import figures, seen
from optics.grid import centred_ifft2
from optics.modulation import transmission
from optics.modulator import Modulator

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

    Levels pass the gradient straight through. The drive of the best ratio of signal to noise among
    all steps is kept, the start's among them, so that it is never worse than the start.

    Args:
        target: T, (..., rows, columns), complex.
        carrier: ν.
        window: booleans (rows, columns).
        modulator: the part; its flicker is left out.
        scale: of T, (...).
        start: drive to begin with.
        steps: of the descent.

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
