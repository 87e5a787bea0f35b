"""A drive with its measured scale, efficiency and signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from optics.encoding.window import carrier_wave
from optics.grid import centred_ifft2, coordinates
from optics.modulation import axis_sample, transmission
from optics.modulator import Modulator
from optics.straight import straight_through


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Encoding:
    """Drive of a modulator for a target transmission, and how well it shows it.

    With T the wanted transmission, t the one that the part shows (levels, crosstalk and fill factor
    in it, flicker not), ν the carrier and p the pixels counted from the axis,

        t(p) = scale · T(p) · exp(2πi ν·p) + what goes elsewhere.

    All is measured in the output, the inverse unitary transform
    (:func:`optics.grid.centred_ifft2`), within the window W around the order at ν: H of T, which is
    the kernel, and h of t · exp(-2πi ν·p).

    Attributes:
        method: method that found the drive.
        modulator: the part.
        target: T, (..., rows, columns), complex.
        drive: drive of the modulator, (..., rows, columns), without gradient.
        carrier: ν, cycles per pixel (down, right); (0, 0) is on the axis.
        window: W, booleans (rows, columns).
        scale: Σ_W H* h / Σ_W |H|², complex (...): the best in the sense of least squares; of a
            target without light, what it would be for any other of its ``peak``.
        efficiency: |scale|² Σ_W |H|² / (rows · columns), (...): power in the wanted kernel over
            all light that falls on the part.
        snr: |scale|² Σ_W |H|² / Σ_W |h - scale H|², (...): power of the wanted kernel over that of
            everything else within the window.
        history: Σ_W |h - s H|² over the light on the part after each step of an iteration at its
            scale s, (steps, ...); no steps otherwise.
    """

    method: str
    modulator: Modulator
    target: Tensor
    drive: Tensor
    carrier: tuple[float, float]
    window: Tensor
    scale: Tensor
    efficiency: Tensor
    snr: Tensor
    history: Tensor

    def transmission(self, *, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """Return what the part shows, (..., rows·samples, columns·samples), with flicker.

        Backward, as if it were scale · T · exp(2πi ν·p) exactly, with the scale held fixed: the
        gradient passes through levels, iterations and all that goes elsewhere.

        Raises:
            InputError: as :func:`optics.modulation.transmission`.
        """
        shown = transmission(self.drive, self.modulator, samples=samples, generator=generator)
        if not (self.target.requires_grad and torch.is_grad_enabled()):
            return shown
        wanted = self.target * self.scale[..., None, None] * self.wave
        fine = wanted.repeat_interleave(samples, -2).repeat_interleave(samples, -1)
        return straight_through(fine, shown)

    @property
    def wave(self) -> Tensor:
        """exp(2πi ν·p), complex (rows, columns); multiply by its conjugate to take ν off."""
        shape = self.target.shape[-2], self.target.shape[-1]
        return carrier_wave(self.carrier, shape, self.target.dtype, self.target.device)

    @property
    def kernel(self) -> Tensor:
        """H, what the kernel in the output should be, complex (..., rows, columns)."""
        return centred_ifft2(self.target)

    def output(self, *, samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """Return h / scale, complex (..., rows, columns): the kernel that light sees.

        With more ``samples`` per pixel it has the envelope of the pixels' shape over the output,
        which one sample leaves out.
        """
        shown = transmission(self.drive, self.modulator, samples=samples, generator=generator)
        made = seen(shown, self.carrier, samples)
        return made / self.scale[..., None, None]


def seen(shown: Tensor, carrier: tuple[float, float], samples: int = 1) -> Tensor:
    """Return h, (..., rows, columns): the output around the order at ``carrier``.

    Args:
        shown: transmission (..., rows·samples, columns·samples); each sample a plateau of light.
        carrier: carrier in cycles per pixel, (down, right).
        samples: per pixel and axis.
    """
    rows, columns = shown.shape[-2] // samples, shown.shape[-1] // samples
    if samples == 1:
        wave = carrier_wave(carrier, (rows, columns), shown.dtype, shown.device)
        return centred_ifft2(shown * wave.conj())
    made = centred_ifft2(shown) / samples
    for dim, count, nu in ((-2, rows, carrier[0]), (-1, columns, carrier[1])):
        total = count * samples
        places = coordinates(total, 1.0, device=shown.device)
        # Pixels have their centres off the grid of samples; samples have a sinc of their own.
        off = axis_sample(count, samples) - total // 2
        turn = torch.polar(torch.sinc(places / total), -2 * torch.pi * places / total * off).to(
            shown.dtype
        )
        made = made * (turn[:, None] if dim == -2 else turn)
        # The order at ν lies at -ν · count in an inverse transform.
        index = torch.arange(count, device=shown.device) + (total // 2 - count // 2)
        made = made.index_select(dim, (index - round(nu * count)) % total)
    return made


def measured(
    *,
    method: str,
    modulator: Modulator,
    target: Tensor,
    drive: Tensor,
    carrier: tuple[float, float],
    window: Tensor,
    nominal: Tensor,
    history: Tensor | None = None,
    samples: int = 1,
) -> Encoding:
    """Return the encoding with its figures, measured on the light that the part sends.

    Args:
        method: method that found the drive.
        modulator: the part; its flicker is left out.
        target: T.
        drive: drive of the modulator, (..., rows, columns).
        carrier: ν.
        window: W.
        nominal: scale of targets without light, (...).
        history: errors of an iteration, (steps, ...).
        samples: per pixel and axis of the light that is measured.
    """
    with torch.no_grad():
        steady = replace(modulator, flicker_rad=0.0)
        light = seen(transmission(drive, steady, samples=samples), carrier, samples)
        scale, signal, rest = figures(light, centred_ifft2(target), window, nominal)
    none = torch.zeros((0, *signal.shape), dtype=signal.dtype, device=signal.device)
    return Encoding(
        method=method,
        modulator=modulator,
        target=target,
        drive=drive,
        carrier=carrier,
        window=window,
        scale=scale,
        efficiency=signal / (target.shape[-2] * target.shape[-1]),
        snr=signal / rest,
        history=none if history is None else history,
    )


def figures(
    light: Tensor, kernel: Tensor, window: Tensor, nominal: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return scale, power of the signal, and power of the rest within the window, each (...)."""
    light, kernel = light * window, kernel * window
    wanted = kernel.abs().square().sum((-2, -1))
    lit = wanted > 0
    overlap = (kernel.conj() * light).sum((-2, -1))
    scale = torch.where(lit, overlap / wanted.where(lit, 1), nominal.to(overlap.dtype))
    rest = (light - scale[..., None, None] * kernel).abs().square().sum((-2, -1))
    return scale, scale.abs().square() * wanted, rest
