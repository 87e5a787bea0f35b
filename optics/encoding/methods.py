"""Encoders by name: the drive of a modulator for a target transmission."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from optics.checks import fraction
from optics.encoding.direct import double_phase, error_diffusion, lee, off_axis
from optics.encoding.encoding import Encoding, measured
from optics.encoding.iterate import as_drive, flipped, gerchberg_saxton, optimised
from optics.encoding.window import (
    Window,
    carrier_wave,
    off_axis_mask,
    whole_carrier,
    window_mask,
)
from optics.errors import InputError
from optics.field import require_finite
from optics.grid import COMPLEX
from optics.modulator import Modulator, ModulatorKind

Method = Literal[
    "complex",
    "double-phase",
    "off-axis",
    "lee",
    "error-diffusion",
    "gerchberg-saxton",
    "optimised",
]
"""How a drive is found."""

METHODS: Mapping[ModulatorKind, tuple[Method, ...]] = MappingProxyType(
    {
        "ideal": ("complex",),
        "lcos-phase": ("double-phase", "gerchberg-saxton", "optimised"),
        "lcos-amplitude": ("off-axis", "gerchberg-saxton", "optimised"),
        "dmd": ("lee", "error-diffusion", "gerchberg-saxton", "optimised"),
    }
)
"""The methods of each kind of modulator, the usual one first."""

STEPS: Mapping[Method, int] = MappingProxyType({"gerchberg-saxton": 100, "optimised": 200})
"""Default number of steps of the iterations."""

_CARRIER = {
    "ideal": (0.0, 0.0),
    "lcos-phase": (0.0, 0.0),
    "lcos-amplitude": (0.0, 0.25),
    "dmd": (0.11, 0.27),
}

BLURRED_CARRIER = (0.3, 0.15)
"""Usual carrier of phase displays with crosstalk: their undiffracted light stays on the axis, far
from the result, and harmonics do not fold back onto it."""


def encode(
    target: Tensor,
    modulator: Modulator,
    *,
    method: Method | None = None,
    window: Window = None,
    carrier: tuple[float, float] | None = None,
    peak: float | None = None,
    brightness: float | None = None,
    steps: int | None = None,
    samples: int = 1,
) -> Encoding:
    """Return the drive with which the light of ``modulator`` is scale · ``target``.

    | method | for | nominal scale over 1/peak |
    |---|---|---|
    | ``complex`` | ideal | 1 |
    | ``double-phase`` | LCoS phase | 1 |
    | ``off-axis`` | LCoS amplitude: interferogram with a plane wave | 1/4 |
    | ``lee`` | DMD: fringes | 1/π |
    | ``error-diffusion`` | DMD: the interferogram diffused | 1/4 |
    | ``gerchberg-saxton`` | phase, amplitude, DMD | by ``brightness`` |
    | ``optimised`` | phase, amplitude, DMD: descent through the part, from the one before | same |

    Amplitudes cannot make a spectrum with phases on the axis. What a real 4f does then is to take
    the order at a carrier, beside undiffracted light and a twin: look there. All are measured with
    the part's levels, crosstalk and fill factor; see :class:`Encoding` for how.

    Args:
        target: T, the wanted transmission on the filter plane (..., rows, columns) of the pixels'
            grid, complex64 or complex128, whose inverse transform is the kernel.
        modulator: modulator with at least as many pixels as the target.
        method: one of :data:`METHODS` of the modulator's kind; ``None`` is the first.
        window: part of the output around the kernel where light counts, as (rows, columns) or
            booleans; beyond it the iterations may throw noise. To convolve M pixels without noise
            from outside it takes 2M - 1. ``None`` is all of the output, or all that lies nearer to
            the kernel than to the undiffracted light and the twin.
        carrier: ν in cycles per pixel (down, right), moved to whole cycles over the plane.
            ``None`` is none on the axis, (0.3, 0.15) for phases with crosstalk, which
            leaves undiffracted light, (0, 1/4) for amplitudes, and (0.11, 0.27) for mirrors, whose
            harmonics would fold back onto a carrier of a plain fraction.
        peak: modulus of T that takes the full range, at least the largest; ``None`` is the
            largest, of each target by itself. One for all keeps their scales alike.
        brightness: scale of iterations, from 0, that of exact methods (1/peak, or 1/(4 peak) for
            amplitudes), to 1, that of most light, Σ|T|/Σ|T|² (over π for amplitudes); the geometric
            mean between. More light leaves more noise, but hardly so for mirrors: ``None`` is 1/2
            for them and 0 for others.
        steps: steps of an iteration; ``None`` is :data:`STEPS`.
        samples: per pixel and axis of the light that is measured.

    Returns:
        The drive, its carrier, and its measured scale, efficiency and signal-to-noise ratio.

    Raises:
        InputError: a target of another type or larger than the modulator, not finite, or above
            ``peak``; a method of another kind of part; a window that meets another order.
    """
    _check(target, modulator)
    kind = modulator.kind
    chosen = method if method is not None else METHODS[kind][0]
    if chosen not in METHODS[kind]:
        raise InputError(
            f"{modulator.name}: a modulator of kind {kind!r} takes {', '.join(METHODS[kind])}; "
            f"got method={method!r}"
        )
    bright = (0.5 if kind == "dmd" else 0.0) if brightness is None else brightness
    fraction("encode", "brightness", bright)
    count = STEPS.get(chosen, 0) if steps is None else steps
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise InputError(f"encode: steps must be a whole number of at least 0; got {steps!r}")
    shape = target.shape[-2], target.shape[-1]
    amplitudes = kind in ("lcos-amplitude", "dmd")
    usual = BLURRED_CARRIER if modulator.blurs_phases else _CARRIER[kind]
    whole = whole_carrier(usual if carrier is None else carrier, shape, amplitudes)
    mask = window_mask(window, shape, target.device)
    if amplitudes:
        mask = off_axis_mask(mask, window, whole)
    with torch.no_grad():
        drive, nominal, history = _found(
            target.detach(), modulator, chosen, whole, mask, peak, bright, count
        )
        return measured(
            method=chosen,
            modulator=modulator,
            target=target,
            drive=drive,
            carrier=whole,
            window=mask,
            nominal=nominal * modulator.fill_factor,
            history=history,
            samples=samples,
        )


def _found(
    target: Tensor,
    modulator: Modulator,
    method: Method,
    carrier: tuple[float, float],
    mask: Tensor,
    peak: float | None,
    brightness: float,
    steps: int,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return drive, nominal scale of a full pixel, and history."""
    kind = modulator.kind
    most = _peak(target, peak)
    unit = target / most[..., None, None]
    wave = carrier_wave(carrier, (target.shape[-2], target.shape[-1]), target.dtype, target.device)
    carried = unit * wave
    if method == "complex":
        return carried, 1 / most, None
    if method == "double-phase":
        return double_phase(carried), 1 / most, None
    if method == "off-axis":
        return off_axis(carried), 1 / (4 * most), None
    if method == "lee":
        return lee(carried), 1 / (math.pi * most), None
    if method == "error-diffusion":
        return error_diffusion(off_axis(carried), carrier), 1 / (4 * most), None
    scale = _scale(unit, brightness, kind)
    first = steps if method == "gerchberg-saxton" else STEPS["gerchberg-saxton"]
    start = _start(carried, scale, modulator, carrier)
    light, history = gerchberg_saxton(unit, wave, mask, kind, scale, start, first)
    drive = as_drive(light, kind)
    if method == "optimised" and kind == "dmd":
        drive, history = flipped(unit, wave, mask, scale, drive, steps)
    elif method == "optimised":
        full = scale * modulator.fill_factor
        drive, history = optimised(unit, carrier, mask, modulator, full, drive, steps)
    return drive, scale / most, history


