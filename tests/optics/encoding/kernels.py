"""Spectra and parts that the encoders' tests share."""

from __future__ import annotations

import torch
from torch import Tensor

from optics.grid import centred_fft2
from optics.modulator import Modulator, ModulatorKind

SIDE = 64


def part(kind: ModulatorKind, **figures: object) -> Modulator:
    """Return a modulator of 128 x 64 pixels."""
    settings: dict[str, object] = {"kind": kind, "pixels": (2 * SIDE, SIDE), "pitch_m": 8e-6}
    if kind == "dmd":
        settings["bits"] = 1
    return Modulator(**(settings | figures))  # type: ignore[arg-type]


def spectra(
    size: int, count: int = 2, seed: int = 0, shape: tuple[int, int] = (SIDE, SIDE)
) -> Tensor:
    """Return spectra of signed kernels of ``size`` around the axis."""
    generator = torch.Generator().manual_seed(seed)
    plane = torch.zeros(count, *shape, dtype=torch.complex128)
    top, left = shape[0] // 2 - size // 2, shape[1] // 2 - size // 2
    kernels = torch.randn(count, size, size, dtype=torch.float64, generator=generator)
    plane[:, top : top + size, left : left + size] = kernels.to(torch.complex128)
    return centred_fft2(plane)
