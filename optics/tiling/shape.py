"""The shape of a convolution, as the plane of a 4f system sees it; imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from optics.errors import InputError

Pair = tuple[int, int]
"""(rows, columns)."""

Padding = int | Sequence[int] | Literal["same", "valid"]
"""Zeros around an image: the same on all sides, (rows, columns), or a rule by name."""


def near_square(number: int) -> Pair:
    """Return the two factors of a number that lie nearest to each other, the smaller first."""
    side = math.isqrt(number)
    while number % side:
        side -= 1
    return side, number // side


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvShape:
    """A convolution layer: cross-correlation as frameworks define it, all sizes in pixels.

    Attributes:
        batch: images.
        in_channels: input channels of all groups together.
        out_channels: output channels of all groups together.
        size: image size (rows, columns), without padding.
        kernel: (rows, columns), without dilation.
        groups: number of groups; groups share no channels.
        stride: distance between outputs; light computes those between too.
        dilation: distance between kernel elements.
        padding: zeros ((top, bottom), (left, right)).

    Raises:
        InputError: a size below 1, channels that do not divide into groups, a negative padding, or
            a kernel larger than the padded image.
    """

    batch: int
    in_channels: int
    out_channels: int
    size: Pair
    kernel: Pair
    groups: int = 1
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))

    def __post_init__(self) -> None:
        self._check_sizes()
        for name, channels in (("in", self.in_channels), ("out", self.out_channels)):
            if channels % self.groups:
                raise InputError(
                    f"{name}_channels must divide by groups; got {channels} channels with "
                    f"{self.groups} groups"
                )
        if any(a > b for a, b in zip(self.extent, self.padded, strict=True)):
            raise InputError(
                f"a kernel may not be larger than the padded image; got {by(self.extent)} with "
                f"its dilation for images of {by(self.padded)}; pad the image or take a smaller "
                "kernel"
            )

    def _check_sizes(self) -> None:
        counts = {"in_channels": self.in_channels, "out_channels": self.out_channels}
        pairs = {
            "size": self.size,
            "kernel": self.kernel,
            "stride": self.stride,
            "dilation": self.dilation,
        }
        small = {name: count for name, count in counts.items() if count < 1}
        small |= {"groups": self.groups} if self.groups < 1 else {}
        small |= {"batch": self.batch} if self.batch < 0 else {}
        wrong: dict[str, object] = {**small}
        wrong |= {name: pair for name, pair in pairs.items() if min(pair) < 1}
        if wrong:
            found = ", ".join(f"{name}={value}" for name, value in wrong.items())
            raise InputError(f"a convolution has sizes of at least 1, got {found}")
        if min(*self.padding[0], *self.padding[1]) < 0:
            raise InputError(f"padding is at least 0, got {self.padding}; crop the image instead")

    @classmethod
    def of(
        cls,
        images: Sequence[int],
        weight: Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> ConvShape:
        """Return the shape from those of tensors and the arguments of ``torch.nn.Conv2d``.

        Args:
            images: (batch, in_channels, rows, columns).
            weight: (out_channels, in_channels / groups, rows, columns).
            stride: stride, one number or (rows, columns).
            padding: zeros around an image: one number, (rows, columns), ``"same"`` or ``"valid"``.
            dilation: dilation, one number or (rows, columns).
            groups: number of groups; groups share no channels.
        """
        if len(images) != 4 or len(weight) != 4:
            raise InputError(
                "expected images (batch, channels, rows, columns) and a weight (out, in / groups, "
                f"rows, columns), got shapes {tuple(images)} and {tuple(weight)}"
            )
        steps, spread = pair(stride, "stride"), pair(dilation, "dilation")
        if groups >= 1 and images[1] != weight[1] * groups:
            raise InputError(
                f"a weight of shape {tuple(weight)} in {groups} groups takes images of "
                f"{weight[1] * groups} channels, got {images[1]}"
            )
        return cls(
            batch=images[0],
            in_channels=images[1],
            out_channels=weight[0],
            size=(images[2], images[3]),
            kernel=(weight[2], weight[3]),
            groups=groups,
            stride=steps,
            dilation=spread,
            padding=resolve_padding(padding, (weight[2], weight[3]), steps, spread),
        )

    @property
    def extent(self) -> Pair:
        """Kernel side with its dilation, N = d (k - 1) + 1."""
        (rows, columns), (down, right) = self.kernel, self.dilation
        return down * (rows - 1) + 1, right * (columns - 1) + 1

    @property
    def padded(self) -> Pair:
        """Image side with its zeros."""
        (top, bottom), (left, right) = self.padding
        return self.size[0] + top + bottom, self.size[1] + left + right

    @property
    def full(self) -> Pair:
        """Side of the whole linear convolution, M + N - 1: what an image takes of the plane."""
        return self.size[0] + self.extent[0] - 1, self.size[1] + self.extent[1] - 1

    @property
    def out_size(self) -> Pair:
        """Side of an output map (rows, columns)."""
        rows, columns = (
            (padded - extent) // step + 1
            for padded, extent, step in zip(self.padded, self.extent, self.stride, strict=True)
        )
        return rows, columns

    @property
    def in_group(self) -> int:
        """Input channels of a group."""
        return self.in_channels // self.groups

    @property
    def out_group(self) -> int:
        """Output channels of a group."""
        return self.out_channels // self.groups

    @property
    def pairs(self) -> int:
        """Two-dimensional convolutions of one image: Σ C_in C_out over groups."""
        return self.out_channels * self.in_group

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the batch on an electronic processor, with zeros of padding."""
        outputs = self.out_size[0] * self.out_size[1]
        return self.batch * self.pairs * outputs * self.kernel[0] * self.kernel[1]


def pair(value: int | Sequence[int], name: str) -> Pair:
    """Return (rows, columns) from one whole number or two.

    Raises:
        InputError: neither.
    """
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or not all(isinstance(number, int) for number in both):
        raise InputError(f"{name} is one whole number or two (rows, columns), got {value!r}")
    return both[0], both[1]


def resolve_padding(
    padding: Padding, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[Pair, Pair]:
    """Return zeros ((top, bottom), (left, right)); an odd total puts the extra zero last.

    Raises:
        InputError: an unknown name, or ``"same"`` with a stride, which frameworks do not define.
    """
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding != "same":
            raise InputError(f"padding by name is 'same' or 'valid', got {padding!r}")
        if stride != (1, 1):
            raise InputError(f"padding 'same' takes stride 1, got {stride}; give numbers instead")
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        rows, columns = ((total // 2, total - total // 2) for total in totals)
        return rows, columns
    rows_each, columns_each = pair(padding, "padding")
    return (rows_each, rows_each), (columns_each, columns_each)


def by(size: Pair) -> str:
    """Return ``3x4`` of (3, 4)."""
    return f"{size[0]}x{size[1]}"
