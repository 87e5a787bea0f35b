"""Camera pixels: the samples of light that each one gathers, and the readings of each output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from optics.physical.geometry import Geometry
from optics.physical.tables import Index

_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class PixelAxis:
    """One axis of the camera, which is mounted turned by 180° as the image is, so: upright.

    Attributes:
        samples: samples that any pixel needs, ascending, counted from the window's first.
        gather: (pixels, most) which of ``samples`` each needed pixel covers.
        cover: (pixels, most) the share of each sample's width that is in the pixel, float64.
        reading: (outputs, 2) pixels on both sides of each output's centre.
        weight: (outputs, 2) of the two, by distance; only one where it is on the centre.
    """

    samples: Index
    gather: Index
    cover: NDArray[np.float64]
    reading: Index
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, geometry: Geometry, axis: int, outputs: Index, shift_px: float = 0.0) -> PixelAxis:
        """Return what the outputs at these places of the plane need.

        Args:
            geometry: grids.
            axis: 0 for rows, 1 for columns.
            outputs: places on the plane, in pixels.
            shift_px: distance of the camera's centre from the axis, in pixels of the plane.
        """
        camera = geometry.system.camera
        ratio = geometry.camera_pixels
        pixels = camera.pixels[axis]
        # Camera pixel n // 2 is on the axis, as the plane's is.
        place = (outputs - geometry.plane[axis] // 2) * ratio + pixels // 2
        near = np.round(place)
        place = np.where(np.abs(place - near) < _NEAR, near, place).clip(0, pixels - 1)
        low = np.floor(place).astype(np.int64)
        share = place - low
        high = np.where(share > 0, low + 1, low)
        needed = np.unique(np.concatenate([low, high]))
        reading = np.stack([np.searchsorted(needed, low), np.searchsorted(needed, high)], -1)
        weight = np.stack([1 - share, share], -1)

        step = geometry.sampling.input / ratio  # samples across a camera pixel
        centre = geometry.centre(axis) - geometry.offset + shift_px * geometry.sampling.input
        middle = (needed - pixels // 2) * step + centre
        first, last = (
            middle - step / 2 + 0.5,
            middle + step / 2 + 0.5,
        )  # edges; sample j: j to j + 1
        first, last = _snapped(first), _snapped(last)
        most = int(np.max(np.ceil(last) - np.floor(first))) if len(needed) else 1
        at = np.floor(first).astype(np.int64)[:, None] + np.arange(most)
        cover = np.minimum(at + 1, last[:, None]) - np.maximum(at, first[:, None])
        cover = cover.clip(min=0)
        samples = np.unique(at[cover > 0])
        gather = np.searchsorted(samples, at).clip(max=max(len(samples) - 1, 0))
        return cls(samples, gather, cover, reading, weight)

    def gathered(self, light: Tensor, axis: int) -> Tensor:
        """Return what pixels gather of samples along ``axis``, counted from the end."""
        pixels, most = self.gather.shape
        if (
            most == 1
            and self._follows(self.gather[:, 0], light.shape[axis])
            and (np.all(self.cover == self.cover[:1]))
        ):
            return light if self.cover[0, 0] == 1 else light * float(self.cover[0, 0])
        if self._follows(self.gather.reshape(-1), light.shape[axis]) and np.all(self.cover == 1):
            shape = list(light.shape)
            shape[axis : axis + 1 or None] = [pixels, most]
            return light.reshape(shape).sum(axis)
        return _weighted(light, self.gather, self.cover, axis)

    def read(self, pixels: Tensor, axis: int) -> Tensor:
        """Return the reading of each output along ``axis``."""
        if np.all(self.weight[:, 1] == 0):
            if self._follows(self.reading[:, 0], pixels.shape[axis]):
                return pixels
            index = torch.from_numpy(self.reading[:, 0]).to(pixels.device)
            return pixels.index_select(axis, index)
        return _weighted(pixels, self.reading, self.weight, axis)

    @staticmethod
    def _follows(index: Index, count: int) -> bool:
        return len(index) == count and bool(np.all(index == np.arange(count)))


def _weighted(values: Tensor, index: Index, weight: NDArray[np.float64], axis: int) -> Tensor:
    real = values.real.dtype
    shape = [1] * values.dim()
    shape[axis] = len(index)
    total: Tensor | None = None
    for column in range(index.shape[1]):
        factor = torch.from_numpy(weight[:, column]).to(values.device, real)
        taken = values.index_select(axis, torch.from_numpy(index[:, column]).to(values.device))
        term = taken * factor.view(shape)
        total = term if total is None else total + term
    assert total is not None
    return total


def _snapped(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    near = np.round(edges)
    return np.where(np.abs(edges - near) < _NEAR, near, edges)
