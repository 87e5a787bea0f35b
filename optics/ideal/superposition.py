"""Many small images at once: what light makes of each pixel tells what it makes of all.

Light's field is linear in the input. The Fourier product of images with a single bright pixel gives
the system's responses, R[i, o]: what pixel i adds to output o. Any image is a superposition of
pixels, so that its outputs are y[o] = Σ x[i] R[i, o], exactly. Where more images come than they
have pixels, this is one matrix product in place of a transform of every plane: a kernel that covers
its image wants one pixel of each output plane, and the transform would compute all of it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from optics.ideal.problem import Problem
from optics.tiling.shape import ConvShape

_PER_POINT = 100
"""Multiplications that take no longer than all that is done for one point of a transformed plane.

Between 165 and 820 on one core of a server processor, from large planes to small ones; with a
margin for others.
"""


def sides(shape: ConvShape) -> tuple[int, int]:
    """Return how many (numbers in, numbers out) an image has in one group."""
    (rows, columns), (down, right) = shape.size, shape.out_size
    return shape.in_group * rows * columns, shape.out_group * down * right


def pays(problem: Problem, element_bytes: int) -> bool:
    """Return whether a product with known responses is less work than transforms, and fits.

    Finding the responses takes as long as the transforms of ``sides(shape)[0]`` images.
    """
    shape = problem.shape
    come, go = sides(shape)
    planes = shape.in_channels + shape.out_channels
    points = planes * problem.plane[0] * problem.plane[1]
    if shape.groups * come * go > _PER_POINT * points:
        return False
    return _numbers(shape) * element_bytes <= problem.max_bytes // 2


def responses(weight: Tensor, problem: Problem) -> tuple[Tensor, Tensor, Problem]:
    """Return unit images, the weight, and the problem whose product are the responses to them.

    The images are (numbers in, in_channels, rows, columns); each has one bright pixel in every
    group, which share no channels.
    """
    shape = problem.shape
    come, _ = sides(shape)
    units = torch.eye(come, dtype=weight.dtype, device=weight.device)
    units = units.view(come, 1, shape.in_group, *shape.size)
    units = units.expand(-1, shape.groups, -1, -1, -1).reshape(come, -1, *shape.size)
    left = problem.max_bytes - _numbers(shape) * weight.element_size()
    return units, weight, Problem(replace(shape, batch=come), left)


def by_group(outputs: Tensor, shape: ConvShape) -> Tensor:
    """Return responses (groups, numbers in, numbers out) of the outputs of unit images."""
    come, go = sides(shape)
    return outputs.reshape(come, shape.groups, go).transpose(0, 1)


def superpose(images: Tensor, of_pixels: Tensor, shape: ConvShape) -> Tensor:
    """Return (batch, out_channels, rows, columns) of images and responses by group."""
    numbers = images.reshape(shape.batch, shape.groups, -1)
    if shape.groups == 1:
        outputs = numbers[:, 0] @ of_pixels[0]
    else:
        outputs = torch.bmm(numbers.transpose(0, 1), of_pixels).transpose(0, 1).contiguous()
    return outputs.reshape(shape.batch, shape.out_channels, *shape.out_size)


def _numbers(shape: ConvShape) -> int:
    """Return how many numbers are held: responses twice, unit images, and copies by group."""
    come, go = sides(shape)
    found = come * (come + 2 * go) + shape.batch * come
    return shape.groups * (found if shape.groups == 1 else found + shape.batch * go)