def _start(
    carried: Tensor, scale: Tensor, modulator: Modulator, carrier: tuple[float, float]
) -> Tensor:
    """Return light from which the iteration begins: that of a method in one step."""
    if modulator.kind == "lcos-phase":
        if modulator.blurs_phases:
            # A checkerboard is what crosstalk blurs most; the target's own phases are smooth.
            return carried
        phase = double_phase(carried)
        return torch.polar(torch.ones_like(phase), phase)
    fringes = off_axis(4 * scale[..., None, None] * carried)
    if modulator.kind == "dmd":
        fringes = error_diffusion(fringes, carrier)
    return fringes.to(carried.dtype)


def _scale(unit: Tensor, brightness: float, kind: ModulatorKind) -> Tensor:
    """Return the scale (...) of targets of modulus up to 1."""
    total, square = unit.abs().sum((-2, -1)), unit.abs().square().sum((-2, -1))
    brightest = torch.where(square > 0, total / square.where(square > 0, 1), 1)
    if kind == "lcos-phase":
        return brightest**brightness
    return 0.25 * (4 / math.pi * brightest) ** brightness


def _peak(target: Tensor, peak: float | None) -> Tensor:
    largest = target.abs().amax((-2, -1))
    if peak is None:
        return torch.where(largest > 0, largest, 1)
    if not (math.isfinite(peak) and peak > 0) or bool((largest > peak * (1 + 1e-6)).any()):
        raise InputError(
            f"encode: peak must be finite and at least the target's largest modulus, "
            f"{float(largest.max()):g}; got {peak!r}"
        )
    return torch.full_like(largest, peak)


def _check(target: Tensor, modulator: Modulator) -> None:
    if not isinstance(target, Tensor) or target.dtype not in COMPLEX.values():
        found = target.dtype if isinstance(target, Tensor) else type(target).__name__
        raise InputError(f"encode: target must be complex64 or complex128; got {found}")
    if target.dim() < 2 or target.numel() == 0:
        raise InputError(
            "encode: target must be (..., rows, columns) with at least one pixel; "
            f"got {tuple(target.shape)}"
        )
    if target.shape[-2] > modulator.pixels[0] or target.shape[-1] > modulator.pixels[1]:
        raise InputError(
            f"{modulator.name}: has {modulator.pixels[0]} x {modulator.pixels[1]} pixels; got a "
            f"target of {target.shape[-2]} x {target.shape[-1]}"
        )
    require_finite(target, "encode: target")
