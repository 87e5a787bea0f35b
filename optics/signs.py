"""The exposures of each sign scheme, which find signs from intensities; imports no torch.

The simulated camera (:mod:`optics.detection`) and the analytic timing take them from here, so that
both count the same exposures.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["whole", "positive", "negative"]
"""What is shown of signed numbers: themselves, or max(v, 0), or max(-v, 0)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One exposure of a frame.

    Attributes:
        inputs: part of the images that is shown.
        kernels: part of the kernels that is shown.
        reference: uniform field added at the camera, in √electrons, with its phase; 0 is none.
    """

    inputs: Part = "whole"
    kernels: Part = "whole"
    reference: complex = 0


WHOLE: tuple[Pass, ...] = (Pass(),)
"""Everything as it is."""

TWO_SHOT: tuple[Pass, ...] = (Pass(kernels="positive"), Pass(kernels="negative"))
"""Positive kernels, then negative ones, for images that are not negative."""

_SIGNS: tuple[Part, Part] = ("positive", "negative")

FOUR_SHOT: tuple[Pass, ...] = tuple(
    Pass(images, kernels) for images in _SIGNS for kernels in _SIGNS
)
"""Images positive with kernels positive and negative, then images negative."""


def reference_passes(
    frames: int, *, electrons: float = 1.0, split_inputs: bool = False
) -> tuple[Pass, ...]:
    """Return every phase of a reference beam; with split inputs first of positive images.

    Args:
        frames: phases, at least 1.
        electrons: electrons of the reference alone, in each pixel and exposure.
        split_inputs: show positive and negative images one after the other.
    """
    parts: tuple[Part, ...] = _SIGNS if split_inputs else ("whole",)
    amplitude = math.sqrt(electrons)
    beams = [cmath.rect(amplitude, phase) for phase in reference_phases_rad(frames)]
    return tuple(Pass(images, "whole", beam) for images in parts for beam in beams)


def reference_phases_rad(frames: int) -> tuple[float, ...]:
    """Return the phase of the reference in each frame, 2πk/K."""
    return tuple(2 * math.pi * k / frames for k in range(frames))


def pattern_counts(passes: Sequence[Pass]) -> tuple[int, int]:
    """Return how many patterns the passes show on the (filter, input) for each tile."""
    filters = len({shown.kernels for shown in passes})
    return filters, len({shown.inputs for shown in passes})
