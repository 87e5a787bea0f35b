"""Operators as the plane of a 4f system sees them: convolutions, whatever they are by name."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from edgesim.graph import Op
from edgesim.graph.op import ConvGeometry, MatmulGeometry
from optics.errors import InputError
from optics.tiling import ConvShape, Pair

Reading = Literal["valid", "pointwise"]
"""How a linear layer becomes a convolution, see :func:`shape_of`."""


@lru_cache(maxsize=4096)
def shape_of(op: Op, batch: int, reading: Reading = "valid") -> ConvShape:
    """Return the convolution that an operator is on a batch.

    A convolution is itself. A linear layer of d features on R rows, Linear(d, d_out), is by
    ``reading``

    - ``valid``: each row is an image of one channel, as nearly square as d divides (24 x 32 for
      768; a prime d makes 1 x d), and each of the d_out kernels is as large as the image, so that
      the valid convolution is one number, the row's product with the kernel. This is how
      ConvShareViT (arXiv 2504.11517) puts a transformer on light; rows and samples are images that
      share the kernels.
    - ``pointwise``: features are channels, rows are pixels, and kernels have one pixel. It takes no
      guard band, but d fields must be summed, in light or after it.

    Products of several matrices at once, each with weights of its own, are groups.

    Raises:
        optics.errors.InputError: the operator has no such shape (a transposed or volumetric
            convolution, a recurrent layer).
    """
    geometry = op.geometry
    if isinstance(geometry, ConvGeometry):
        return _convolution(geometry, batch)
    if isinstance(geometry, MatmulGeometry):
        count, inner, columns = geometry.count, geometry.inner, geometry.columns
        if reading == "valid":
            side = near_square(inner)
            return ConvShape(
                batch=geometry.rows * batch,
                in_channels=count,
                out_channels=count * columns,
                groups=count,
                size=side,
                kernel=side,
            )
        return ConvShape(
            batch=batch,
            in_channels=count * inner,
            out_channels=count * columns,
            groups=count,
            size=near_square(geometry.rows),
            kernel=(1, 1),
        )
    raise InputError(
        f"a {op.kind} operator of this form (transposed, volumetric or recurrent) is no plain "
        "two-dimensional convolution"
    )


def near_square(number: int) -> Pair:
    """Return the two factors of a number that lie nearest to each other, the smaller first."""
    side = math.isqrt(number)
    while number % side:
        side -= 1
    return side, number // side


def _convolution(geometry: ConvGeometry, batch: int) -> ConvShape:
    (top, bottom), (left, right) = (
        (before, max(before, (out - 1) * step + spread * (kernel - 1) + 1 - size - before))
        for before, out, step, spread, kernel, size in zip(
            geometry.padding,
            geometry.out_size,
            geometry.stride,
            geometry.dilation,
            geometry.kernel,
            geometry.in_size,
            strict=True,
        )
    )
    return ConvShape(
        batch=geometry.images * batch,
        in_channels=geometry.in_channels,
        out_channels=geometry.out_channels,
        size=geometry.in_size,
        kernel=geometry.kernel,
        groups=geometry.groups,
        stride=geometry.stride,
        dilation=geometry.dilation,
        # An even kernel that keeps the size has one zero more behind the image.
        padding=((top, bottom), (left, right)),
    )
