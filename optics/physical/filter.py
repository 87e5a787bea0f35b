"""The filter: from kernels to a transmission on the grid of the Fourier plane."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from optics.crosstalk import CrosstalkKernel
from optics.grid import COMPLEX, REAL, coordinates, frequencies
from optics.modulation import leak_weights, transmission
from optics.modulator import Modulator
from optics.physical.align import aligned
from optics.physical.geometry import Geometry
from optics.physical.pupil import pupil_mask
from optics.propagation.transfer import CACHE_BYTES, cached
from optics.system import Alignment
from optics.tiling.shape import Pair

_SHARPEST = 4.0
"""Largest factor of each axis by which patterns undo a blur: more costs light for little."""


def response_target(
    kernels: Tensor, geometry: Geometry, *, compensate: bool = True, ordered: bool = False
) -> Tensor:
    """Return the transmission that each filter pixel should have, up to one factor for all.

    The spectrum of the impulse response at the centres of the filter's pixels, over one period of
    the input's spectrum; a field stop keeps the rest dark. With ``compensate`` it is made stronger
    where square pixels weaken it: towards the spectrum's edge by those of the input, and in the
    impulse response far from the axis by those of the filter, sinc each (only where the sampling
    has squares), and by the crosstalk of the input (:func:`sharpened`).

    Args:
        kernels: impulse responses (..., rows, columns) on the plane, pixel ``n // 2`` no shift.
        geometry: grids.
        compensate: whether to undo what the shape of pixels and crosstalk do.
        ordered: return the whole period in the transform's own order.

    Returns:
        Complex (..., rows, columns), of the filter's pixels within that period.
    """
    cells, system = geometry.cells, geometry.system
    if compensate:
        kernels = strengthened(sharpened(kernels, geometry), geometry)
    spectrum = spectrum_of(kernels, cells)
    if compensate and geometry.sampling.input > 1:
        envelope = torch.fft.ifftshift(
            _sinc(cells, math.sqrt(system.input.fill_factor) / cells, kernels)
        )
        spectrum = spectrum / (envelope[:, None] * envelope)
    if ordered:
        return spectrum
    spectrum = torch.fft.fftshift(spectrum, dim=(-2, -1))
    rows, columns = (min(cells, pixels) for pixels in system.filter.pixels)
    return _fitted(_fitted(spectrum, rows, -2), columns, -1)


def sharpened(kernels: Tensor, geometry: Geometry) -> Tensor:
    """Return impulse responses that undo the blur of images by crosstalk of the input.

    Crosstalk of an input that shows amplitudes is a convolution of the image: on the pixels' grid
    its spectrum is w₀ + 2 Σ w_k cos(2πkν), with the shares w of
    :func:`optics.modulation.leak_weights`, and Σ w exp(2πi k·ν) of a measured kernel. Of each axis
    at most a factor of :data:`_SHARPEST` is undone.

    Args:
        kernels: impulse responses (..., rows, columns), pixel ``n // 2`` no shift.
        geometry: grids.

    Returns:
        (..., cells, cells), pixel ``cells // 2`` no shift; without crosstalk the kernels as they
        are.
    """
    modulator, cells = geometry.system.input, geometry.cells
    if not modulator.has_crosstalk or modulator.kind == "lcos-phase":
        return kernels
    spectrum = spectrum_of(kernels, cells)
    if modulator.crosstalk_kernel is not None:
        passed = _passed(modulator.crosstalk_kernel, cells, spectrum)
        least = 1 / _SHARPEST**2
        # Of a small one the modulus is raised, and the phase stays.
        raised = (least / passed.abs().clamp(min=1e-12)).clamp(min=1)
        responses = torch.fft.ifft2(spectrum / (passed * raised))
        undone: Tensor = torch.fft.fftshift(responses, dim=(-2, -1)).real
        return undone
    weights = leak_weights(modulator.crosstalk_px, 1)[0].to(spectrum.device)
    reach = len(weights) // 2
    turn = 2 * math.pi * frequencies(cells, 1.0, device=spectrum.device)
    waves = torch.cos(turn[:, None] * torch.arange(-reach, reach + 1, device=spectrum.device))
    each = (waves @ weights).clamp(min=1 / _SHARPEST)
    each = each.to(REAL.get(spectrum.dtype, spectrum.dtype))
    responses = torch.fft.ifft2(spectrum / (each[:, None] * each))
    made: Tensor = torch.fft.fftshift(responses, dim=(-2, -1)).real
    return made


def _passed(kernel: CrosstalkKernel, cells: int, like: Tensor) -> Tensor:
    """Return the spectrum of an image behind measured crosstalk over that before it."""
    shares = torch.from_numpy(kernel.shares(1)[0, 0]).to(like.device)
    turn = 2 * math.pi * frequencies(cells, 1.0, device=like.device)
    waves = []
    for count in shares.shape:
        phase = turn[:, None] * torch.arange(-(count // 2), count // 2 + 1, device=like.device)
        waves.append(torch.polar(torch.ones_like(phase), phase))
    passed: Tensor = waves[0] @ shares.to(waves[0].dtype) @ waves[1].T
    return passed.to(like.dtype)


def strengthened(kernels: Tensor, geometry: Geometry) -> Tensor:
    """Return impulse responses stronger where square filter pixels will weaken them."""
    if geometry.sampling.filter == 1:
        return kernels
    return kernels * strength((kernels.shape[-2], kernels.shape[-1]), geometry, kernels)


def strength(plane: Pair, geometry: Geometry, like: Tensor) -> Tensor:
    """Return the factors that undo the fading by square filter pixels on a plane's pixels."""
    share = math.sqrt(geometry.system.filter.fill_factor) / geometry.cells
    rows, columns = (1 / _sinc(count, share, like) for count in plane)
    return rows[:, None] * columns


