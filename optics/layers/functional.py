"""Convolution on a 4f system as a function, on the ideal or the physical road."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import functional
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.flop_counter import FlopCounterMode

from optics.errors import InputError
from optics.ideal import KernelCache, ideal_conv2d
from optics.physical import Bench, physical_convolution
from optics.system import FourF
from optics.tiling.shape import ConvShape, Padding

Road = Literal["ideal", "physical"]
"""``ideal``: an exact Fourier product. ``physical``: every part of the system with its limits."""


class SaturationWarning(UserWarning):
    """A camera's readings are at its limit and show less light than there was."""


def optical_conv2d(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    bench: Bench,
    road: Road,
    generator: torch.Generator | None = None,
    cache: KernelCache | None = None,
) -> Tensor:
    """Return what ``torch.nn.functional.conv2d`` returns, as a 4f system computes it.

    Both roads refuse a layer that does not fit the system's plane. The ideal road takes nothing
    else from the bench but ``max_bytes``, and draws nothing. Under ``torch.autocast`` light is
    computed in the precision of the weight. Where only shapes or operators are asked for
    (``torch.export``, the meta device, fake tensors, torch's counter of operations) it is
    ``torch.nn.functional.conv2d``; ``torch.jit.trace``, ``torch.vmap`` and ``torch.func`` are
    refused.

    Args:
        images: (batch, in_channels, rows, columns), or one image without the batch; float32 or
            float64. One with larger values than the bench's ``input_peak`` is scaled by its own
            largest.
        weight: (out_channels, in_channels / groups, rows, columns).
        bias: (out_channels), added electronically.
        stride: distance between outputs; light computes those between too.
        padding: zeros around an image, as in ``torch.nn.Conv2d``.
        dilation: distance between kernel elements.
        groups: number of groups; groups share no channels.
        bench: the 4f system and its settings.
        road: ``"ideal"`` or ``"physical"``; it has no default, so that every call states it.
        generator: generator of all random numbers of the physical road; required where something is
            random.
        cache: cache of the kernels' spectra, on the ideal road.

    Returns:
        (batch, out_channels, rows, columns), or one image's without the batch.

    Warns:
        SaturationWarning: readings of the camera were at its limit.

    Raises:
        InputError: shapes, types, devices or values that make no convolution, a layer larger than
            the system's plane, signs that the scheme would lose, or an unknown road.
        SamplingError: grids of the physical road that cannot hold the system.
    """
    check_road(road)
    refuse_transforms(images, weight)
    if is_traced(images, weight):
        return functional.conv2d(images, weight, bias, stride, padding, dilation, groups)
    if not images.is_meta and torch.is_autocast_enabled(images.device.type):
        with torch.autocast(images.device.type, enabled=False):
            return optical_conv2d(
                images.to(weight.dtype), weight, bias, stride, padding, dilation, groups,
                bench=bench, road=road, generator=generator, cache=cache,
            )  # fmt: skip
    if images.dim() == 3:
        return optical_conv2d(
            images[None], weight, bias, stride, padding, dilation, groups,
            bench=bench, road=road, generator=generator, cache=cache,
        )[0]  # fmt: skip
    shape = ConvShape.of(
        images.shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    layout = bench.layout(shape)
    if road == "physical" and shape.batch > 0:
        done = physical_convolution(
            images, weight, bias, stride, padding, dilation, groups,
            bench=bench.fitted(images), layout=layout, generator=generator,
        )  # fmt: skip
        warn_of(done.saturated, bench.system)
        return done.output
    return ideal_conv2d(
        images, weight, bias, stride, padding, dilation, groups,
        max_bytes=bench.max_bytes, cache=cache,
    )  # fmt: skip


def is_traced(images: Tensor, weight: Tensor) -> bool:
    """Return whether a call asks for shapes or operators alone, not for numbers.

    So ``torch.export``, a model on the meta device, fake tensors, and torch's counter of
    floating-point operations call a layer. It then is the electronic convolution it stands for.
    """
    if (images.is_meta and weight.is_meta) or isinstance(images, FakeTensor):
        return True
    if torch.compiler.is_exporting():
        return True
    counter = FlopCounterMode.__module__
    return any(type(mode).__module__ == counter for mode in _get_current_dispatch_mode_stack())


def refuse_transforms(*tensors: Tensor) -> None:
    """Refuse calls by ``torch.jit.trace``, ``torch.vmap`` and ``torch.func``.

    Raises:
        InputError: it is one.
    """
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if traced or any(map(is_functorch_wrapped_tensor, tensors)):
        raise InputError(
            "a layer on light runs under no torch.jit.trace, torch.vmap or torch.func; transform "
            "optics.layers.revert(model), which has the same weights"
        )


def warn_of(saturated: int, system: FourF) -> None:
    """Warn of readings at the camera's limit, at the place that called the caller."""
    if saturated:
        warnings.warn(
            f"{saturated} readings of {system.camera.name} are at its limit and show less light "
            "than there was; calibrate the layer on brighter data, or with more headroom, or "
            "expose for a shorter time",
            SaturationWarning,
            stacklevel=3,
        )


def check_road(road: str) -> None:
    """Refuse an unknown road.

    Raises:
        InputError: it is neither ``"ideal"`` nor ``"physical"``.
    """
    if road not in get_args(Road):
        raise InputError(f"road is 'ideal' or 'physical'; got {road!r}")
