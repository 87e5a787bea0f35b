"""Transmission of a modulator: levels, crosstalk, flicker, and the shape of pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from optics.checks import required_generator
from optics.errors import InputError
from optics.field import require_finite
from optics.grid import COMPLEX, REAL
from optics.modulator import Modulator
from optics.straight import straight_through

__all__ = ["axis_sample", "blurred", "leaked", "reached", "transmission"]

_TAKES = {
    "ideal": "complex transmission of modulus up to 1 (complex64 or complex128)",
    "lcos-phase": "phase in radians (float32 or float64)",
    "lcos-amplitude": "amplitude from 0 to 1 (float32 or float64)",
    "dmd": "0 or 1 (float32 or float64)",
}

# A drive made in this precision may leave its range by rounding alone.
_SLACK = {torch.float32: 1e-5, torch.float64: 1e-12}


def reached(drive: Tensor, modulator: Modulator) -> Tensor:
    """Return the settings that the modulator takes, nearest to ``drive``, of its shape and type.

    L = 2^bits levels. Backward, the gradient passes as if there were no levels and no limits.

    - ``ideal``: without bits any complex number of modulus up to 1; with bits the modulus
      k/(L - 1) and the phase 2πk/L nearest to those asked for.
    - ``lcos-phase``: the phase taken into 0 … 2π, then the nearest level *on the circle* of
      0, R/L, …, (L - 1)R/L, where R is ``phase_range_rad``; without bits the nearest of 0 … R.
      This is a modulator whose driver uses R. A driver that assumes 2π in place of R shows
      ``drive * R / (2π)``.
    - ``lcos-amplitude``: the nearest of 0, 1/(L - 1), …, 1.
    - ``dmd``: a mirror is on from 1/2 up.

    With a measured ``table`` it is the phase of the level whose phase is nearest on the circle, or
    the amplitude of the level whose amplitude is nearest; :func:`transmission` has both of it.

    Raises:
        InputError: a drive of another kind or type, of fewer than two axes, of more pixels than the
            modulator has, not finite, or out of range: a part cannot amplify, and nothing is
            clipped in silence.
    """
    check_drive(drive, modulator)
    if modulator.table is not None:
        return straight_through(
            drive, _of_table(drive, modulator)[modulator.kind == "lcos-amplitude"]
        )
    if modulator.kind == "ideal":
        return straight_through(drive, _complex_level(drive.detach(), modulator.levels))
    if modulator.kind == "lcos-phase":
        near = _phase_level(drive.detach(), modulator.levels, modulator.phase_range_rad)
        return straight_through(drive, near)
    near = drive.detach().clamp(0, 1)
    if modulator.kind == "dmd":
        near = (near >= 0.5).to(drive.dtype)
    elif modulator.levels is not None:
        near = torch.round(near * (modulator.levels - 1)) / (modulator.levels - 1)
    return straight_through(drive, near)


def check_drive(drive: Tensor, modulator: Modulator) -> None:
    """Refuse a drive that the modulator cannot show.

    Raises:
        InputError: the drive is of another kind, type, size or range.
    """
    takes = _TAKES[modulator.kind]
    if not isinstance(drive, Tensor):
        raise InputError(f"{modulator.name}: drive must be a tensor; got {type(drive).__name__}")
    if drive.dtype not in (COMPLEX.values() if modulator.kind == "ideal" else REAL.values()):
        raise InputError(f"{modulator.name}: a drive is {takes}; got {drive.dtype}")
    if drive.dim() < 2 or drive.numel() == 0:
        raise InputError(
            f"{modulator.name}: drive must be (..., rows, columns) with at least one pixel; "
            f"got {tuple(drive.shape)}"
        )
    rows, columns = drive.shape[-2:]
    if rows > modulator.pixels[0] or columns > modulator.pixels[1]:
        raise InputError(
            f"{modulator.name}: has {modulator.pixels[0]} x {modulator.pixels[1]} pixels; got a "
            f"drive of {rows} x {columns}"
        )
    require_finite(drive, f"{modulator.name}: drive")
    if modulator.kind == "lcos-phase":
        return
    values = drive.detach()
    low, high = torch.aminmax(values.abs() if values.is_complex() else values)
    slack = _SLACK[REAL.get(drive.dtype, drive.dtype)]
    if low < -slack or high > 1 + slack:
        raise InputError(
            f"{modulator.name}: a drive is {takes}; got {float(low):g} to {float(high):g}: scale "
            "it, or encode it first"
        )


def _phase_level(phase: Tensor, levels: int | None, range_rad: float) -> Tensor:
    turn = 2 * math.pi
    wrapped = torch.remainder(phase, turn)
    if levels is None:
        level = wrapped.clamp(max=range_rad)
    else:
        step = range_rad / levels
        level = torch.round(wrapped / step).clamp(max=levels - 1) * step
    # Near a full turn, level 0 may be the nearest of all.
    return torch.where(turn - wrapped < (wrapped - level).abs(), torch.zeros_like(level), level)


def _of_table(drive: Tensor, modulator: Modulator) -> tuple[Tensor, Tensor]:
    """Return phase and amplitude of the level that is nearest to the drive, each of its shape."""
    table = modulator.table
    assert table is not None
    phases, amplitudes = (
        torch.tensor(values, dtype=drive.dtype, device=drive.device)
        for values in (table.phase_rad, table.amplitude)
    )
    turn = 2 * math.pi
    on_circle = modulator.kind == "lcos-phase"
    wanted = torch.remainder(drive.detach(), turn) if on_circle else drive.detach()
    places, order = (torch.remainder(phases, turn) if on_circle else amplitudes).sort(stable=True)
    above = torch.searchsorted(places, wanted.contiguous())
    near = [(above - 1) % len(places), above % len(places)]
    off = [(wanted - places[index]).abs() for index in near]
    if on_circle:
        off = [torch.minimum(one, turn - one) for one in off]
    level = order[torch.where(off[0] <= off[1], near[0], near[1])]
    return phases[level], amplitudes[level]


def _complex_level(values: Tensor, levels: int | None) -> Tensor:
    if levels is None:
        return values
    modulus = torch.round(values.abs().clamp(max=1) * (levels - 1)) / (levels - 1)
    step = 2 * math.pi / levels
    return torch.polar(modulus, torch.round(values.angle() / step) * step)


def transmission(
    drive: Tensor,
    modulator: Modulator,
    *,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the complex amplitude that comes back from a modulator per unit of light.

    In this order: the levels that a pixel reaches (:func:`reached`), of a measured table with the
    amplitude that comes with a phase, or the phase that comes with an amplitude; crosstalk, a blur
    (Gaussian or measured) of the phase or amplitude set there, across the jumps of a wrapped phase
    too; flicker, a random phase of each pixel of each frame; and the shape of the pixel. On the
    active square of side √F pitch light has the pixel's amplitude t, between the squares
    ``dead_zone_amplitude`` d at phase 0.

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
        generator: generator of flicker; required where ``flicker_rad`` is above 0.

    Returns:
        (..., rows·samples, columns·samples), complex of the drive's precision. The centre of pixel
        (rows // 2, columns // 2) lies at :func:`axis_sample`. Differentiable; levels pass the
        gradient straight through.

    Raises:
        InputError: a drive that the part cannot be asked to show, ``samples`` below 1, or a
            flickering part without a generator on the drive's device.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise InputError(f"samples must be a whole number of at least 1; got {samples!r}")
    settings = blurred(reached(drive, modulator), modulator, samples)
    if modulator.table is not None:
        active = _with_table(settings, drive, modulator, samples)
    elif modulator.kind == "lcos-phase":
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


def _with_table(settings: Tensor, drive: Tensor, modulator: Modulator, samples: int) -> Tensor:
    """Return the light of settings with what a measured table has beside them, blurred as they."""
    phase_only = modulator.kind == "lcos-phase"
    beside = blurred(_of_table(drive, modulator)[phase_only], modulator, samples)
    amplitude, phase = (beside, settings) if phase_only else (settings, beside)
    return amplitude * torch.polar(torch.ones_like(phase), phase)


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


_REACH = 6
"""Standard deviations beyond which a pixel's leak is below 1e-9 and left out."""


