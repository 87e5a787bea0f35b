"""Convolution on a 4f system as a function, by the road that is named."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from optics.detection import FourShot, Scheme
from optics.errors import InputError
from optics.ideal import MAX_BYTES, KernelCache, ideal_conv2d
from optics.physical import Sampling, physical_convolution
from optics.system import FourF
from optics.tiling.layout import Layout
from optics.tiling.plan import KINDS, Kind, plan
from optics.tiling.plane import usable_plane
from optics.tiling.shape import ConvShape, Padding

Road = Literal["ideal", "physical"]
"""``ideal``: an exact Fourier product. ``physical``: every part of the system with its limits."""


class SaturationWarning(UserWarning):
    """A camera's readings are at its limit and tell less light than there was."""


FOUR_SHOT = FourShot()
"""The scheme for images and kernels of any sign."""

POINTS = Sampling.points()
"""The fastest fidelity of the physical road."""


def optical_conv2d(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    system: FourF,
    road: Road,
    along: Collection[Kind] = KINDS,
    max_bytes: int = MAX_BYTES,
    cache: KernelCache | None = None,
    scheme: Scheme = FOUR_SHOT,
    sampling: Sampling = POINTS,
    encoder: Mapping[str, Any] | None = None,
    input_peak: float | None = None,
    noise: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return what ``torch.nn.functional.conv2d`` returns, as a 4f system computes it.

    Both roads refuse a layer that does not fit the system's plane. The ideal road takes nothing
    else from the system, and leaves scheme, sampling, encoder, peak, noise and generator alone.

    Args:
        images: (batch, in_channels, rows, columns), or one image without the batch.
        weight: (out_channels, in_channels / groups, rows, columns).
        bias: (out_channels), added electronically.
        stride: between kept outputs; light computes the others too.
        padding: zeros around an image, as in ``torch.nn.Conv2d``.
        dilation: distance between kernel elements.
        groups: that share no channels.
        system: the parts.
        road: which one to take; there is no default, so that it is never in doubt.
        along: what may lie side by side on the plane.
        max_bytes: working memory that one pass may hold beside its arguments and its result.
        cache: spectra of kernels from earlier calls on the ideal road.
        scheme: how the physical road tells signs from intensities.
        sampling: its fidelity.
        encoder: arguments of :func:`optics.encoding.encode`, for its filter.
        input_peak: value of images that drives the input fully; a batch with larger ones is scaled
            by its own largest, as without a peak.
        noise: whether its camera draws noise.
        generator: for all that it draws; must be given where something is drawn.

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
    if images.dim() == 3:
        return optical_conv2d(
            images[None], weight, bias, stride, padding, dilation, groups,
            system=system, road=road, along=along, max_bytes=max_bytes, cache=cache,
            scheme=scheme, sampling=sampling, encoder=encoder, input_peak=input_peak,
            noise=noise, generator=generator,
        )[0]  # fmt: skip
    shape = ConvShape.of(
        images.shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    layout = layout_on(system, shape, passes=len(scheme.passes), along=along)
    if road == "physical" and shape.batch > 0:
        done = physical_convolution(
            images, weight, bias, stride, padding, dilation, groups,
            system=system, layout=layout, scheme=scheme, sampling=sampling, encoder=encoder,
            input_peak=fitting_peak(images, input_peak), noise=noise, generator=generator,
            max_bytes=max_bytes,
        )  # fmt: skip
        warn_of(done.saturated, system)
        return done.output
    return ideal_conv2d(
        images, weight, bias, stride, padding, dilation, groups, max_bytes=max_bytes, cache=cache
    )


def warn_of(saturated: int, system: FourF) -> None:
    """Warn of readings at the camera's limit, at the place that called the caller."""
    if saturated:
        warnings.warn(
            f"{saturated} readings of {system.camera.name} are at its limit and tell less light "
            "than there was; calibrate the layer on brighter data, or with more headroom, or "
            "expose for a shorter time",
            SaturationWarning,
            stacklevel=3,
        )


def fitting_peak(images: Tensor, input_peak: float | None) -> float | None:
    """Return ``input_peak``, or the largest value of the images where that is larger."""
    if input_peak is None or images.numel() == 0:
        return input_peak
    return max(input_peak, float(images.detach().abs().amax()))


def layout_on(
    system: FourF, shape: ConvShape, *, passes: int = 1, along: Collection[Kind] = KINDS
) -> Layout:
    """Return the layout of a layer on a system's plane; an empty batch is planned as one image.

    Raises:
        InputError: an image with its guard band is larger than the plane.
    """
    if shape.batch == 0:
        shape = replace(shape, batch=1)
    return plan(shape, usable_plane(system), passes=passes, along=along)


def check_road(road: str) -> None:
    """Refuse a road that there is not.

    Raises:
        InputError: it is neither ``"ideal"`` nor ``"physical"``.
    """
    if road not in get_args(Road):
        raise InputError(f"road is 'ideal' or 'physical'; {road!r} came")