def squares_light(responses: Tensor, geometry: Geometry) -> Tensor:
    """Return what plain square filter pixels do to light, from what they are to respond.

    The pixels' spectrum is sampled at their centres, so that the response repeats with the period
    of ``cells``; their shape multiplies it by sinc(m / cells) on each axis. That is all, and takes
    one transform: the same light as of :func:`filter_light` of the pixels drawn.

    Args:
        responses: (..., cells, cells), no shift first.
        geometry: grids, of which :func:`is_squares` is true.
    """
    samples = geometry.sampling.filter
    spread = responses.repeat(*[1] * (responses.dim() - 2), samples, samples)
    fades = _fades(geometry, complex_type(responses.dtype), responses.device)
    light: Tensor = torch.fft.fft2(spread * fades)
    mask = static_mask(geometry, light.dtype, light.device, True)
    return light if mask is None else light * mask


@cached(CACHE_BYTES)
def _fades(geometry: Geometry, dtype: torch.dtype, device: torch.device) -> Tensor:
    side = geometry.side
    places = frequencies(side, 1 / side, device=device)
    fade = torch.sinc(places / geometry.cells)
    # The filter's samples may lie half a sample off the axis.
    turn = -2 * math.pi * geometry.filter_offset / side * places
    phase = turn[:, None] + turn
    made = torch.polar(torch.ones_like(phase), phase) * (fade[:, None] * fade)
    return made.to(dtype)


def filter_light(
    shown: Tensor, geometry: Geometry, *, pupils: bool = True, ordered: bool = False
) -> Tensor:
    """Return what the filter does to light, (..., side, side), in the transform's own order.

    Args:
        shown: transmission of the filter's pixels, (..., rows · samples, columns · samples); of
            fewer pixels than the modulator has where the rest is behind a field stop.
        geometry: grids.
        pupils: fold those of the lenses in, where the sampling says so.
        ordered: ``shown`` is on the grid and in the transform's order already.
    """
    sampling, side = geometry.sampling, geometry.side
    if ordered:
        light = shown
    elif not is_still(geometry):
        light = aligned(shown, geometry)
    else:
        light = _ordered(shown, geometry)
    if sampling.filter > 1:
        # Pixels are squares, not points: their impulse response fades as a sinc of one sample.
        envelope = _sinc_ordered(side, light)
        response = torch.fft.ifft2(light) * (envelope[:, None] * envelope)
        light = torch.fft.fft2(response)
    light = light if light.is_complex() else light.to(complex_type(light.dtype))
    mask = static_mask(geometry, light.dtype, light.device, pupils)
    made: Tensor = light if mask is None else light * mask
    return made


def static_mask(
    geometry: Geometry, dtype: torch.dtype, device: torch.device, pupils: bool
) -> Tensor | None:
    """Return the constant mask in the filter's plane, whatever the filter shows, or ``None``.

    The spectrum's envelope by square input pixels, and pupils that are folded into this plane.
    """
    lenses = geometry.system.lens_1, geometry.system.lens_2
    folded = pupils and geometry.sampling.pupils == "filter"
    if geometry.sampling.input == 1 and not (
        folded and any(math.isfinite(lens.pupil_m) for lens in lenses)
    ):
        return None
    return _static_mask(geometry, dtype, device, folded)


@cached(CACHE_BYTES)
def _static_mask(
    geometry: Geometry, dtype: torch.dtype, device: torch.device, folded: bool
) -> Tensor:
    places = frequency_index(geometry, device)
    mask = torch.ones(geometry.side, geometry.side, dtype=torch.complex128, device=device)
    if geometry.sampling.input > 1:
        envelope = torch.sinc(places / geometry.side)
        mask = mask * (envelope[:, None] * envelope)
    if folded:
        for lens in (geometry.system.lens_1, geometry.system.lens_2):
            made = pupil_mask(
                lens, places * geometry.filter_step_m, places * geometry.filter_step_m
            )
            mask = mask if made is None else mask * made
    return mask.to(dtype)


