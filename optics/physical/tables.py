"""Places of images, kernels and outputs of a layout, in one table each for all frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from optics.tiling.axis import Axis
from optics.tiling.layout import Layout
from optics.tiling.shape import Pair

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
        shape, axes = layout.shape, layout.axes
        counts = layout.counts
        cells = [_cells(n, side) for n, side in zip(counts, _sides(layout), strict=True)]
        groups, channels, images, kernels = cells
        images_at = _places(
            [
                (
                    axis_index,
                    [
                        axis.image_start(g[axis_index], c[axis_index], b[axis_index])
                        for g, c, b in product(groups, channels, images)
                    ],
                    np.arange(axis.image),
                )
                for axis_index, axis in enumerate(axes)
            ]
        )
        kernels_at = _places(
            [
                (
                    i,
                    [
                        axis.kernel_start(g[i], c[i], k[i]) + layout.plane[i] // 2
                        for g, c, k in product(groups, channels, kernels)
                    ],
                    np.arange(shape.kernel[i])[::-1] * shape.dilation[i],
                )
                for i, axis in enumerate(axes)
            ]
        )
        outputs_at = _places(
            [
                (
                    i,
                    [
                        axis.output_start(g[i], b[i], k[i])
                        for g, b, k in product(groups, images, kernels)
                    ],
                    _kept(layout, i, axis),
                )
                for i, axis in enumerate(axes)
            ]
        )
        inside = [
            (kept >= 0) & (kept < axis.tile)
            for kept, axis in ((_kept(layout, i, axis), axis) for i, axis in enumerate(axes))
        ]
        both = inside[0][:, None] & inside[1][None, :]
        # Where no output needs light, one pixel is read for nothing.
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
    kept = ordered[: shape.batch, : shape.groups, : shape.out_group]
    return kept.reshape(shape.batch, shape.out_channels, *shape.out_size)


def _filled(tensor: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    missing = [0, 0]
    for size, have in zip(reversed(sizes), reversed(tensor.shape[:3]), strict=True):
        missing += [0, size - have]
    return functional.pad(tensor, missing) if any(missing) else tensor


def _sides(layout: Layout) -> tuple[Pair, Pair, Pair, Pair]:
    split = layout.split
    return split.groups, split.channels, split.images, split.kernels


def _cells(count: int, side: Pair) -> list[Pair]:
    return [divmod(index, side[1]) for index in range(count)]


def _kept(layout: Layout, axis_index: int, axis: Axis) -> Index:
    """Return which rows of a whole convolution are outputs; some may lie outside of it."""
    shape = layout.shape
    count, step = shape.out_size[axis_index], shape.stride[axis_index]
    first = axis.extent - 1 - shape.padding[axis_index][0]
    return np.arange(count, dtype=np.int64) * step + first


def _places(parts: list[tuple[int, list[int], Index]]) -> tuple[Index, Index]:
    rows, columns = (
        np.asarray(starts, dtype=np.int64)[:, None] + offsets[None, :]
        for _, starts, offsets in parts
    )
    return rows, columns


def _flat(places: tuple[Index, Index], columns: int) -> Tensor:
    rows, across = places
    flat = rows[:, :, None] * columns + across[:, None, :]
    return torch.from_numpy(np.ascontiguousarray(flat.reshape(len(rows), -1)))
