"""Lenses and Fresnel propagation as Fourier transforms, also onto a grid of any pitch and place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from optics.checks import finite, pitches, pixel_counts, positive
from optics.errors import InputError, SamplingError
from optics.field import Field
from optics.grid import centred_fft2, coordinates
from optics.propagation.transfer import cached


def fourier_lens(field: Field, focal_length_m: float) -> Field:
    """Return the field in the back focal plane of a lens, of that in its front focal plane.

    U(x) = 1/(iλf) ∫ u(ξ) exp(-2πi x·ξ / (λf)) dξ (Goodman, ch. 5), sampled at λf / (N dx): a
    unitary transform, which conserves power. Two in a row turn the field by 180° and multiply it by
    -1, the sign of two foci.

    Raises:
        InputError: the focal length is not finite or not above 0.
    """
    finite("fourier_lens", "focal_length_m", focal_length_m)
    if focal_length_m <= 0:
        raise InputError(f"fourier_lens: focal_length_m must be above 0; got {focal_length_m!r}")
    scale = field.wavelength_m * focal_length_m
    pitch_m = scale / field.size_m[0], scale / field.size_m[1]
    area = (field.pitch_m[0] * field.pitch_m[1] / (pitch_m[0] * pitch_m[1])) ** 0.5
    return field.with_data(centred_fft2(field.data) * (-1j * area), pitch_m)


_CACHE_BYTES = 2**26


def matrix_fourier(
    field: Field,
    focal_length_m: float,
    shape: tuple[int, int],
    pitch_m: float | Sequence[float],
    centre_m: tuple[float, float] = (0.0, 0.0),
) -> Field:
    """Return the field in the back focal plane on a free grid, of that in the front focal plane.

    As :func:`~optics.propagation.matrix.fourier_lens`, U(x) = 1/(iλf) Σ u(ξ) exp(-2πi x·ξ / (λf))
    dξ, at any points x. Source: R. Soummer et al., Opt. Express 15:15935 (2007).

    Args:
        field: field in the front focal plane.
        focal_length_m: f.
        shape: samples of the result (rows, columns).
        pitch_m: pitch of the result in metres, one for both axes or (down, right).
        centre_m: place of the result's sample (rows // 2, columns // 2), (down, right), in metres.

    Raises:
        SamplingError: the grid reaches past ±λf / (2 dx), where the spectrum repeats.
        InputError: a figure is out of its range.
    """
    pitch = check_focal("matrix_fourier", field, focal_length_m, shape, pitch_m, centre_m)
    return _transformed("matrix_fourier", field, focal_length_m, shape, pitch, centre_m)


def check_focal(
    name: str,
    field: Field,
    focal_length_m: float,
    shape: tuple[int, int],
    pitch_m: float | Sequence[float],
    centre_m: tuple[float, float],
) -> tuple[float, float]:
    """Check the grid of a focal plane for the function ``name``; return its pitch (down, right).

    Raises:
        SamplingError: the grid reaches past ±λf / (2 dx), where the spectrum repeats.
        InputError: a figure is out of its range.
    """
    positive(name, "focal_length_m", focal_length_m)
    pitch = pitches(name, pitch_m)
    _check_grid(name, field, focal_length_m, shape, pitch, centre_m)
    return pitch


def fresnel_matrix(
    field: Field,
    distance_m: float,
    shape: tuple[int, int],
    pitch_m: float | Sequence[float],
    centre_m: tuple[float, float] = (0.0, 0.0),
) -> Field:
    """Return the field after ``distance_m``, in the Fresnel approximation, on a free grid.

    U(x) = exp(iπx²/(λz)) / (iλz) Σ u(ξ) exp(iπξ²/(λz)) exp(-2πi x·ξ/(λz)) dξ (Goodman, ch. 4).
    The first factor is taken about the axis, not the grid's centre.

    Args:
        field: before the space.
        distance_m: z; a negative one goes back.
        shape: samples of the result (rows, columns).
        pitch_m: pitch of the result in metres, one for both axes or (down, right).
        centre_m: place of the result's sample (rows // 2, columns // 2), (down, right), in metres.

    Raises:
        SamplingError: the factor exp(iπξ²/(λz)) aliases at this distance, or the grid reaches past
            ±λz / (2 dx).
        InputError: a figure is out of its range.
    """
    finite("fresnel_matrix", "distance_m", distance_m)
    pitch = pitches("fresnel_matrix", pitch_m)
    limit_m = max(
        count * p**2 / field.wavelength_m
        for count, p in zip(field.shape, field.pitch_m, strict=True)
    )
    if abs(distance_m) < limit_m * (1 - 1e-9):
        raise SamplingError(
            f"fresnel_matrix aliases at distance_m={distance_m:g}: it starts at {limit_m:g} m "
            "here; use fresnel_transfer or angular_spectrum"
        )
    return _transformed("fresnel_matrix", field, distance_m, shape, pitch, centre_m, chirped=True)


def _transformed(
    function: str,
    field: Field,
    distance_m: float,
    shape: tuple[int, int],
    pitch_m: tuple[float, float],
    centre_m: tuple[float, float],
    *,
    chirped: bool = False,
) -> Field:
    _check_grid(function, field, distance_m, shape, pitch_m, centre_m)
    kind = field.data.dtype, field.data.device
    left, right = (
        _axis(
            field.shape[i],
            field.pitch_m[i],
            shape[i],
            pitch_m[i],
            centre_m[i],
            field.wavelength_m * float(distance_m),
            chirped,
            *kind,
        )
        for i in (0, 1)
    )
    return field.with_data(torch.matmul(torch.matmul(left, field.data), right.mT), pitch_m)


@cached(_CACHE_BYTES)
def _axis(
    count: int,
    pitch_m: float,
    count_out: int,
    pitch_out_m: float,
    centre_m: float,
    scale: float,
    chirped: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return one axis's matrix (count_out, count), with √(1/i) of the two axes' 1/i."""
    before = coordinates(count, pitch_m, device=device)
    behind = coordinates(count_out, pitch_out_m, device=device) + centre_m
    phase = -2 * math.pi * torch.outer(behind, before) / scale - math.copysign(math.pi / 4, scale)
    if chirped:
        phase = phase + math.pi * (behind[:, None] ** 2 + before[None, :] ** 2) / scale
    return torch.polar(torch.full_like(phase, pitch_m / math.sqrt(abs(scale))), phase).to(dtype)


def _check_grid(
    name: str,
    field: Field,
    distance_m: float,
    shape: tuple[int, int],
    pitch_m: tuple[float, float],
    centre_m: tuple[float, float],
) -> None:
    pixel_counts(name, "shape", shape)
    for i, axis in enumerate(("down", "right")):
        finite(name, f"centre_m, {axis}", centre_m[i])
        reach_m = abs(centre_m[i]) + (shape[i] // 2) * pitch_m[i]
        limit_m = field.wavelength_m * abs(distance_m) / (2 * field.pitch_m[i])
        if reach_m > limit_m * (1 + 1e-9):
            raise SamplingError(
                f"{name}: the grid reaches {reach_m:g} m {axis}, past {limit_m:g} m, where a field "
                f"of pitch {field.pitch_m[i]:g} m repeats at distance {distance_m:g} m; use a "
                "smaller grid, or fresnel_transfer for a short distance"
            )
    if distance_m == 0:
        raise InputError(f"{name}: distance_m must not be 0")
