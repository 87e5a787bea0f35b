"""Random changes of training images, every draw from a generator that is passed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from partition.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to a training image.

    Attributes:
        shift: largest shift up, down, left and right, in pixels; what is uncovered is black.
        flip: mirror half of the images left to right.
        erase: side of a square set to black at a random place, in pixels; 0 for none.
    """

    shift: int = 0
    flip: bool = False
    erase: int = 0

    def __post_init__(self) -> None:
        if self.shift < 0 or self.erase < 0:
            raise InputError("augmentation shift and erase must be 0 or more pixels")


def augment(images: Tensor, options: Augmentation, generator: torch.Generator) -> Tensor:
    """Return changed copies of uint8 images (batch, channels, height, width).

    The same generator state gives the same images.
    """
    batch, _, height, width = images.shape
    if options.flip:
        mirrored = torch.rand(batch, generator=generator) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
    if options.shift:
        images = _shift(images, options.shift, generator)
    if options.erase:
        top = torch.randint(-options.erase // 2, height, (batch, 1), generator=generator)
        left = torch.randint(-options.erase // 2, width, (batch, 1), generator=generator)
        rows, columns = torch.arange(height), torch.arange(width)
        in_rows = (rows >= top) & (rows < top + options.erase)
        in_columns = (columns >= left) & (columns < left + options.erase)
        erased = in_rows[:, None, :, None] & in_columns[:, None, None, :]
        images = images.masked_fill(erased, 0)
    return images


def _shift(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Shift every image by its own whole number of pixels, black behind it."""
    batch, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (reach,) * 4)
    down = torch.randint(0, 2 * reach + 1, (batch, 1), generator=generator)
    right = torch.randint(0, 2 * reach + 1, (batch, 1), generator=generator)
    rows = (torch.arange(height) + down)[:, :, None]
    columns = (torch.arange(width) + right)[:, None, :]
    sample = torch.arange(batch)[:, None, None]
    return padded.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2).contiguous()
