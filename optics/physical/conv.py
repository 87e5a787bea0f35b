"""Convolution on the physical road: every part of the system with its limits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from optics.checks import required_generator
from optics.detection import FieldItself, check_images
from optics.encoding.direct import error_diffusion
from optics.errors import InputError
from optics.ideal import check_tensors
from optics.ideal.stream import every
from optics.physical.bench import Bench, Sampling
from optics.physical.exposures import Exposures, seed_from
from optics.physical.filter import complex_type
from optics.physical.geometry import Geometry
from optics.physical.light import Optics
from optics.physical.pattern import Pattern
from optics.physical.portions import Portions
from optics.physical.tables import Tables, gathered, image_tiles, kernel_tiles
from optics.straight import straight_through
from optics.tiling.layout import Layout
from optics.tiling.shape import ConvShape, Padding

Lit = list[list[list[Tensor]]] | None

_NEARLY_BINARY = 0.05
"""Distance from 0 and from 1, of full drive, up to which a pixel counts as binary."""


class GrayWarning(UserWarning):
    """Mirrors show gray images in two levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """A convolution by light, with its numbers of exposures and filters.

    Attributes:
        output: (batch, out_channels, rows, columns), in the units of images times weights.
        exposures: exposures of the camera that were computed, as many as the layout has.
        filters: patterns that the filter modulator showed.
        saturated: readings of the camera at its limit, which show less light than there was.
        sampling: the fidelity that was computed.
    """

    output: Tensor
    exposures: int
    filters: int
    saturated: int
    sampling: Sampling


