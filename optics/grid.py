"""The integer-centred grid: sample n // 2 lies on the axis, in space and in frequency."""

from __future__ import annotations

import torch
from torch import Tensor

REAL = {torch.complex64: torch.float32, torch.complex128: torch.float64}
"""The real type of each complex type."""

COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
"""The complex type of each real type."""


def coordinates(count: int, pitch_m: float, *, device: torch.device | None = None) -> Tensor:
    """Return the places of ``count`` samples, (k - count // 2) pitch_m, shape (count,), float64."""
    return (torch.arange(count, dtype=torch.float64, device=device) - count // 2) * pitch_m


def frequencies(count: int, pitch_m: float, *, device: torch.device | None = None) -> Tensor:
    """Return the frequencies of a discrete Fourier transform in its own order, per metre.

    Shape (count,), float64: 0, 1, … then the negative ones, over count × pitch_m.
    """
    found: Tensor = torch.fft.fftfreq(count, pitch_m, dtype=torch.float64, device=device)
    return found


def centred_fft2(data: Tensor) -> Tensor:
    """Return the unitary discrete Fourier transform of (..., H, W) on integer-centred grids.

    X[k] = (HW)^-1/2 Σ x[n] exp(-2πi n·k), where n and k count from the axis.
    """
    if data.numel() == 0:
        return data  # transforms take no empty batch
    inner = torch.fft.ifftshift(data, dim=(-2, -1))
    made: Tensor = torch.fft.fftshift(torch.fft.fft2(inner, norm="ortho"), dim=(-2, -1))
    return made


def centred_ifft2(data: Tensor) -> Tensor:
    """Return the inverse of :func:`centred_fft2`, which is its adjoint too."""
    if data.numel() == 0:
        return data
    inner = torch.fft.ifftshift(data, dim=(-2, -1))
    made: Tensor = torch.fft.fftshift(torch.fft.ifft2(inner, norm="ortho"), dim=(-2, -1))
    return made


def squared_modulus(data: Tensor) -> Tensor:
    """Return |x|² of complex data, of their shape, real."""
    # Squares over numbers in their order are the fastest.
    squares = torch.view_as_real(data.resolve_conj()).square()
    return squares[..., 0] + squares[..., 1]


def turned(data: Tensor) -> Tensor:
    """Return (..., H, W) turned by 180° about the axis, x[-n], on the integer-centred grid.

    A side of even length has one sample more before the axis than behind; that one, which has no
    partner, stays where it is, as the discrete Fourier transform applied twice leaves it.
    """
    shifts = tuple(1 - size % 2 for size in data.shape[-2:])
    return torch.roll(torch.flip(data, (-2, -1)), shifts, (-2, -1))
