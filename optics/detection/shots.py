"""Signs from exposures of one part after the other, and the field itself without a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from optics.camera import Camera
from optics.detection.passes import count_passes, root_variance
from optics.detection.root import root
from optics.signs import FOUR_SHOT, TWO_SHOT, WHOLE, Pass


@dataclass(frozen=True, slots=True)
class FieldItself:
    """No camera at all: the field's real part is known. For tests and for the ideal road."""

    name: ClassVar[str] = "field"
    extra_channels: ClassVar[int] = 0

    @property
    def passes(self) -> tuple[Pass, ...]:
        """One, of everything as it is."""
        return WHOLE

    @property
    def signed_inputs(self) -> bool:
        """Always."""
        return True

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the only reading, a field."""
        count_passes(self.name, readings, 1)
        return readings[0].real

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return 0."""
        return torch.zeros_like(readings[0].real)


@dataclass(frozen=True, slots=True)
class TwoShot:
    """Positive and negative kernels one after the other, for images that are not negative.

    Each field is not negative, so that a root tells it: y = √I₊ - √I₋. Shot noise leaves a
    variance of 1/4 + 1/4 = 1/2 electron, whatever the light. The root's lack at few photons is
    told at :func:`root`; where both passes are alike it cancels.
    """

    name: ClassVar[str] = "two-shot"
    extra_channels: ClassVar[int] = 0

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Positive kernels, then negative ones."""
        return TWO_SHOT

    @property
    def signed_inputs(self) -> bool:
        """Never."""
        return False

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I₊ - √I₋."""
        count_passes(self.name, readings, 2)
        return root(readings[0]) - root(readings[1])

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return Σ v/(4I), v the variance of each reading."""
        return root_variance(readings, camera)


@dataclass(frozen=True, slots=True)
class FourShot:
    """Positive and negative images with positive and negative kernels, four exposures.

    y = √I₊₊ - √I₊₋ - √I₋₊ + √I₋₋; the first sign is of the images. Shot noise leaves a variance of
    4/4 = 1 electron, whatever the light.
    """

    name: ClassVar[str] = "four-shot"
    extra_channels: ClassVar[int] = 0

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Images positive with kernels positive and negative, then images negative."""
        return FOUR_SHOT

    @property
    def signed_inputs(self) -> bool:
        """Always."""
        return True

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I₊₊ - √I₊₋ - √I₋₊ + √I₋₋."""
        count_passes(self.name, readings, 4)
        return root(readings[0]) - root(readings[1]) - (root(readings[2]) - root(readings[3]))

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return Σ v/(4I), v the variance of each reading."""
        return root_variance(readings, camera)
