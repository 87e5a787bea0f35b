"""Positive and negative kernels as one complex filter: half of the transforms, same light.

Where the light of images has no imaginary part, and neither has the response of a filter, the field
of both is real. A filter whose response is h₊ + i h₋ then makes x * h₊ + i x * h₋ of an image x in
one transform: its real and its imaginary part are the fields of two exposures. Nothing shows such a
filter; it stands for the two that are shown one after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from optics.detection import part
from optics.physical.bench import Bench
from optics.physical.filter import (
    complex_type,
    is_direct,
    is_squares,
    strength,
)
from optics.physical.geometry import Geometry
from optics.physical.pattern import Pattern


def are_paired(bench: Bench, geometry: Geometry) -> bool:
    """Return whether a bench's positive and negative kernels may share a transform."""
    system, passes = geometry.system, bench.scheme.passes
    lenses = system.lens_1, system.lens_2
    return (
        {shown.kernels for shown in passes} == {"positive", "negative"}
        and not any(shown.reference for shown in passes)
        and (is_direct(geometry) or is_squares(geometry))
        and not bench.encoder
        and geometry.sampling.input == 1
        and geometry.sampling.pupils == "filter"
        and not any(any(lens.zernike_waves) for lens in lenses)
        and system.alignment.defocus_m == 0
        and system.input.flicker_rad == 0
        and system.input.table is None
        and not system.input.has_crosstalk
    )


def pair_of(kernels: Tensor, index: Tensor, geometry: Geometry, bench: Bench) -> Pattern:
    """Return filters of kernels (pairs, rounds, slots, elements) of both signs.

    Args:
        kernels: signed kernels.
        index: places of their elements on the plane, (slots, elements), as of ``Tables``.
        geometry: grids.
        bench: the bench.

    Returns:
        The pattern: a drive (pairs, 1, rounds, cells, cells), and scales (pairs, 2, rounds).
    """
    rows, columns = geometry.plane
    cells, squares = geometry.cells, is_squares(geometry)
    index = index.to(kernels.device)
    down, right = index // columns, index % columns
    both = torch.stack([part(kernels, "positive"), part(kernels, "negative")], 1)
    if squares and bench.compensate:
        both = both * strength(geometry.plane, geometry, kernels)[down, right]
    # Of what is nowhere negative, the spectrum is largest at its centre.
    peak = both.detach().sum((-2, -1))
    peak = torch.where(peak > 0, peak, torch.ones_like(peak))
    shares = both / peak[..., None, None]
    packed = torch.complex(shares[:, :1], shares[:, 1:]).flatten(-2)
    # No shift comes first, as the transform has it.
    first = torch.remainder(down - rows // 2, cells) * cells
    first = first + torch.remainder(right - columns // 2, cells)
    planes = packed.new_zeros(*packed.shape[:-1], cells * cells)
    placed = planes.index_copy(-1, first.flatten(), packed)
    placed = placed.view(*packed.shape[:-1], cells, cells)
    drive = placed if squares else torch.fft.fft2(placed)
    scale = (1 / peak).to(complex_type(peak.dtype))
    return Pattern(drive, scale, (0.0, 0.0), None, ordered=not squares, responses=squares)


def field_of(seen: Tensor, phase: Tensor | None, kernels: str) -> Tensor:
    """Return the real field behind the positive or the negative kernels.

    Args:
        seen: light behind both, complex.
        phase: phase that takes the grid's half sample off the light, where it has one.
        kernels: ``positive`` or ``negative``.
    """
    light = seen if phase is None else seen * phase
    return light.real if kernels == "positive" else light.imag