def blurred(drive: Tensor, modulator: Modulator, samples: int) -> Tensor:
    """Return the drive behind the part's crosstalk, (..., rows·samples, columns·samples).

    That of its measured kernel or, without one, the Gaussian of :func:`leaked`. Beyond the array's
    edge its last pixel goes on.
    """
    kernel = modulator.crosstalk_kernel
    if kernel is None:
        return leaked(drive, modulator.crosstalk_px, samples)
    if drive.is_complex():
        parts = (blurred(part, modulator, samples) for part in (drive.real, drive.imag))
        return torch.complex(*parts)
    shares = torch.from_numpy(kernel.shares(samples)).to(drive.device, drive.dtype)
    down, right = (side // 2 for side in shares.shape[-2:])
    planes = drive.reshape(-1, 1, *drive.shape[-2:])
    padded = functional.pad(planes, (right, right, down, down), mode="replicate")
    fine = functional.conv2d(padded, shares.flatten(0, 1)[:, None])
    made = functional.pixel_shuffle(fine, samples)
    return made.reshape(*drive.shape[:-2], *made.shape[-2:])


def leaked(drive: Tensor, sigma_px: float, samples: int) -> Tensor:
    """Return the drive behind a Gaussian blur, (..., rows·samples, columns·samples).

    The drive is constant over each pixel, the blur continuous, and each sample is the mean of what
    comes out over its own area, so that the mean over a pixel does not depend on ``samples``.
    Beyond the array's edge its last pixel goes on. Without blur every sample is its pixel.

    Args:
        drive: (..., rows, columns), real or complex.
        sigma_px: standard deviation of the blur in pixels, at least 0.
        samples: per pixel and axis.
    """
    if sigma_px == 0:
        if samples == 1:
            return drive
        return drive.repeat_interleave(samples, -2).repeat_interleave(samples, -1)
    weights = leak_weights(sigma_px, samples).to(drive.device, drive.dtype)
    along_columns = _blurred(drive, weights)
    return _blurred(along_columns.transpose(-1, -2), weights).transpose(-1, -2)


def leak_weights(sigma_px: float, samples: int) -> Tensor:
    """Return the share of each pixel in each sample of the middle one, (samples, pixels), float64.

    w = s ∫ Φ((x - k + 1/2)/σ) - Φ((x - k - 1/2)/σ) dx over a sample of width 1/s, in closed form
    by ∫ Φ(u) du = u Φ(u) + φ(u). Rows sum to 1.
    """
    reach = math.ceil(_REACH * sigma_px)
    pixel = torch.arange(-reach, reach + 1, dtype=torch.float64)
    edges = torch.arange(samples + 1, dtype=torch.float64) / samples - 0.5
    offset = edges[:, None] - pixel
    into = _integral((offset + 0.5) / sigma_px) - _integral((offset - 0.5) / sigma_px)
    weights = into[1:] - into[:-1]
    total: Tensor = weights.sum(-1, keepdim=True)
    return weights / total


def _integral(u: Tensor) -> Tensor:
    below: Tensor = torch.special.ndtr(u)
    return u * below + torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi)


def _blurred(drive: Tensor, weights: Tensor) -> Tensor:
    count, reach = drive.shape[-1], weights.shape[-1] // 2
    index = torch.arange(-reach, count + reach, device=drive.device).clamp(0, count - 1)
    neighbours = drive.index_select(-1, index).unfold(-1, weights.shape[-1], 1)
    return (neighbours @ weights.T).flatten(-2)
