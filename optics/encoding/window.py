"""The window of the output in which light is measured, and the carrier of an off-axis order."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from optics.errors import InputError
from optics.grid import coordinates

Window = tuple[int, int] | Tensor | None
"""(rows, columns) around the axis, or a mask of booleans (rows, columns), or the whole output."""


def window_mask(window: Window, shape: tuple[int, int], device: torch.device) -> Tensor:
    """Return the window as a mask (rows, columns) of booleans.

    Raises:
        InputError: it is larger than the plane, empty, or a mask of something else.
    """
    if window is None:
        return torch.ones(shape, dtype=torch.bool, device=device)
    if isinstance(window, Tensor):
        if tuple(window.shape) != shape or window.dtype != torch.bool:
            raise InputError(
                f"a window's mask must be of booleans, {shape[0]} x {shape[1]}; got {window.dtype} "
                f"of {tuple(window.shape)}"
            )
        if not bool(window.any()):
            raise InputError("a window needs at least one pixel; got an empty mask")
        return window.to(device)
    sides = []
    for name, size, count in zip(("rows", "columns"), window, shape, strict=True):
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= count:
            raise InputError(f"a window has 1 to {count} {name}; got {size!r}")
        first = count // 2 - size // 2
        side = torch.zeros(count, dtype=torch.bool, device=device)
        side[first : first + size] = True
        sides.append(side)
    return sides[0][:, None] & sides[1]


def carrier_wave(
    carrier: tuple[float, float], shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return exp(2πi ν·p), p the pixels counted from the axis, complex (rows, columns)."""
    rows, columns = (
        2 * math.pi * nu * coordinates(count, 1.0, device=device)
        for nu, count in zip(carrier, shape, strict=True)
    )
    phase = rows[:, None] + columns
    return torch.polar(torch.ones_like(phase), phase).to(dtype)


def whole_carrier(
    carrier: tuple[float, float], shape: tuple[int, int], off_axis: bool
) -> tuple[float, float]:
    """Return the carrier moved to a whole number of cycles over the plane.

    Raises:
        InputError: it is not within -1/2 … 1/2, or there is none where one is needed.
    """
    for name, nu in zip(("down", "right"), carrier, strict=True):
        if not math.isfinite(nu) or abs(nu) > 0.5:
            raise InputError(
                f"carrier, {name}, must be from -1/2 to 1/2 cycles per pixel; got {nu!r}"
            )
    whole = tuple(round(nu * count) / count for nu, count in zip(carrier, shape, strict=True))
    if off_axis and not any(whole):
        raise InputError(
            f"a modulator of amplitudes needs a carrier of at least one cycle over its plane of "
            f"{shape[0]} x {shape[1]}; got {carrier}"
        )
    return whole[0], whole[1]


def off_axis_mask(mask: Tensor, window: Window, carrier: tuple[float, float]) -> Tensor:
    """Return the window of an off-axis order, which must hold neither order 0 nor the twin.

    A real transmission shows, too, the kernel's conjugate turned about the axis at the opposite
    carrier, and undiffracted light in one point of the axis. Without a choice, the window is what
    lies nearer to its own order than to either.

    Raises:
        InputError: the window meets the point, or pixels that lie nearer to the twin.
    """
    shape = mask.shape[0], mask.shape[1]
    point, twin = (_nearer(shape, carrier, times, mask.device) for times in (1, 2))
    if window is None:
        return point & twin
    down, right = (round(nu * count) for nu, count in zip(carrier, shape, strict=True))
    zero = mask[(shape[0] // 2 + down) % shape[0], (shape[1] // 2 + right) % shape[1]]
    if bool(zero) or bool((mask & ~twin).any()):
        raise InputError(
            "the window meets the undiffracted light or the twin of a real modulator: take a "
            f"smaller one, or a carrier further from 0 and from 1/2 than {carrier}"
        )
    return mask


def _nearer(
    shape: tuple[int, int], carrier: tuple[float, float], times: int, device: torch.device
) -> Tensor:
    """Return whether pixels lie nearer to the axis than to ``times`` the carrier, on either side.

    Shape (rows, columns); the output repeats beyond its edges.
    """

    def distance(side: int) -> Tensor:
        down, right = (
            (coordinates(count, 1.0, device=device) - side * nu * count + count / 2) % count
            - count / 2
            for nu, count in zip(carrier, shape, strict=True)
        )
        return down[:, None].square() + right.square()

    return distance(0) < torch.minimum(distance(times), distance(-times))
