"""The plane of a system: the pixels of its input modulator that the rest of it can serve."""

from __future__ import annotations

import math

from optics.system import FourF
from optics.tiling.plan import KINDS, Kind
from optics.tiling.shape import Pair


def usable_plane(system: FourF) -> Pair:
    """Return (rows, columns) of the input modulator that a layout on ``system`` may span.

    The least, on each axis, of

    - the input modulator's pixels;
    - what the camera sees, camera size / (input pitch x magnification);
    - the widest impulse response that the filter's pixels sample, λ f1 / filter pitch (a kernel
      further from the axis than half of that has a spectrum finer than the filter's pixels).

    What may lie side by side there, :func:`side_by_side` tells.
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


def side_by_side(system: FourF) -> tuple[Kind, ...]:
    """Return what may lie side by side on ``system`` without loss.

    A filter of amplitudes alone, as of mirrors, sends its result off the axis, beside undiffracted
    light and a twin. Kernels, channels or groups side by side would reach into these: frames of
    such mixtures are fewer than the filter can show. Images side by side share one kernel, whose
    response is as small as it was.
    """
    return ("images",) if system.filter.kind in ("dmd", "lcos-amplitude") else KINDS


def _whole(pixels: float) -> int:
    # Quotients of pitches that are whole in print may fall short by a rounding error.
    return max(1, math.floor(pixels * (1 + 1e-9)))
