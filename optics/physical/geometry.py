"""The grids of the physical road: which samples of the planes belong to which pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optics.errors import SamplingError
from optics.physical.bench import Sampling
from optics.system import FourF
from optics.tiling.planner import usable_plane
from optics.tiling.shape import Pair

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Grids of a system that shows a plane of pixels.

    Both grids have ``side`` samples on each axis: those of the input, of the lens planes behind it
    and of the camera are ``pitch_m / input`` apart (in input units), those of the filter
    ``filter pitch / filter``. The product of both is λf over ``side``, as the discrete Fourier
    transform requires.

    Attributes:
        system: system whose planes these are.
        plane: pixels (rows, columns) that images, outputs and impulse response span; its pixel
            ``n // 2`` is on the axis.
        sampling: samples per pixel.
        cells: input pixels in one period λ f1 / (filter pitch) of the filter's impulse response.
    """

    system: FourF
    plane: Pair
    sampling: Sampling
    cells: int

    @classmethod
    def of(cls, system: FourF, plane: Pair, sampling: Sampling) -> Geometry:
        """Return the grids for a plane on a system.

        A grid holds whole pixels: λ f1 / (input pitch x filter pitch) is taken down to a whole
        number, as if both focal lengths were shorter by less than one part in that number, which
        is below what the focal length of a real lens is known to.

        Raises:
            SamplingError: a plane larger than the system can serve, or camera pixels larger than
                the image of an input pixel.
        """
        most = usable_plane(system)
        if plane[0] > most[0] or plane[1] > most[1]:
            raise SamplingError(
                f"{system.name}: serves a plane of {most[0]} x {most[1]} pixels at most; "
                f"got {plane[0]} x {plane[1]}. Plan the layout on optics.tiling.usable_plane"
            )
        cells = _cells(system)
        made = cls(system=system, plane=plane, sampling=sampling, cells=math.floor(cells))
        if made.camera_pixels < 1 - 1e-6:
            focal_m = system.lens_2.focal_length_m / made.camera_pixels
            raise SamplingError(
                f"{system.name}: camera pixels of {system.camera.pitch_m:g} m are larger than the "
                f"image of an input pixel, {made.image_pitch_m:g} m, so that outputs would run "
                f"together; take a lens 2 of focal_length_m={focal_m:.6g} or more, or a finer "
                "camera"
            )
        made._check_pupils()
        return made

    @property
    def side(self) -> int:
        """Samples along each axis of every plane."""
        return self.cells * self.sampling.input * self.sampling.filter

    @property
    def window(self) -> Pair:
        """Samples that the plane's pixels take of it (rows, columns)."""
        return self.plane[0] * self.sampling.input, self.plane[1] * self.sampling.input

    @property
    def focal_ratio(self) -> float:
        """Computed focal lengths over those of the system, at most 1 and close to it."""
        return self.cells / _cells(self.system)

    @property
    def input_step_m(self) -> float:
        """Distance between samples of the input plane."""
        return self.system.input.pitch_m / self.sampling.input

    @property
    def filter_step_m(self) -> float:
        """Distance between samples of the filter plane."""
        return self.system.filter.pitch_m / self.sampling.filter

    @property
    def image_pitch_m(self) -> float:
        """Size of an input pixel's image at the camera."""
        return self.system.input.pitch_m * abs(self.system.magnification)

    @property
    def camera_pixels(self) -> float:
        """Camera pixels along the side of an input pixel's image."""
        return self.image_pitch_m / self.system.camera.pitch_m

    @property
    def offset(self) -> float:
        """Of the input's and the camera's samples from the axis, in samples: 0 or 1/2."""
        return 0.5 if self.sampling.input % 2 == 0 else 0.0

    @property
    def filter_offset(self) -> float:
        """Of the filter's samples from the axis, in samples: 0 or 1/2."""
        return 0.5 if self.sampling.filter % 2 == 0 else 0.0

    def centre(self, axis: int) -> int:
        """Return the sample of the window next to, or on, the axis (before it by ``offset``)."""
        samples = self.sampling.input
        return (self.plane[axis] // 2) * samples + (samples - 1) // 2 + (samples + 1) % 2

    def _check_pupils(self) -> None:
        lenses = (self.system.lens_1, self.system.lens_2)
        if self.sampling.pupils == "filter" or all(math.isinf(lens.pupil_m) for lens in lenses):
            return
        filter_m = self.system.filter.size_m
        for number, lens in enumerate(lenses, 1):
            pitch_m = self.input_step_m if number == 1 else self.filter_step_m
            for axis in (0, 1):
                # Beyond one period of the spectrum a field stop keeps the filter dark.
                spectrum_m = min(filter_m[axis], self.cells * self.system.filter.pitch_m)
                scale = 1.0 if number == 1 else abs(self.system.magnification)
                image_m = self.plane[axis] * self.system.input.pitch_m * scale
                reach_m = (image_m + spectrum_m) / 2
                # Light that leaves one side of the grid must come back outside of the pupil.
                needed_m = reach_m + min(lens.pupil_m / 2, reach_m)
                if self.side * pitch_m < needed_m * (1 - 1e-6):
                    raise SamplingError(
                        f"{self.system.name}: light reaches {reach_m:g} m from the axis at lens "
                        f"{number}, and the grid of {self.side * pitch_m:g} m would bring it back "
                        "into the pupil; take more samples per pixel than "
                        f"input={self.sampling.input}, filter={self.sampling.filter}, as "
                        "Sampling.squares() does, a smaller plane, or pupils='filter'"
                    )


def _cells(system: FourF) -> float:
    cells = system.laser.wavelength_m * system.lens_1.focal_length_m
    cells /= system.input.pitch_m * system.filter.pitch_m
    # Quotients that are whole in print may fall short by a rounding error.
    return float(round(cells)) if abs(cells - round(cells)) < _TOLERANCE * cells else cells
