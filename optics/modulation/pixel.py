"""Complex transmission of a modulator, with the shape of its pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.errors import InputError
from optics.grid import COMPLEX
from optics.modulation.crosstalk import leaked
from optics.modulation.levels import reached
from optics.modulator import Modulator
from optics.randomness import required_generator


def transmission(
    drive: Tensor,
    modulator: Modulator,
    *,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the complex amplitude that comes back from a modulator per unit of light.

    In this order: the levels that a pixel reaches (:func:`reached`); crosstalk, a blur of the
    phase or amplitude set there, across the jumps of a wrapped phase too; flicker, a random phase
    of each pixel of each frame; and the shape of the pixel. On the active square of side √F pitch
    light has the pixel's amplitude t, between the squares ``dead_zone_amplitude`` d at phase 0.

    A sample is the *mean* of that over its own area: F t + (1 - F) d at ``samples=1``, whose
    spectrum is the order 0 of the pixel grid (power F² at d = 0) on one period, and holds neither
    the sinc envelope nor other orders. More samples per axis show s periods: over each of them the
    orders are exact but for the envelope sinc of one sample, which tends to 1 as s grows, and edges
    of the square that lie within a sample are weighed by their area. The mean over any pixel is the
    same at every ``samples``, crosstalk of a phase apart (the mean of exp(iφ) over a blurred edge
    is not exp(i mean φ); this needs samples).

    ``efficiency`` is not in it: systems count that as power.

    Args:
        drive: (..., rows, columns), as the kind takes it: ``ideal`` complex of modulus up to 1,
            ``lcos-phase`` radians, ``lcos-amplitude`` 0 to 1, ``dmd`` 0 or 1; no more pixels than
            the modulator's. Each leading index is a frame of its own.
        modulator: the part.
        samples: per pixel and axis, at least 1.
        generator: for flicker; must be given where ``flicker_rad`` is above 0.

    Returns:
        (..., rows·samples, columns·samples), complex of the drive's precision. The centre of pixel
        (rows // 2, columns // 2) lies at :func:`axis_sample`. Differentiable; levels pass the
        gradient straight through.

    Raises:
        InputError: a drive that the part cannot be asked to show, ``samples`` below 1, or a
            flickering part without a generator on the drive's device.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise InputError(f"samples must be a whole number of at least 1; {samples!r} came")
    settings = leaked(reached(drive, modulator), modulator.crosstalk_px, samples)
    if modulator.kind == "lcos-phase":
        active = torch.polar(torch.ones_like(settings), settings)
    else:
        active = settings.to(COMPLEX.get(settings.dtype, settings.dtype))
    if modulator.flicker_rad > 0:
        active = active * _flicker(drive, modulator, samples, generator)
    if modulator.fill_factor == 1:
        return active
    edge = _coverage(math.sqrt(modulator.fill_factor), samples).to(drive.device, drive.real.dtype)
    rows, columns = edge.repeat(drive.shape[-2]), edge.repeat(drive.shape[-1])
    cover = rows[:, None] * columns
    return active * cover + modulator.dead_zone_amplitude * (1 - cover)


def axis_sample(count: int, samples: int) -> float:
    """Return where the centre of pixel ``count // 2`` lies, counted in samples from the first.

    (count // 2) s + (s - 1)/2: for s above 1 this is not sample (count s) // 2 of an
    integer-centred grid, but lies (s - 1)/2 samples behind it for even counts.
    """
    return (count // 2) * samples + (samples - 1) / 2


def _flicker(
    drive: Tensor, modulator: Modulator, samples: int, generator: torch.Generator | None
) -> Tensor:
    generator = required_generator(
        generator,
        drive.device,
        f"{modulator.name}: flicker_rad={modulator.flicker_rad:g} is drawn at random for each "
        "frame (flicker_rad=0 draws nothing)",
    )
    real = drive.real.dtype
    phase = torch.randn(drive.shape, dtype=real, device=drive.device, generator=generator)
    phase = phase * modulator.flicker_rad
    return leaked(torch.polar(torch.ones_like(phase), phase), 0.0, samples)


def _coverage(side: float, samples: int) -> Tensor:
    """Return the active share of each sample along one axis, (samples,), float64."""
    edges = torch.arange(samples + 1, dtype=torch.float64) / samples
    within = edges.clamp((1 - side) / 2, (1 + side) / 2)
    return (within[1:] - within[:-1]) * samples
