"""Places of images, kernels and outputs of a layout, in one table each for all frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from optics.tiling.layout import Layout, Rectangle

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tables:
    """Flat places of the pixels of a full frame; frames with less have dark tiles.

    Attributes:
        images: (groups · channels · images, pixels of an image), on the input plane.
        kernels: (groups · channels · kernels, kernel elements), on the filter's impulse response,
            whose pixel ``side // 2`` is no shift at all; elements in reversed order, as light
            convolves.
        outputs: (groups · images · kernels, output pixels), on ``rows`` × ``columns``.
        inside: which of the outputs light makes; padding beyond the kernel's reach makes none.
        rows: rows of the output plane that any output needs, ascending.
        columns: columns, likewise.
    """

    images: Tensor
    kernels: Tensor
    outputs: Tensor
    inside: Tensor
    rows: Index
    columns: Index

    @classmethod
    def of(cls, layout: Layout) -> Tables:
        """Return the tables of a layout."""
        shape, frame = layout.shape, next(iter(layout))  # the first frame is full
        images_at = _places(layout.image_rectangles(frame), [np.arange(n) for n in shape.size])
        reversed_elements = [
            np.arange(n)[::-1] * step for n, step in zip(shape.kernel, shape.dilation, strict=True)
        ]
        kernels_at = _places(layout.kernel_rectangles(frame), reversed_elements)
        # Rows and columns of a whole convolution that are outputs; some may lie outside of it.
        outputs = [
            np.arange(count) * step + extent - 1 - before
            for count, step, extent, (before, _) in zip(
                shape.out_size, shape.stride, shape.extent, shape.padding, strict=True
            )
        ]
        outputs_at = _places(layout.output_rectangles(frame), outputs)
        inside = [(at >= 0) & (at < side) for at, side in zip(outputs, shape.full, strict=True)]
        both = inside[0][:, None] & inside[1][None, :]
        # Where no output receives light, one pixel is read all the same.
        rows, columns = (
            np.unique(at[:, lit]) if lit.any() else np.array([side // 2], dtype=np.int64)
            for at, lit, side in zip(outputs_at, inside, layout.plane, strict=True)
        )
        row = np.searchsorted(rows, outputs_at[0]).clip(max=len(rows) - 1)
        column = np.searchsorted(columns, outputs_at[1]).clip(max=len(columns) - 1)
        return cls(
            images=_flat(images_at, layout.plane[1]),
            kernels=_flat(kernels_at, layout.plane[1]),
            outputs=_flat((row, column), len(columns)),
            inside=torch.from_numpy(both.reshape(-1)),
            rows=rows,
            columns=columns,
        )


def image_tiles(layout: Layout, images: Tensor) -> Tensor:
    """Return (group rounds, channel rounds, image rounds, slots, pixels) of images.

    Rounds that are not full are filled with dark tiles.
    """
    shape, (groups, channels, count, _) = layout.shape, layout.counts
    rounds = layout.rounds
    grouped = images.reshape(shape.batch, shape.groups, shape.in_group, *shape.size).flatten(-2)
    full = _filled(grouped, (rounds[2] * count, rounds[0] * groups, rounds[1] * channels))
    parted = full.reshape(rounds[2], count, rounds[0], groups, rounds[1], channels, -1)
    return parted.permute(2, 4, 0, 3, 5, 1, 6).flatten(3, 5)


def kernel_tiles(layout: Layout, weight: Tensor) -> Tensor:
    """Return (group rounds, channel rounds, kernel rounds, slots, elements) of kernels."""
    shape, (groups, channels, _, count) = layout.shape, layout.counts
    rounds = layout.rounds
    grouped = weight.reshape(shape.groups, shape.out_group, shape.in_group, -1)
    full = _filled(grouped, (rounds[0] * groups, rounds[3] * count, rounds[1] * channels))
    parted = full.reshape(rounds[0], groups, rounds[3], count, rounds[1], channels, -1)
    return parted.permute(0, 4, 2, 1, 5, 3, 6).flatten(3, 5)


def gathered(layout: Layout, outputs: Tensor) -> Tensor:
    """Return (batch, out_channels, rows, columns) of outputs by round.

    Args:
        layout: layout of the convolution.
        outputs: (group rounds, kernel rounds, image rounds, slots, output pixels).
    """
    shape, (groups, _, images, kernels) = layout.shape, layout.counts
    rounds = layout.rounds
    parted = outputs.reshape(*outputs.shape[:3], groups, images, kernels, outputs.shape[-1])
    ordered = parted.permute(2, 4, 0, 3, 1, 5, 6).reshape(
        rounds[2] * images, rounds[0] * groups, rounds[3] * kernels, -1
    )
    filled = ordered[: shape.batch, : shape.groups, : shape.out_group]
    return filled.reshape(shape.batch, shape.out_channels, *shape.out_size)


def _filled(tensor: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    missing = [0, 0]
    for size, have in zip(reversed(sizes), reversed(tensor.shape[:3]), strict=True):
        missing += [0, size - have]
    return functional.pad(tensor, missing) if any(missing) else tensor


def _places(rectangles: list[Rectangle], within: list[Index]) -> tuple[Index, Index]:
    """Return rows and columns of the plane, (rectangles, offsets) each."""
    tops = np.array([rectangle.top for rectangle in rectangles], dtype=np.int64)
    lefts = np.array([rectangle.left for rectangle in rectangles], dtype=np.int64)
    return tops[:, None] + within[0], lefts[:, None] + within[1]


def _flat(places: tuple[Index, Index], columns: int) -> Tensor:
    rows, across = places
    flat = rows[:, :, None] * columns + across[:, None, :]
    return torch.from_numpy(np.ascontiguousarray(flat.reshape(len(rows), -1)))
