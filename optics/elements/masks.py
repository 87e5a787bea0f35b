"""Thin elements: apertures, lenses, gratings, segmented mirrors, and masks that learn."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from optics.checks import finite, fraction, positive
from optics.errors import InputError, SamplingError
from optics.field import Field, require_field
from optics.grid import REAL
from optics.lens import Lens
from optics.physical.pupil import covered, pupil_mask


class Thin(nn.Module):
    """A thin element: the field times a transmission on the field's grid.

    Subclasses give :meth:`transmission`; it is computed in float64 for each call.
    """

    def forward(self, field: Field) -> Field:
        """Return the field (..., H, W) behind the element."""
        require_field(type(self).__name__, field)
        mask = self.transmission(field)
        kind = field.data.dtype if mask.is_complex() else REAL[field.data.dtype]
        return field.modulated(mask.to(field.data.device, kind))

    def transmission(self, field: Field) -> Tensor:
        """Return the transmission on the field's grid, (H, W), real or complex."""
        raise NotImplementedError


class Mask(Thin):
    """A given transmission.

    Args:
        values: (..., H, W), real or complex; a parameter of the caller may be trained.
    """

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        if isinstance(values, nn.Parameter):
            self.values: Tensor = values
        else:
            self.register_buffer("values", values)

    def transmission(self, field: Field) -> Tensor:
        """Return the values."""
        return self.values


