"""Sources: a tilted plane wave, a Gaussian beam, and a point."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from optics.checks import finite, positive
from optics.errors import InputError, SamplingError
from optics.field import Field

_REACH = 2.5
"""Radii of a Gaussian beam within which its phase is sampled; 4e-6 of its power is beyond."""


class Source(nn.Module):
    """A source on a grid; ``source()`` returns its field.

    Args:
        shape: samples (rows, columns).
        wavelength_m: λ.
        pitch_m: distance between samples, one or (down, right).
        dtype: complex type of the field.
    """

    light: Tensor

    def __init__(
        self,
        shape: tuple[int, int],
        wavelength_m: float,
        pitch_m: float | Sequence[float],
        *,
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        super().__init__()
        self.grid = Field(torch.zeros(shape, dtype=dtype), wavelength_m, pitch_m)

    def _holds(self, light: Tensor) -> None:
        self.register_buffer("light", light.to(self.grid.data.dtype), persistent=False)

    def forward(self) -> Field:
        """Return the field (rows, columns), on the device of the module."""
        return self.grid.with_data(self.light)

    def extra_repr(self) -> str:
        """Return grid and light."""
        rows, columns = self.grid.shape
        return f"{rows} x {columns}, pitch_m={self.grid.pitch_m}, λ={self.grid.wavelength_m:g} m"

    def _radii_m2(self, centre_m: tuple[float, float]) -> Tensor:
        for axis, place_m in zip(("down", "right"), centre_m, strict=True):
            finite(type(self).__name__, f"centre_m, {axis}", place_m)
        y, x = self.grid.axes_m
        return (y[:, None] - centre_m[0]) ** 2 + (x[None, :] - centre_m[1]) ** 2

    def _check_sine(self, sine: float, axis: int) -> None:
        steepest = self.grid.wavelength_m / (2 * self.grid.pitch_m[axis])
        if sine > steepest * (1 + 1e-9):
            raise SamplingError(
                f"{type(self).__name__}: its phase turns by more than half a circle from sample to "
                f"sample (sine {sine:.4g}, at most {steepest:.4g} at pitch "
                f"{self.grid.pitch_m[axis]:g} m): take a finer pitch or a smaller window"
            )


class PlaneWave(Source):
    """exp(2πi (s_y y + s_x x) / λ), of amplitude 1.

    Args:
        shape: samples (rows, columns).
        wavelength_m: λ.
        pitch_m: distance between samples, one or (down, right).
        sines: direction cosines of the wave with the axes (down, right).
        dtype: complex type of the field.

    Raises:
        SamplingError: a sine beyond λ/(2 pitch).
        InputError: a figure is out of its range.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        wavelength_m: float,
        pitch_m: float | Sequence[float],
        sines: tuple[float, float] = (0.0, 0.0),
        *,
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        super().__init__(shape, wavelength_m, pitch_m, dtype=dtype)
        self._holds(Field.plane_wave(shape, wavelength_m, pitch_m, sines, dtype=dtype).data)


class GaussianBeam(Source):
    """The fundamental Gaussian beam, paraxial, at a distance behind its waist.

    √(2P/(πw₀²)) / (1 + iζ) exp(-r² / (w₀² (1 + iζ))) with ζ = λz / (πw₀²): width, curvature and
    Gouy phase in one (Siegman, Lasers, ch. 17).

    Args:
        shape: samples (rows, columns).
        wavelength_m: λ.
        pitch_m: distance between samples, one or (down, right).
        waist_m: w₀, radius at 1/e² of the intensity.
        distance_m: z from the waist to the plane; negative before the waist.
        power_w: P.
        centre_m: place of the axis (down, right).
        dtype: complex type of the field.

    Raises:
        SamplingError: the curvature aliases within 2.5 radii of the beam.
        InputError: a figure is out of its range.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        wavelength_m: float,
        pitch_m: float | Sequence[float],
        waist_m: float,
        distance_m: float = 0.0,
        *,
        power_w: float = 1.0,
        centre_m: tuple[float, float] = (0.0, 0.0),
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        super().__init__(shape, wavelength_m, pitch_m, dtype=dtype)
        positive("GaussianBeam", "waist_m", waist_m)
        positive("GaussianBeam", "power_w", power_w)
        finite("GaussianBeam", "distance_m", distance_m)
        zeta = wavelength_m * distance_m / (math.pi * waist_m**2)
        radius_m = waist_m * math.hypot(1, zeta)
        for axis in (0, 1):
            reach_m = min(_REACH * radius_m, self.grid.size_m[axis] / 2 + abs(centre_m[axis]))
            # Wavefronts of curvature 1/R = ζ / (z (1 + ζ²) / ζ); sine r/R.
            curvature = 0.0 if distance_m == 0 else zeta**2 / (distance_m * (1 + zeta**2))
            self._check_sine(abs(reach_m * curvature), axis)
        q = complex(1, zeta)
        peak = math.sqrt(2 * power_w / math.pi) / waist_m
        self._holds(torch.exp(-self._radii_m2(centre_m) / (waist_m**2 * q)) * (peak / q))


class PointSource(Source):
    """The spherical wave of a point, |z|/r exp(± ik (r - |z|)), of amplitude 1 on its own axis.

    Args:
        shape: samples (rows, columns).
        wavelength_m: λ.
        pitch_m: distance between samples, one or (down, right).
        distance_m: z from the point to the plane; negative where the light runs to a point behind
            the plane.
        centre_m: place of the point (down, right).
        dtype: complex type of the field.

    Raises:
        SamplingError: light reaches the window's edge at a larger angle than samples show.
        InputError: a figure is out of its range.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        wavelength_m: float,
        pitch_m: float | Sequence[float],
        distance_m: float,
        *,
        centre_m: tuple[float, float] = (0.0, 0.0),
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        super().__init__(shape, wavelength_m, pitch_m, dtype=dtype)
        finite("PointSource", "distance_m", distance_m)
        if distance_m == 0:
            raise InputError("PointSource: distance_m must not be 0: a point fills no sample")
        radii_m2, away_m = self._radii_m2(centre_m), abs(distance_m)
        for axis in (0, 1):
            reach_m = self.grid.size_m[axis] / 2 + abs(centre_m[axis])
            self._check_sine(reach_m / math.hypot(reach_m, away_m), axis)
        r = torch.sqrt(radii_m2 + away_m**2)
        # r - z loses all digits near the axis; offset² / (r + z) keeps them.
        phase = math.copysign(2 * math.pi / wavelength_m, distance_m) * radii_m2 / (r + away_m)
        self._holds(torch.polar(away_m / r, phase))
