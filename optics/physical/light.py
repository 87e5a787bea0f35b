"""Propagation through a 4f system: two transforms, and four more with pupils at the lenses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from optics.physical.filter import complex_type, frequency_index
from optics.physical.geometry import Geometry
from optics.physical.pupil import chirp, pupil_mask
from optics.physical.tables import Index


@dataclass(frozen=True, slots=True)
class Optics:
    """Phases and pupils between the modulators, as tensors on the grids.

    ``None`` is no effect at all. Orders are those of the transform.

    Attributes:
        geometry: grids.
        before: thin phase at the input's window: the filter's half sample off the axis, and its
            defocus, which is a quadratic phase there.
        pupil_1: pupil of lens 1 on the input's grid.
        chirp_1: phase that a spectrum gains from the input to lens 1, on the filter's grid.
        pupil_2: pupil of lens 2 on the filter's grid.
        chirp_2: phase that light gains from the filter to lens 2, on the camera's grid.
        defocus: phase that light gains from the focal plane to a defocused filter, on the
            camera's grid; only with a pupil at lens 1 or 2, else ``before`` holds it.
    """

    geometry: Geometry
    before: Tensor | None
    pupil_1: Tensor | None
    chirp_1: Tensor | None
    pupil_2: Tensor | None
    chirp_2: Tensor | None
    defocus: Tensor | None

    @classmethod
    def of(cls, geometry: Geometry, dtype: torch.dtype, device: torch.device) -> Optics:
        """Return the optics on these grids, of complex ``dtype``."""
        dtype = complex_type(dtype)
        system, side = geometry.system, geometry.side
        wavelength_m = system.laser.wavelength_m
        focal_1_m = system.lens_1.focal_length_m * geometry.focal_ratio
        focal_2_m = system.lens_2.focal_length_m * geometry.focal_ratio
        spectrum_m = frequency_index(geometry, device) * geometry.filter_step_m
        at_lens = geometry.sampling.pupils == "lens"
        rows, columns = (_places(geometry, axis, side, device) for axis in (0, 1))
        step_1 = geometry.input_step_m
        step_2 = geometry.input_step_m * abs(system.magnification)

        pupil_1 = pupil_mask(system.lens_1, rows * step_1, columns * step_1) if at_lens else None
        pupil_2 = pupil_mask(system.lens_2, spectrum_m, spectrum_m) if at_lens else None
        chirp_1 = chirp_2 = defocus = None
        if pupil_1 is not None:
            chirp_1 = chirp(spectrum_m, spectrum_m, wavelength_m, focal_1_m)
        if pupil_2 is not None:
            chirp_2 = chirp(rows * step_2, columns * step_2, wavelength_m, focal_2_m)

        rows_in, columns_in = (
            _window_places(geometry, axis, geometry.window[axis], device) for axis in (0, 1)
        )
        before = _tilt(geometry, rows_in, columns_in)
        away_m = system.alignment.defocus_m
        if away_m:
            if pupil_1 is None:
                # d behind the focal plane: the spectrum's free space is a phase at the input.
                lens_m = -(focal_1_m**2) / away_m
                bowl = chirp(rows_in * step_1, columns_in * step_1, wavelength_m, lens_m)
                before = bowl if before is None else before * bowl
            if pupil_1 is not None or pupil_2 is not None:
                lens_m = -(focal_2_m**2) / away_m
                defocus = chirp(rows * step_2, columns * step_2, wavelength_m, lens_m)

        met = before, pupil_1, chirp_1, pupil_2, chirp_2, defocus
        return cls(geometry, *(None if one is None else one.to(dtype) for one in met))

    def spectrum(self, shown: Tensor) -> Tensor:
        """Return the light before the filter, (..., side, side), of that behind the input.

        Args:
            shown: transmission of the input's window (..., rows · samples, columns · samples).
        """
        side = self.geometry.side
        light = shown if self.before is None else shown * self.before
        # Leaving dark rows out of one axis is no faster than the transform of both at once.
        light = torch.fft.fft2(light, s=(side, side))
        if self.pupil_1 is not None and self.chirp_1 is not None:
            at_lens = torch.fft.ifft2(light * self.chirp_1.conj()) * self.pupil_1
            light = torch.fft.fft2(at_lens) * self.chirp_1
            if self.defocus is not None:
                light = torch.fft.fft2(torch.fft.ifft2(light) * self.defocus)
        made: Tensor = light
        return made

    def image(self, filtered: Tensor, rows: Index, columns: Index) -> Tensor:
        """Return light at the camera, upright, (..., rows, columns), of that behind the filter.

        Args:
            filtered: (..., side, side).
            rows: samples of the window's grid that are wanted, counted from its first one.
            columns: columns, likewise.
        """
        side = self.geometry.side
        light = filtered
        if self.pupil_2 is not None and self.chirp_2 is not None:
            ahead = torch.fft.ifft2(light)
            if self.defocus is not None:
                ahead = ahead * self.defocus.conj()
            light = torch.fft.fft2(ahead * self.chirp_2.conj()) * self.pupil_2
        light = _taken(torch.fft.ifft2(light), rows, -2, side)
        return _taken(light, columns, -1, side)

    def phase(self, rows: Index, columns: Index) -> Tensor:
        """Return the phase that :meth:`image` leaves out, which no intensity shows.

        Multiply by it where another beam is added to the light.
        """
        geometry = self.geometry
        device = torch.device("cpu")
        y, x = (
            torch.from_numpy(index).to(torch.float64) - geometry.centre(axis) + geometry.offset
            for axis, index in enumerate((rows, columns))
        )
        made = torch.ones(len(rows), len(columns), dtype=torch.complex128, device=device)
        tilt = _tilt(geometry, y, x)
        if tilt is not None:
            made = made * tilt.conj()
        system = geometry.system
        step_m = geometry.input_step_m * abs(system.magnification)
        focal_m = system.lens_2.focal_length_m * geometry.focal_ratio
        wavelength_m, away_m = system.laser.wavelength_m, system.alignment.defocus_m
        if away_m and self.pupil_2 is None:
            made = made * chirp(y * step_m, x * step_m, wavelength_m, focal_m**2 / away_m)
        if self.pupil_2 is not None:
            made = made * chirp(y * step_m, x * step_m, wavelength_m, focal_m)
        return made


def _tilt(geometry: Geometry, rows: Tensor, columns: Tensor) -> Tensor | None:
    """Return the phase that brings the filter's first sample off the axis onto the grid."""
    if geometry.filter_offset == 0:
        return None
    turn = -2 * math.pi * geometry.filter_offset / geometry.side
    phase = turn * (rows[:, None] + columns[None, :])
    return torch.polar(torch.ones_like(phase), phase)


def _window_places(geometry: Geometry, axis: int, count: int, device: torch.device) -> Tensor:
    index = torch.arange(count, dtype=torch.float64, device=device)
    return index - geometry.centre(axis) + geometry.offset


def _places(geometry: Geometry, axis: int, side: int, device: torch.device) -> Tensor:
    """Return places on the whole grid, whose first sample is the window's, in samples."""
    index = torch.arange(side, dtype=torch.float64, device=device) - geometry.centre(axis)
    half = side // 2
    return torch.remainder(index + half, side) - half + geometry.offset


def _taken(light: Tensor, index: Index, axis: int, side: int) -> Tensor:
    """Return the samples ``index``; a view where they follow one another."""
    if len(index) and index[0] >= 0 and index[-1] < side and len(index) == index[-1] - index[0] + 1:
        return light.narrow(axis, int(index[0]), len(index))
    wrapped = torch.from_numpy(np.mod(index, side)).to(light.device)
    return light.index_select(axis, wrapped)
