"""Convolution of many small images by superposition of the response to one pixel.

An ideal 4f system is linear in the field and the same everywhere: the Fourier product of an image
of one bright pixel is its point spread h, and any image a superposition of shifted ones. What pixel
i adds to output o, R[i, o] = h[o - i], is a matrix, and y = x R exactly. For small maps this is
less work than to transform planes: a kernel that covers its image needs one pixel of each output
plane, and the transform would compute all of it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from optics.ideal.problem import Problem
from optics.tiling.shape import ConvShape

_PER_POINT = 100
"""Multiplications that take no longer than all that is done for one point of a transformed plane.

Between 165 and 820 on one core of a server processor, from large planes to small ones; with a
margin for others.
"""

_SAVED = 2
"""Numbers of the responses that are put in place in the time of one point of a plane."""


def sides(shape: ConvShape) -> tuple[int, int]:
    """Return how many (numbers in, numbers out) an image has in one group."""
    (rows, columns), (down, right) = shape.size, shape.out_size
    return shape.in_group * rows * columns, shape.out_group * down * right


def pays(problem: Problem, element_bytes: int) -> bool:
    """Return whether a product with known responses is less work than transforms, and fits."""
    shape = problem.shape
    come, go = sides(shape)
    if shape.groups * come * go > _PER_POINT * _points(problem):
        return False
    return _numbers(shape) * element_bytes <= problem.max_bytes // 2


def enough(problem: Problem, images: int) -> bool:
    """Return whether transforms of so many images take as long as putting responses in place."""
    come, go = sides(problem.shape)
    return problem.shape.groups * come * go <= images * _points(problem) * _SAVED


def point_problem(problem: Problem) -> Problem:
    """Return the problem whose images are single pixels and whose outputs are point spreads."""
    shape = problem.shape
    around = ((shape.extent[0] - 1,) * 2, (shape.extent[1] - 1,) * 2)
    points = replace(shape, batch=shape.in_group, size=(1, 1), stride=(1, 1), padding=around)
    return Problem(points, problem.max_bytes // 2)


def bright_points(weight: Tensor, shape: ConvShape) -> Tensor:
    """Return (in_group, in_channels, 1, 1): one channel of every group is bright in each."""
    units = torch.eye(shape.in_group, dtype=weight.dtype, device=weight.device)
    return units.repeat(1, shape.groups)[..., None, None]


def responses(spreads: Tensor, shape: ConvShape) -> Tensor:
    """Return (groups, numbers in, numbers out) of point spreads.

    Args:
        spreads: (in_group, out_channels, rows, columns) of the kernel with its dilation.
        shape: shape of the convolution.
    """
    padded = functional.pad(spreads, (0, 1, 0, 1))  # dark, where no light comes
    rows, columns = (_shifts(shape, axis).to(spreads.device) for axis in (0, 1))
    placed = padded.index_select(2, rows.flatten()).index_select(3, columns.flatten())
    apart = placed.view(shape.in_group, shape.groups, shape.out_group, *rows.shape, *columns.shape)
    come, go = sides(shape)
    return apart.permute(1, 0, 3, 5, 2, 4, 6).reshape(shape.groups, come, go)


def _shifts(shape: ConvShape, axis: int) -> Tensor:
    """Return which pixel of a point spread falls from each input on each output; the last is dark.

    The output o of an input i is pixel s o - p - i + N - 1 of the spread.
    """
    extent = shape.extent[axis]
    before, step = shape.padding[axis][0], shape.stride[axis]
    inputs, outputs = torch.arange(shape.size[axis]), torch.arange(shape.out_size[axis])
    at = outputs * step - before - inputs[:, None] + extent - 1
    return at.where((at >= 0) & (at < extent), torch.tensor(extent))


def superpose(images: Tensor, of_pixels: Tensor, shape: ConvShape) -> Tensor:
    """Return (batch, out_channels, rows, columns) of images and responses by group."""
    numbers = images.reshape(shape.batch, shape.groups, -1)
    if shape.groups == 1:
        outputs = numbers[:, 0] @ of_pixels[0]
    else:
        outputs = torch.bmm(numbers.transpose(0, 1), of_pixels).transpose(0, 1).contiguous()
    return outputs.reshape(shape.batch, shape.out_channels, *shape.out_size)


def _points(problem: Problem) -> int:
    """Return points of all planes that are transformed for one image."""
    planes = problem.shape.in_channels + problem.shape.out_channels
    return planes * problem.plane[0] * problem.plane[1]


def _numbers(shape: ConvShape) -> int:
    """Return how many numbers are held: responses, half placed and whole, and copies by group."""
    come, go = sides(shape)
    found = 3 * come * go + shape.batch * come
    return shape.groups * (found if shape.groups == 1 else found + shape.batch * go)
