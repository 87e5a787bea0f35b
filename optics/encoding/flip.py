"""Binary patterns found by flipping the pixels that help most."""

from __future__ import annotations

import torch
from torch import Tensor

from optics.grid import centred_fft2, centred_ifft2


def flipped(
    target: Tensor, wave: Tensor, window: Tensor, scale: Tensor, start: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Return (pattern, history) of direct binary search on Σ_W |h - scale H|².

    To flip one pixel by d = ±1 changes the error by 2 d G + |W|/P, G its derivative and P the
    number of pixels: one transform tells it for all of them. Each step flips the k pixels that
    help most, as if they did not meet; k grows by half where the error falls, and where it does
    not the step is taken back and k quartered, down to the single best one. So the error never
    grows. Source of the search: Seldowitz, Allebach, Sweeney, Appl. Opt. 26:2788 (1987).

    Args:
        target: T, (..., rows, columns), complex.
        wave: exp(2πi ν·p).
        window: booleans (rows, columns).
        scale: of T, (...).
        start: pattern of 0 and 1, (..., rows, columns).
        steps: how often.

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
