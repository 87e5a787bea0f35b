"""``OpticalConv2d``: a layer with the arguments and parameters of ``torch.nn.Conv2d``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import torch
from torch import Tensor, nn

from optics.errors import InputError
from optics.ideal import MAX_BYTES, KernelCache
from optics.layers.functional import Road, check_road, layout_on, optical_conv2d
from optics.system import FourF
from optics.tiling.layout import Layout
from optics.tiling.plan import KINDS, Kind
from optics.tiling.shape import ConvShape
from optics.timing import Energy, Timing, energy, time_layer


class OpticalConv2d(nn.Conv2d):
    """A convolution on a 4f system; where a model has ``torch.nn.Conv2d``, it may have this.

    Parameters, initialisation and state dict are those of ``torch.nn.Conv2d``, so that weights
    load either way.

    Args:
        in_channels: of the images.
        out_channels: of the result.
        kernel_size: one number, or (rows, columns).
        stride: between kept outputs.
        padding: one number, (rows, columns), ``"same"`` or ``"valid"``.
        dilation: distance between kernel elements.
        groups: that share no channels.
        bias: added electronically.
        padding_mode: ``"zeros"`` only.
        device: of the parameters.
        dtype: ``torch.float32`` or ``torch.float64``.
        system: the parts.
        road: ``"ideal"`` or ``"physical"``; without a default, and told by ``repr``.
        along: what may lie side by side on the plane.
        max_bytes: working memory of a pass beside its arguments and its result.

    Attributes:
        road: that the next call takes; may be set.
        last_shape: of the last call, ``None`` before.

    Raises:
        InputError: a padding other than by zeros, another data type, an unknown road, or a kernel
            larger than the system's plane.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        system: FourF,
        road: Road,
        along: Collection[Kind] = KINDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        check_road(road)
        if padding_mode != "zeros":
            raise InputError(
                "padding_mode is 'zeros': outside of an image it is dark; "
                f"{padding_mode!r} came: pad the images before the layer"
            )
        made_of = torch.get_default_dtype() if dtype is None else dtype
        if made_of not in (torch.float32, torch.float64):
            raise InputError(f"dtype is torch.float32 or torch.float64; {made_of} came")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            "zeros", device, dtype,
        )  # fmt: skip
        self.system = system
        self.road: Road = road
        self.along = tuple(along)
        self.max_bytes = max_bytes
        self.last_shape: ConvShape | None = None
        self._cache = KernelCache()
        layout_on(system, self.shape_for(1, self._least_size()), along=self.along)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in torch
        """Return the convolution of images (batch, in_channels, rows, columns).

        Raises:
            InputError: images of another shape, type or device, not finite, or too large for the
                system's plane.
        """
        result = optical_conv2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,  # type: ignore[arg-type]
            self.dilation,
            self.groups,
            system=self.system,
            road=self.road,
            along=self.along,
            max_bytes=self.max_bytes,
            cache=self._cache,
        )
        batch = input.shape[0] if input.dim() == 4 else 1
        self.last_shape = self.shape_for(batch, (input.shape[-2], input.shape[-1]))
        return result

    def shape_for(self, batch: int, size: tuple[int, int]) -> ConvShape:
        """Return the shape of the convolution of a batch of images of ``size`` (rows, columns)."""
        return ConvShape.of(
            (batch, self.in_channels, *size),
            self.weight.shape,
            stride=self.stride,
            padding=self.padding,  # type: ignore[arg-type]
            dilation=self.dilation,
            groups=self.groups,
        )

    def layout(self, batch: int, size: tuple[int, int]) -> Layout:
        """Return what lies where on the planes for a batch of images of ``size``."""
        return layout_on(self.system, self.shape_for(batch, size), along=self.along)

    def timing(self, batch: int, size: tuple[int, int], *, whole_frames: bool = True) -> Timing:
        """Return how long the system takes for a batch of images of ``size`` (rows, columns)."""
        return time_layer(self.system, self.layout(batch, size), whole_frames=whole_frames)

    def energy(self, batch: int, size: tuple[int, int], *, whole_frames: bool = True) -> Energy:
        """Return the joules that the system takes for a batch of images of ``size``."""
        return energy(self.system, self.timing(batch, size, whole_frames=whole_frames))

    def extra_repr(self) -> str:
        """Return the arguments of ``torch.nn.Conv2d``, the system and the road."""
        told: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{told}, system={self.system.name!r}, road={self.road!r}"

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a road that there is not."""
        if name == "road":
            check_road(value)
        super().__setattr__(name, value)

    def _least_size(self) -> tuple[int, int]:
        """Return the smallest image that the kernel takes."""
        rows, columns = (
            d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)
        )
        if isinstance(self.padding, str):
            return rows, columns
        return max(1, rows - 2 * self.padding[0]), max(1, columns - 2 * self.padding[1])
