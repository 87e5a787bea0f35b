"""Where the three tensors of a convolution lie on one circular plane, so that nothing wraps.

With image x, kernel w (extent N) and output y, and Σ over all of them of y x w as the form whose
derivatives are forward and backward pass, every pass is one product of two spectra. Placing x at
its padding, w reversed from N - 1 down and y reversed from P - N down on a plane of side P makes
each of the three the plain product of the other two, without a conjugate and without a wrap:

    y[n] = (x * w)[n s + N - 1],  w[m] = (x * y)[m d + P - N],  x[h] = (y * w)[P - 1 - p - h].

P >= M + N - 1, the guard band of a 4f system.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from optics.tiling.shape import ConvShape, Pair


class Role(Enum):
    """One of the three tensors of a convolution; each is indexed by two of its three channels."""

    IMAGE = "image"
    KERNEL = "kernel"
    OUTPUT = "output"


FACTORS = {
    Role.IMAGE: (Role.OUTPUT, Role.KERNEL),
    Role.KERNEL: (Role.IMAGE, Role.OUTPUT),
    Role.OUTPUT: (Role.IMAGE, Role.KERNEL),
}
"""The two whose product makes each."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A convolution on a plane, and the bytes that it may work with."""

    shape: ConvShape
    max_bytes: int

    @property
    def plane(self) -> Pair:
        """Side of the plane: the whole convolution, and the next size that factors well."""
        (top, bottom), (left, right) = self.shape.padding
        rows = max(self.shape.full[0], self.shape.size[0] + top + bottom)
        columns = max(self.shape.full[1], self.shape.size[1] + left + right)
        return fast_size(rows), fast_size(columns)

    @property
    def frequencies(self) -> int:
        """Complex numbers in the spectrum of one real plane."""
        return self.plane[0] * (self.plane[1] // 2 + 1)

    def indices(self, role: Role) -> tuple[int, int]:
        """Return how many (leading, trailing) channels index the tensor, in one group."""
        shape = self.shape
        return {
            Role.IMAGE: (shape.batch, shape.in_group),
            Role.KERNEL: (shape.out_group, shape.in_group),
            Role.OUTPUT: (shape.batch, shape.out_group),
        }[role]

    def grouped(self, role: Role, tensor: Tensor) -> Tensor:
        """Return a view (leading, groups, trailing, rows, columns)."""
        leading, trailing = self.indices(role)
        sides = tensor.shape[-2:]
        if role is Role.KERNEL:
            return tensor.reshape(self.shape.groups, leading, trailing, *sides).transpose(0, 1)
        return tensor.reshape(leading, self.shape.groups, trailing, *sides)

    def tensor_shape(self, role: Role) -> tuple[int, int, int, int]:
        """Return the shape of the tensor as frameworks hold it."""
        shape = self.shape
        if role is Role.IMAGE:
            return shape.batch, shape.in_channels, *shape.size
        if role is Role.KERNEL:
            return shape.out_channels, shape.in_group, *shape.kernel
        return shape.batch, shape.out_channels, *shape.out_size

    def place(self, role: Role, maps: Tensor) -> Tensor:
        """Return maps (..., rows, columns) on the plane (..., P, Q)."""
        if role is Role.IMAGE:
            (top, _), (left, _) = self.shape.padding
            rows, columns = self.plane
            down, right = rows - self.shape.size[0] - top, columns - self.shape.size[1] - left
            return functional.pad(maps, (left, right, top, down))
        planes = maps.new_zeros(*maps.shape[:-2], *self.plane)
        self._strided(role, planes).copy_(maps.flip(-2, -1))
        return planes

    def take(self, role: Role, planes: Tensor) -> Tensor:
        """Return the maps of a product, which lies mirrored to where ``place`` puts them."""
        if role is Role.IMAGE:
            (top, _), (left, _) = self.shape.padding
            last_row, last_column = self.plane[0] - top, self.plane[1] - left
            rows, columns = self.shape.size
            part = planes[..., last_row - rows : last_row, last_column - columns : last_column]
            return part.flip(-2, -1)
        if role is Role.KERNEL:
            first = tuple(side - n for side, n in zip(self.plane, self.shape.extent, strict=True))
            count, step = self.shape.kernel, self.shape.dilation
        else:
            first = tuple(n - 1 for n in self.shape.extent)
            count, step = self.shape.out_size, self.shape.stride
        return planes[
            ...,
            first[0] : first[0] + (count[0] - 1) * step[0] + 1 : step[0],
            first[1] : first[1] + (count[1] - 1) * step[1] + 1 : step[1],
        ]

    def _strided(self, role: Role, planes: Tensor) -> Tensor:
        if role is Role.KERNEL:
            last = tuple(n - 1 for n in self.shape.extent)
            count, step = self.shape.kernel, self.shape.dilation
        else:
            last = tuple(side - n for side, n in zip(self.plane, self.shape.extent, strict=True))
            count, step = self.shape.out_size, self.shape.stride
        first = tuple(e - (c - 1) * s for e, c, s in zip(last, count, step, strict=True))
        return planes[..., first[0] : last[0] + 1 : step[0], first[1] : last[1] + 1 : step[1]]

    def spectrum(self, role: Role, maps: Tensor) -> Tensor:
        """Return spectra (leading, groups, trailing, frequencies) of maps of the same indices."""
        spectra: Tensor = torch.fft.rfft2(self.place(role, maps))
        return spectra.flatten(-2)

    def maps(self, role: Role, spectra: Tensor) -> Tensor:
        """Return the maps (..., rows, columns) of spectra (..., frequencies)."""
        rows, columns = self.plane
        grid = spectra.view(*spectra.shape[:-1], rows, columns // 2 + 1)
        return self.take(role, torch.fft.irfft2(grid, s=(rows, columns)))


@lru_cache(maxsize=4096)
def fast_size(least: int) -> int:
    """Return the smallest even number from ``least`` on with no prime factor above 5; 1 stays 1."""
    if least <= 1:
        return 1
    size = least + least % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2
