"""The settings that a pixel can reach, nearest to the ones that were asked for."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.errors import InputError
from optics.field import require_finite
from optics.grid import COMPLEX, REAL
from optics.modulator import Modulator
from optics.straight import straight_through

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
      That is a part whose driver knows R. One that takes R for 2π shows ``drive * R / (2π)``.
    - ``lcos-amplitude``: the nearest of 0, 1/(L - 1), …, 1.
    - ``dmd``: a mirror is on from 1/2 up.

    Raises:
        InputError: a drive of another kind or type, of fewer than two axes, of more pixels than the
            modulator has, not finite, or out of range: a part cannot amplify, and nothing is
            clipped in silence.
    """
    check_drive(drive, modulator)
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
    """Refuse what the modulator cannot be asked to show.

    Raises:
        InputError: and what was expected.
    """
    takes = _TAKES[modulator.kind]
    if not isinstance(drive, Tensor):
        raise InputError(f"{modulator.name}: drive must be a tensor; {type(drive).__name__} came")
    if drive.dtype not in (COMPLEX.values() if modulator.kind == "ideal" else REAL.values()):
        raise InputError(f"{modulator.name}: a drive is {takes}; {drive.dtype} came")
    if drive.dim() < 2 or drive.numel() == 0:
        raise InputError(
            f"{modulator.name}: drive must be (..., rows, columns) with at least one pixel; "
            f"{tuple(drive.shape)} came"
        )
    rows, columns = drive.shape[-2:]
    if rows > modulator.pixels[0] or columns > modulator.pixels[1]:
        raise InputError(
            f"{modulator.name}: has {modulator.pixels[0]} x {modulator.pixels[1]} pixels; a drive "
            f"of {rows} x {columns} came"
        )
    require_finite(drive, f"{modulator.name}: drive")
    if modulator.kind == "lcos-phase":
        return
    values = drive.detach()
    low, high = torch.aminmax(values.abs() if values.is_complex() else values)
    slack = _SLACK[REAL.get(drive.dtype, drive.dtype)]
    if low < -slack or high > 1 + slack:
        raise InputError(
            f"{modulator.name}: a drive is {takes}; {float(low):g} to {float(high):g} came: scale "
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


def _complex_level(values: Tensor, levels: int | None) -> Tensor:
    if levels is None:
        return values
    modulus = torch.round(values.abs().clamp(max=1) * (levels - 1)) / (levels - 1)
    step = 2 * math.pi / levels
    return torch.polar(modulus, torch.round(values.angle() / step) * step)