def physical_convolution(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    bench: Bench,
    layout: Layout | None = None,
    generator: torch.Generator | None = None,
) -> Exposed:
    """Return the convolution that a 4f system estimates, exposure by exposure.

    Every frame of the layout, in every pass of the sign scheme: images on the input modulator,
    lens 1, the filter with the kernels' spectrum at its place, lens 2, and the camera, whose
    pixels gather intensity and read electrons. The scheme makes signed numbers of them; channels
    that light did not sum are summed then. What each part does is described with its dataclass; how
    finely it is computed, by the bench's ``sampling``. In the limit of ideal parts it is
    :func:`optics.ideal.ideal_conv2d`.

    What is left out: light from input pixels outside of the layout's plane, and from filter pixels
    outside of one period of the spectrum, is taken to be stopped. An output is read from the camera
    pixel on whose centre it lies, or linearly from those around it. A DMD at the input shows images
    in the two levels of each of the bench's binary planes. ``InField`` has its extra channel as the
    uniform light that it sends.

    Differentiable with respect to images, weight and bias, once, noise included: levels pass the
    gradient straight through (see :mod:`optics.modulation`), counts as described in
    :func:`optics.detection.detect`. All is computed again in the backward pass, so that it holds
    no planes meanwhile.

    Args:
        images: (batch, in_channels, rows, columns), float32 or float64.
        weight: (out_channels, in_channels / groups, rows, columns), of the same type and device.
        bias: (out_channels), added electronically.
        stride: distance between outputs; the camera sees those between too.
        padding: zeros around an image, as in ``torch.nn.Conv2d``.
        dilation: distance between kernel elements.
        groups: number of groups; groups share no channels.
        bench: the 4f system and its settings.
        layout: layout of this convolution, with the scheme's passes; ``None`` is
            :meth:`Bench.layout`.
        generator: generator of all random numbers; required where something is random.

    Raises:
        InputError: tensors or figures that make no convolution, a layout of another one, signs
            that the scheme or the input would lose, values above the bench's ``input_peak``, or
            ``max_bytes`` below one frame.
        SamplingError: grids that cannot hold the system; the message names what does.
    """
    shape = ConvShape.of(
        images.shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    check_tensors(images, weight, bias)
    system, scheme = bench.system, bench.scheme
    layout = bench.layout(shape) if layout is None else layout
    _check_layout(layout, shape, bench)
    check_images(images, scheme, system.input)
    if system.input.kind == "lcos-phase":
        raise InputError(
            f"{system.input.name}: a modulator of phases shows no images; take one of amplitudes "
            "(lcos-amplitude, dmd or ideal) at the input"
        )
    random = (bench.noise and not isinstance(scheme, FieldItself)) or (
        system.input.flicker_rad > 0 or system.filter.flicker_rad > 0
    )
    if random:
        generator = required_generator(
            generator, images.device, f"{system.name}: noise and flicker are drawn at random"
        )
    geometry = Geometry.of(system, layout.plane, bench.sampling)
    exposures = Exposures(
        bench=bench,
        input_peak=_peak(images, bench.input_peak),
        geometry=geometry,
        optics=Optics.of(geometry, complex_type(images.dtype), images.device),
        tables=Tables.of(layout),
    )
    parts = [
        _streamed(exposures, layout, shown, weight, generator if random else None)
        for shown in _shown_planes(images, exposures)
    ]
    output, saturated = parts[0][0], sum(full for _, full in parts)
    if bench.planes > 1:
        output = torch.stack(
            [_worth(bench, number) * one for number, (one, _) in enumerate(parts)]
        ).sum(0)
    if bias is not None:
        output = output + bias[:, None, None]
    rounds = layout.rounds
    return Exposed(
        output=output,
        exposures=rounds[0] * rounds[1] * rounds[2] * rounds[3] * bench.passes,
        filters=rounds[0] * rounds[1] * rounds[3] * len(exposures.kernel_parts),
        saturated=saturated,
        sampling=bench.sampling,
    )


def _streamed(
    exposures: Exposures,
    layout: Layout,
    images: Tensor,
    weight: Tensor,
    generator: torch.Generator | None,
) -> tuple[Tensor, int]:
    group_rounds, channel_rounds, image_rounds, kernel_rounds = layout.rounds
    tiles, kernels = image_tiles(layout, images), kernel_tiles(layout, weight)
    pairs = tiles.flatten(0, 1), kernels.flatten(0, 1)
    group_of = torch.arange(group_rounds, device=images.device).repeat_interleave(channel_rounds)
    trains = torch.is_grad_enabled() and (images.requires_grad or weight.requires_grad)
    portions = Portions.of(
        exposures, len(group_of), kernel_rounds, image_rounds, images.element_size(), trains
    )
    flickers = exposures.geometry.system.filter.flicker_rad > 0
    chunks = every(image_rounds, portions.images)

    flickering = flickers or exposures.geometry.system.input.flicker_rad > 0
    # Input light that is neither computed again nor random is computed once for all kernels, which
    # then pass in portions that fit a processor's cache.
    shared = not flickering and not portions.again and len(chunks) == 1
    step = min(portions.kernels, exposures.block_width(images)) if shared else portions.kernels

    def of_images(
        shown: Tensor, filters: Tensor | None, pattern: Pattern, state: int | None, lit: Lit
    ) -> tuple[Tensor, Tensor]:
        own = None if state is None else torch.Generator(images.device).manual_seed(state)
        return exposures.expose(shown, pattern, filters, own, lit)

    def of_kernels(
        shown: Tensor, kernels: Tensor, states: list[int | None], lit: Lit
    ) -> tuple[Tensor, Tensor]:
        """Return the share of some pairs and kernels for all images, and saturated readings."""
        pattern = exposures.patterns(kernels)
        filters = None if flickers else exposures.filters(pattern, None)
        again = portions.again and len(chunks) > 1
        made = [
            _again(again, of_images, shown[:, which], filters, pattern, state, lit)
            for which, state in zip(chunks, states, strict=True)
        ]
        shares, full = zip(*made, strict=True)
        return torch.cat(shares, 2) if len(shares) > 1 else shares[0], torch.stack(full).sum()

    columns: list[Tensor] = []
    saturated = 0
    for chosen in every(len(group_of), portions.pairs):
        lit = exposures.lit(pairs[0][chosen]) if shared else None
        for number, at in enumerate(every(kernel_rounds, step)):
            # Drawn once, here: what is computed again has to be the same again.
            states = [seed_from(generator) for _ in chunks]
            share, full = _again(
                portions.again, of_kernels, pairs[0][chosen], pairs[1][chosen, at], states, lit
            )
            saturated += int(full)
            if number == len(columns):
                columns.append(share.new_zeros(group_rounds, *share.shape[1:]))
            columns[number] = columns[number].index_add(0, group_of[chosen], share)
    outputs = torch.cat(columns, 1) if len(columns) > 1 else columns[0]
    return gathered(layout, outputs), saturated


def _again(again: bool, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; with ``again``, store nothing and call it again in the backward pass."""
    if not again:
        return function(*arguments)
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)


def _peak(images: Tensor, input_peak: float | None) -> float:
    largest = float(images.detach().abs().amax()) if images.numel() else 0.0
    if input_peak is None:
        return largest if largest > 0 else 1.0
    if largest > input_peak * (1 + 1e-6):
        raise InputError(
            f"images reach {largest:g} but the input modulator is fully driven at "
            f"input_peak={input_peak:g}; calibrate on brighter data, or scale the images"
        )
    return input_peak


def _check_layout(layout: Layout, shape: ConvShape, bench: Bench) -> None:
    if layout.shape != shape:
        raise InputError(f"the layout is of another convolution: {layout.shape}; got {shape}")
    if layout.passes != bench.passes:
        raise InputError(
            f"the layout has {layout.passes} passes, but {bench.scheme.name} takes "
            f"{bench.passes}; plan it with passes={bench.passes}"
        )


def _worth(bench: Bench, number: int) -> float:
    """Return the share of full drive for which a binary plane stands, the first about a half."""
    return float(1 << (bench.planes - 1 - number)) / ((1 << bench.planes) - 1)


def _shown_planes(images: Tensor, exposures: Exposures) -> list[Tensor]:
    """Return what the input shows of images: itself, or binary planes of 0 and the input's peak.

    Planes have the sign of the image, which takes the nearest of 2^planes levels, or which one
    plane shows by error diffusion. Backward, they together pass the gradient on as if there were no
    levels.
    """
    bench, peak = exposures.bench, exposures.input_peak
    if bench.dither:
        level = (images.detach().abs() / peak).clamp(max=1)
        return [straight_through(images, error_diffusion(level, (0.0, 0.0)) * images.sign() * peak)]
    if bench.planes == 1:
        if bench.system.input.kind == "dmd":
            _warn_of_gray(images, peak, bench)
        return [images]
    most = (1 << bench.planes) - 1
    level = (images.detach().abs() * (most / peak)).round().to(torch.int64).clamp(max=most)
    full = images.detach().sign() * peak
    return [
        straight_through(images, ((level >> bit) & 1).to(images.dtype) * full)
        for bit in reversed(range(bench.planes))
    ]


def _warn_of_gray(images: Tensor, peak: float, bench: Bench) -> None:
    level = images.detach().abs() / peak
    off = torch.minimum(level, (1 - level).abs())
    gray = int((off > _NEARLY_BINARY).sum())
    if gray:
        warnings.warn(
            f"{bench.system.input.name} shows 0 and 1, and {gray} of {images.numel()} pixels of "
            "the images are gray: they are shown as the nearer of both. Show them in binary "
            "planes, as dataclasses.replace(bench, planes=8), at that many times the exposures, or "
            "by error diffusion, as dataclasses.replace(bench, dither=True)",
            GrayWarning,
            stacklevel=4,
        )
