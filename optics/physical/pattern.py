"""Patterns of the filter for kernels, and the scale of the light behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from optics.encoding import Encoding, encode
from optics.errors import InputError
from optics.grid import squared_modulus
from optics.modulator import Modulator
from optics.physical.bench import Bench
from optics.physical.filter import (
    complex_type,
    displayed,
    is_direct,
    is_squares,
    response_target,
    sharpened,
    strengthened,
)
from optics.physical.geometry import Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Filters, each with the factor between its light and the kernels' spectrum.

    Attributes:
        drive: (..., rows, columns) of the filter's pixels.
        scale: light over spectrum, complex (...), without gradient.
        carrier: cycles per pixel (down, right) that send the result off the axis.
        encoding: encoding that found the drive; ``None`` where the modulator shows the spectrum
            itself.
        ordered: the drive is on the grid of light, in the transform's order.
        responses: the drive stands for what :func:`~optics.physical.filter.squares_light` takes.
    """

    drive: Tensor
    scale: Tensor
    carrier: tuple[float, float]
    encoding: Encoding | None
    ordered: bool = False
    responses: bool = False

    @classmethod
    def of(cls, kernels: Tensor, geometry: Geometry, bench: Bench) -> Pattern:
        """Return the filters of impulse responses (..., rows, columns) on the plane.

        Args:
            kernels: impulse responses on the plane; pixel ``n // 2`` is no shift.
            geometry: grids.
            bench: bench with the encoder's arguments, except target, modulator and window.
        """
        modulator, encoder, compensate = geometry.system.filter, bench.encoder, bench.compensate
        if is_squares(geometry) and not encoder:
            return cls._of_squares(kernels, geometry, compensate)
        direct = is_direct(geometry)
        target = response_target(kernels, geometry, compensate=compensate, ordered=direct)
        if modulator.kind == "ideal":
            if encoder:
                raise InputError(
                    f"{modulator.name}: an ideal modulator shows the spectrum itself and takes no "
                    f"encoder; got {', '.join(encoder)}"
                )
            peak = _peak(target.detach())
            scale = (modulator.fill_factor / peak).to(target.dtype)
            drive = target * (1 / peak)[..., None, None]
            return cls(drive, scale, (0.0, 0.0), None, direct)
        shape = target.shape[-2], target.shape[-1]
        window = (
            min(2 * geometry.plane[0] - 1, shape[0]),
            min(2 * geometry.plane[1] - 1, shape[1]),
        )
        whole = window == shape
        made = encode(target, modulator, window=None if whole else window, **encoder)
        return cls(made.drive, made.scale, made.carrier, made)

    @classmethod
    def _of_squares(cls, kernels: Tensor, geometry: Geometry, compensate: bool) -> Pattern:
        """Return filters by their impulse responses, of which light is made without drawing."""
        cells = geometry.cells
        if compensate:
            kernels = strengthened(sharpened(kernels, geometry), geometry)
        peak = _peak(torch.fft.fft2(kernels.detach(), s=(cells, cells)))
        down, right = (kernels.shape[axis] // 2 for axis in (-2, -1))
        dark = cells - kernels.shape[-2], cells - kernels.shape[-1]
        placed = kernels / peak[..., None, None]
        if any(dark):
            placed = functional.pad(placed, (0, dark[1], 0, dark[0]))
        responses = torch.roll(placed, (-down, -right), (-2, -1))
        scale = (1 / peak).to(complex_type(peak.dtype))
        return cls(responses, scale, (0.0, 0.0), None, responses=True)

    def shown(
        self, modulator: Modulator, samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """Return the transmission (..., rows · samples, columns · samples)."""
        if self.encoding is not None:
            return self.encoding.transmission(samples=samples, generator=generator)
        return displayed(self.drive, modulator, samples, generator)

    def repeated(self, index: list[int], images: int) -> Pattern:
        """Return patterns (pairs, passes, kernels, images) of these (pairs, parts, kernels).

        Each exposure gets its own, so that flicker may be drawn for each.

        Args:
            index: part of each pass.
            images: exposures of each pass and kernel.
        """

        def spread(tensor: Tensor, behind: int) -> Tensor:
            chosen = tensor[:, index].unsqueeze(3)
            sizes = [-1, -1, -1, images, *[-1] * behind]
            return chosen.expand(*sizes)

        drive, scale = spread(self.drive, 2), spread(self.scale, 0)
        encoding = self.encoding
        if encoding is not None:
            encoding = replace(
                encoding, drive=drive, scale=scale, target=spread(encoding.target, 2)
            )
        return Pattern(drive, scale, self.carrier, encoding, self.ordered)


def _peak(spectrum: Tensor) -> Tensor:
    """Return the largest modulus of each spectrum, 1 where there is nothing."""
    peak = squared_modulus(spectrum).amax((-2, -1)).sqrt()
    return torch.where(peak > 0, peak, torch.ones_like(peak))
