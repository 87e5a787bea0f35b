"""Random changes of training images, every draw from a generator that is passed."""

from __future__ import annotations

import torch
from torch import Tensor

from partition.recipe import Augmentation


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
