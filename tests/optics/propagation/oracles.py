"""Light whose form behind a distance is known in closed form, and every propagator's own range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import fresnel
from torch import Tensor

from optics.field import Field
from optics.propagation import angular_spectrum, fresnel_impulse, fresnel_matrix, fresnel_transfer

WAVELENGTH_M = 500e-9


@dataclass(frozen=True)
class Case:
    """A propagator, with a grid and a distance that are in its range."""

    name: str
    propagate: Callable[[Field, float], Field]
    samples: tuple[int, int]
    pitch_m: tuple[float, float]
    distance_m: float

    def __str__(self) -> str:
        return self.name


def zoomed(field: Field, distance_m: float) -> Field:
    """Onto a grid of its own: other pitch, other shape, off the axis."""
    return fresnel_matrix(field, distance_m, (41, 60), (9e-6, 11e-6), (50e-6, -80e-6))


# Distances on both sides of S dx / λ, so that each method is tried where it is sampled.
CASES = (
    Case("angular spectrum", angular_spectrum, (256, 300), (6e-6, 5e-6), 0.02),
    Case("angular spectrum, band-limited", angular_spectrum, (256, 300), (6e-6, 5e-6), 0.06),
    Case("angular spectrum, back", angular_spectrum, (256, 300), (6e-6, 5e-6), -0.02),
    Case("Fresnel transfer", fresnel_transfer, (256, 300), (6e-6, 5e-6), 0.025),
    Case("Fresnel transfer, back", fresnel_transfer, (256, 300), (6e-6, 5e-6), -0.025),
    Case("Fresnel impulse", fresnel_impulse, (256, 300), (6e-6, 5e-6), 0.06),
    Case("Fresnel impulse, back", fresnel_impulse, (256, 300), (6e-6, 5e-6), -0.06),
    Case("Fresnel matrix", zoomed, (256, 300), (6e-6, 5e-6), 0.04),
    Case("Fresnel matrix, back", zoomed, (256, 300), (6e-6, 5e-6), -0.04),
)


def gaussian(y_m: Tensor, x_m: Tensor, waist_m: float, distance_m: float) -> Tensor:
    """Gaussian beam, 1 / (1 + iζ) exp(-r² / (w₀² (1 + iζ))), ζ = λz / (πw₀²).

    The one formula holds w(z), the curvature and the Gouy phase (Siegman, Lasers, ch. 17).
    """
    q = complex(1, WAVELENGTH_M * distance_m / (math.pi * waist_m**2))
    r2 = y_m[:, None] ** 2 + x_m[None, :] ** 2
    return torch.exp(-r2 / (waist_m**2 * q)) / q


def slit(x_m: NDArray[np.float64], width_m: float, distance_m: float) -> NDArray[np.complex128]:
    """Fresnel diffraction of a slit on one axis, by Fresnel integrals (Goodman, ch. 4)."""
    scale = math.sqrt(2 / (WAVELENGTH_M * distance_m))
    s_low, c_low = fresnel(-scale * (width_m / 2 + x_m))
    s_high, c_high = fresnel(scale * (width_m / 2 - x_m))
    return (c_high - c_low + 1j * (s_high - s_low)) / math.sqrt(2) * np.exp(-0.25j * np.pi)


def disc(shape: tuple[int, int], pitch_m: tuple[float, float], radius_m: float) -> Tensor:
    """A round opening; samples on its edge have the part of their area that is open."""
    fine = 16
    inside = torch.zeros(shape, dtype=torch.float64)
    offsets = (torch.arange(fine, dtype=torch.float64) + 0.5) / fine - 0.5
    rows, columns = (torch.arange(n, dtype=torch.float64) - n // 2 for n in shape)
    for dy in offsets:
        y = (rows + dy)[:, None] * pitch_m[0]
        half = torch.sqrt((radius_m**2 - y**2).clamp(min=0)) / pitch_m[1]
        # The chord of this line covers exactly this much of every sample in its row.
        right = (columns[None, :] + 0.5).clamp(max=half)
        left = (columns[None, :] - 0.5).clamp(min=-half)
        inside += (right - left).clamp(min=0) / fine
    return inside


def relative(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest expected amplitude."""
    return float((found - expected).abs().max() / expected.abs().max())
