"""The plane of a system: the pixels of its input modulator that the rest of it can serve."""

from __future__ import annotations

import math

from optics.system import FourF
from optics.tiling.shape import Pair


def usable_plane(system: FourF) -> Pair:
    """Return (rows, columns) of the input modulator that a layout on ``system`` may span.

    The least, on each axis, of

    - the input modulator's pixels;
    - what the camera sees, camera size / (input pitch x magnification);
    - the widest impulse response that the filter's pixels sample, λ f1 / filter pitch (a kernel
      further from the axis than half of that has a spectrum finer than the filter's pixels).

    A filter of amplitudes alone, as of mirrors, sends its result off the axis, beside undiffracted
    light and a twin: there only images go side by side without loss, and frames of other mixtures
    are fewer than such a filter can show well.
    """
    camera_m = system.input.pitch_m * abs(system.magnification)
    response_m = system.laser.wavelength_m * system.lens_1.focal_length_m / system.filter.pitch_m
    rows, columns = (
        min(
            system.input.pixels[axis],
            _whole(system.camera.size_m[axis] / camera_m),
            _whole(response_m / system.input.pitch_m),
        )
        for axis in (0, 1)
    )
    return rows, columns


def _whole(pixels: float) -> int:
    # Quotients of pitches that are whole in print may fall short by a rounding error.
    return max(1, math.floor(pixels * (1 + 1e-9)))