def frequency_index(geometry: Geometry, device: torch.device) -> Tensor:
    """Return places in the filter's plane in samples from the axis, (side,), float64."""
    side = geometry.side
    return frequencies(side, 1 / side, device=device) + geometry.filter_offset


def displayed(
    drive: Tensor, modulator: Modulator, samples: int, generator: torch.Generator | None
) -> Tensor:
    """Return the transmission of a modulator; without its checks where it has no limits."""
    if not is_plain(modulator):
        if modulator.kind == "ideal":
            drive = drive.to(complex_type(drive.dtype))
        return transmission(drive, modulator, samples=samples, generator=generator)
    if samples == 1:
        return drive
    return drive.repeat_interleave(samples, -2).repeat_interleave(samples, -1)


def spectrum_of(kernels: Tensor, cells: int) -> Tensor:
    """Return Σ h exp(-2πi k·m / cells), k from the axis, (..., cells, cells), transform's order."""
    spectrum: Tensor = torch.fft.fft2(kernels, s=(cells, cells))
    middle = kernels.shape[-2] // 2, kernels.shape[-1] // 2
    return spectrum * _centring(cells, middle, spectrum.dtype, spectrum.device)


@cached(CACHE_BYTES)
def _centring(
    cells: int, middle: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return the phase of a spectrum whose origin was at ``middle``, (cells, cells)."""
    index = frequencies(cells, 1 / cells, device=device)
    down, right = (2 * math.pi / cells * torch.remainder(index * place, cells) for place in middle)
    phase = down[:, None] + right
    return torch.polar(torch.ones_like(phase), phase).to(dtype)


def _fitted(data: Tensor, count: int, axis: int) -> Tensor:
    """Return data cut or filled with zeros to ``count``, centre on centre."""
    have = data.shape[axis]
    if have > count:
        return data.narrow(axis, have // 2 - count // 2, count)
    if have < count:
        before = count // 2 - have // 2
        pads = [0, 0, 0, 0]
        pads[0 if axis == -1 else 2] = before
        pads[1 if axis == -1 else 3] = count - have - before
        return torch.nn.functional.pad(data, pads)
    return data


def is_still(geometry: Geometry) -> bool:
    """Return whether the filter is at its place, except for defocus."""
    return replace(geometry.system.alignment, defocus_m=0.0) == Alignment()


def is_direct(geometry: Geometry) -> bool:
    """Return whether light meets the spectrum itself, sample by sample: no pixels to draw."""
    system = geometry.system
    return (
        is_plain(system.filter)
        and geometry.sampling.filter == 1
        and geometry.side == geometry.cells
        and min(system.filter.pixels) >= geometry.cells
        and is_still(geometry)
    )


def is_squares(geometry: Geometry) -> bool:
    """Return whether the filter is of plain squares where input pixels are points."""
    return (
        is_plain(geometry.system.filter)
        and geometry.sampling.filter > 1
        and geometry.sampling.input == 1
        and min(geometry.system.filter.pixels) >= geometry.cells
        and is_still(geometry)
    )


def is_plain(modulator: Modulator) -> bool:
    """Return whether a modulator shows exactly what it is asked for."""
    return (
        modulator.kind == "ideal"
        and modulator.bits is None
        and modulator.fill_factor == 1
        and not modulator.has_crosstalk
        and modulator.flicker_rad == 0
    )


def _ordered(shown: Tensor, geometry: Geometry) -> Tensor:
    """Return the filter's samples on the grid, the one on the axis first.

    Of an even number of pixels one side is half a pixel longer; input pixels as points repeat
    their spectrum, so that what passes the grid's end meets the same light at its other end.
    """
    samples, side = geometry.sampling.filter, geometry.side
    down, right = (
        (shown.shape[axis] // samples // 2) * samples + samples // 2 for axis in (-2, -1)
    )
    dark = side - shown.shape[-2], side - shown.shape[-1]
    if any(dark):
        shown = torch.nn.functional.pad(shown, (0, dark[1], 0, dark[0]))
    return torch.roll(shown, (-down, -right), (-2, -1))


def _sinc(count: int, share: float, like: Tensor) -> Tensor:
    """Return sinc(share × place), place counted from count // 2, of the real type of ``like``."""
    places = coordinates(count, share, device=like.device)
    return torch.sinc(places).to(REAL.get(like.dtype, like.dtype))


def _sinc_ordered(side: int, like: Tensor) -> Tensor:
    places = frequencies(side, 1.0, device=like.device)
    return torch.sinc(places).to(REAL.get(like.dtype, like.dtype))


def complex_type(dtype: torch.dtype) -> torch.dtype:
    """Return the complex type of a real or complex one."""
    return COMPLEX.get(dtype, dtype)