class PhaseMask(Thin):
    """A phase of every sample, exp(iφ), with φ a parameter: a layer of a diffractive network.

    Args:
        shape: samples (rows, columns).
        start_rad: phases at the beginning (rows, columns); ``None`` is 0 everywhere.
        dtype: real type of the phases.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        start_rad: Tensor | None = None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        start = torch.zeros(shape, dtype=dtype) if start_rad is None else start_rad.to(dtype)
        if tuple(start.shape) != tuple(shape):
            raise InputError(f"start_rad must be of {shape}; got {tuple(start.shape)}")
        self.phase_rad = nn.Parameter(start.clone())

    def transmission(self, field: Field) -> Tensor:
        """Return exp(iφ)."""
        return torch.polar(torch.ones_like(self.phase_rad), self.phase_rad)


class Aperture(Thin):
    """A round or rectangular opening; samples on its edge have the part of their area that is open.

    Args:
        size_m: diameter, or (height, width).
        centre_m: place of its middle (down, right).
        stop: whether light passes outside of it and not within.

    Raises:
        InputError: a size that is not above 0.
    """

    def __init__(
        self,
        size_m: float | tuple[float, float],
        *,
        centre_m: tuple[float, float] = (0.0, 0.0),
        stop: bool = False,
    ) -> None:
        super().__init__()
        for one in size_m if isinstance(size_m, tuple) else (size_m,):
            positive("Aperture", "size_m", one)
        self.size_m, self.centre_m, self.stop = size_m, centre_m, stop

    def transmission(self, field: Field) -> Tensor:
        """Return the open share of each sample, float64."""
        y, x = (axis - at for axis, at in zip(field.axes_m, self.centre_m, strict=True))
        if isinstance(self.size_m, tuple):
            rows, columns = (
                _open(places, size, pitch)
                for places, size, pitch in zip((y, x), self.size_m, field.pitch_m, strict=True)
            )
            inside = rows[:, None] * columns
        else:
            inside = covered(y, x, self.size_m / 2)
        return 1 - inside if self.stop else inside


def _open(places_m: Tensor, size_m: float, pitch_m: float) -> Tensor:
    right = (places_m + pitch_m / 2).clamp(max=size_m / 2)
    left = (places_m - pitch_m / 2).clamp(min=-size_m / 2)
    return (right - left).clamp(min=0) / pitch_m


class ThinLens(Thin):
    """exp(-iπ r² / (λf)) with the pupil, aberrations and efficiency of a lens (Goodman, ch. 5).

    Args:
        lens: the lens, or its focal length in metres; a negative focal length diverges.
        centre_m: place of its axis (down, right).

    Raises:
        InputError: a focal length of 0, or not finite.
    """

    def __init__(self, lens: Lens | float, *, centre_m: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.lens = lens if isinstance(lens, Lens) else None
        self.focal_length_m = lens.focal_length_m if isinstance(lens, Lens) else lens
        finite("ThinLens", "focal length", self.focal_length_m)
        if self.focal_length_m == 0:
            raise InputError("ThinLens: focal length must not be 0")
        self.centre_m = centre_m

    def transmission(self, field: Field) -> Tensor:
        """Return phase and pupil, complex128.

        Raises:
            SamplingError: the phase turns by more than π from sample to sample within the pupil.
        """
        y, x = (axis - at for axis, at in zip(field.axes_m, self.centre_m, strict=True))
        pupil_m = math.inf if self.lens is None else self.lens.pupil_m
        scale = field.wavelength_m * abs(self.focal_length_m)
        for places, pitch_m in zip((y, x), field.pitch_m, strict=True):
            reach_m = min(float(places.abs().max()), pupil_m / 2) if len(places) > 1 else 0.0
            if 2 * reach_m * pitch_m > scale * (1 + 1e-9):
                raise SamplingError(
                    f"ThinLens of f={self.focal_length_m:g} m: its phase turns by more than half a "
                    f"circle from sample to sample {reach_m:g} m from its axis; expected at most "
                    f"{scale / (2 * pitch_m):.4g} m at pitch {pitch_m:g} m: take a finer pitch, a "
                    "smaller window or pupil, or FourierLens"
                )
        r2 = y[:, None] ** 2 + x[None, :] ** 2
        phase = -math.pi / (field.wavelength_m * self.focal_length_m) * r2
        made = torch.polar(torch.ones_like(phase), phase)
        if self.lens is not None:
            made = made * math.sqrt(self.lens.efficiency)
            mask = pupil_mask(self.lens, y, x)
            made = made if mask is None else made * mask
        return made


Profile = Literal["amplitude", "sine", "blazed"]
"""Profile of a grating."""


class Grating(Thin):
    """Straight lines: slits, a sinusoidal phase, or a blaze.

    Order m leaves at the sine mλ/Λ. Its share of the light is, for

    - ``amplitude``: slits that are open on ``duty`` of the period, d² sinc²(m d);
    - ``sine``: the phase (depth/2) sin, J_m²(depth/2);
    - ``blazed``: a phase that rises by ``depth_rad``, in ``levels`` equal steps if any:
      sinc²(depth/2π - m), times sinc²(1/L) for L steps of a full turn at m = 1.

    Source: Goodman, Introduction to Fourier Optics, ch. 4 and 7.

    Args:
        period_m: Λ.
        profile: profile of a line.
        duty: open share of the period, of slits.
        depth_rad: phase from peak to valley, of ``sine`` and ``blazed``.
        levels: steps of a blaze; ``None`` is smooth.
        angle_rad: direction in which lines follow one another, from right towards down.

    Raises:
        InputError: a figure is out of its range, or another profile.
    """

    def __init__(
        self,
        period_m: float,
        profile: Profile = "amplitude",
        *,
        duty: float = 0.5,
        depth_rad: float = 2 * math.pi,
        levels: int | None = None,
        angle_rad: float = 0.0,
    ) -> None:
        super().__init__()
        positive("Grating", "period_m", period_m)
        fraction("Grating", "duty", duty, zero=False)
        finite("Grating", "depth_rad", depth_rad)
        finite("Grating", "angle_rad", angle_rad)
        if profile not in get_args(Profile):
            known = ", ".join(get_args(Profile))
            raise InputError(f"Grating: profile must be one of {known}; got {profile!r}")
        if levels is not None and (isinstance(levels, bool) or levels < 2):
            raise InputError(f"Grating: levels must be at least 2, or None; got {levels!r}")
        self.period_m, self.profile, self.duty = period_m, profile, duty
        self.depth_rad, self.levels, self.angle_rad = depth_rad, levels, angle_rad

    def transmission(self, field: Field) -> Tensor:
        """Return the transmission at the middle of each sample.

        Raises:
            SamplingError: fewer than two samples of a period.
        """
        if self.period_m < 2 * max(field.pitch_m) * (1 - 1e-9):
            raise SamplingError(
                f"Grating: a period of {self.period_m:g} m has fewer than two samples of "
                f"{max(field.pitch_m):g} m; take a finer pitch"
            )
        y, x = field.axes_m
        along = math.sin(self.angle_rad) * y[:, None] + math.cos(self.angle_rad) * x
        place = along / self.period_m
        # Places on a line's edge by print may miss it by rounding.
        share = torch.remainder(place + 1e-9, 1)
        if self.profile == "amplitude":
            return (torch.remainder(place + self.duty / 2 + 1e-9, 1) < self.duty).to(place.dtype)
        if self.profile == "sine":
            phase = self.depth_rad / 2 * torch.sin(2 * math.pi * place)
        else:
            step = share if self.levels is None else (share * self.levels).floor() / self.levels
            phase = self.depth_rad * step
        return torch.polar(torch.ones_like(phase), phase)


class Segments(Thin):
    """A mirror of square segments, each with a piston and two tilts, which are parameters.

    exp(2πi (p + t_y y' + t_x x')) within a segment, with y' and x' from its middle over half of its
    side, and dark between segments and outside.

    Args:
        count: segments (rows, columns).
        side_m: side of a segment.
        gap_m: distance between segments.

    Attributes:
        waves: piston, tilt down and tilt right of each segment, in waves, (3, rows, columns).

    Raises:
        InputError: a figure is out of its range.
    """

    def __init__(self, count: tuple[int, int], side_m: float, gap_m: float = 0.0) -> None:
        super().__init__()
        positive("Segments", "side_m", side_m)
        if not math.isfinite(gap_m) or gap_m < 0:
            raise InputError(f"Segments: gap_m must be at or above 0; got {gap_m!r}")
        if min(count) < 1:
            raise InputError(f"Segments: count must be at least 1 each; got {count!r}")
        self.count, self.side_m, self.gap_m = count, side_m, gap_m
        self.waves = nn.Parameter(torch.zeros(3, *count, dtype=torch.float64))

    def transmission(self, field: Field) -> Tensor:
        """Return the reflection, complex128; samples on an edge have the part that is inside."""
        rows, columns = (
            self._axis(places, count, pitch_m)
            for places, count, pitch_m in zip(field.axes_m, self.count, field.pitch_m, strict=True)
        )
        waves = self.waves.to(field.data.device)
        piston, down, right = (waves[kind][rows[0]][:, columns[0]] for kind in range(3))
        phase = 2 * math.pi * (piston + down * rows[1][:, None] + right * columns[1])
        return torch.polar(rows[2][:, None] * columns[2], phase)

    def _axis(self, places_m: Tensor, count: int, pitch_m: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return the segment of each sample, its place in it (-1 … 1), and the open share."""
        period_m = self.side_m + self.gap_m
        first_m = -(count - 1) / 2 * period_m
        index = ((places_m - first_m) / period_m).round().clamp(0, count - 1)
        off_m = places_m - first_m - index * period_m
        return index.long(), off_m / (self.side_m / 2), _open(off_m, self.side_m, pitch_m)
