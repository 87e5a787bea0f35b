"""A field: the complex amplitude of monochromatic light on a plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from optics.checks import positive
from optics.errors import InputError
from optics.grid import COMPLEX, REAL, coordinates, squared_modulus

__all__ = ["Field"]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Field:
    """Complex amplitude of light of one wavelength on an integer-centred grid.

    The phase is the one beyond that of an axial plane wave: fields carry no exp(ikz). Time goes
    as exp(-iωt), so that a wave that spreads has growing phase outwards.

    Attributes:
        data: (..., H, W), complex64 or complex128; |data|² is irradiance in W/m² where power
            matters. Rows go down, columns right; sample (H // 2, W // 2) is on the axis.
        wavelength_m: λ.
        pitch_m: distance between samples (down, right).
    """

    data: Tensor
    wavelength_m: float
    pitch_m: tuple[float, float]

    def __init__(
        self, data: Tensor, wavelength_m: float, pitch_m: float | tuple[float, float]
    ) -> None:
        """Check and keep a field; a real tensor becomes complex, one pitch is of both axes.

        Raises:
            InputError: data of fewer than two axes, of another type, empty or not finite, or a
                wavelength or pitch that is not above 0.
        """
        data = checked_plane(data, "a field's data")
        positive("field", "wavelength_m", wavelength_m)
        pair = pitch_m if isinstance(pitch_m, tuple) else (pitch_m, pitch_m)
        for axis, pitch in zip(("down", "right"), pair, strict=True):
            positive("field", f"pitch_m, {axis}", pitch)
        self._set(data, wavelength_m, pair)

    def _set(self, data: Tensor, wavelength_m: float, pitch_m: tuple[float, float]) -> None:
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "wavelength_m", wavelength_m)
        object.__setattr__(self, "pitch_m", pitch_m)

    def with_data(self, data: Tensor, pitch_m: tuple[float, float] | None = None) -> Field:
        """Return a field of the same light with other complex data, unchecked, as operators do."""
        made = object.__new__(Field)
        made._set(data, self.wavelength_m, pitch_m or self.pitch_m)
        return made

    @property
    def shape(self) -> tuple[int, int]:
        """Samples (rows, columns)."""
        return self.data.shape[-2], self.data.shape[-1]

    @property
    def size_m(self) -> tuple[float, float]:
        """Height and width of the window."""
        return self.shape[0] * self.pitch_m[0], self.shape[1] * self.pitch_m[1]

    @property
    def intensity(self) -> Tensor:
        """|data|², (..., H, W), real; in W/m² where data are in √(W/m²)."""
        return squared_modulus(self.data)

    @property
    def power_w(self) -> Tensor:
        """Intensity summed over the window's area, shape (...)."""
        return self.intensity.sum((-2, -1)) * (self.pitch_m[0] * self.pitch_m[1])

    @property
    def axes_m(self) -> tuple[Tensor, Tensor]:
        """Places of the rows (H,) and columns (W,), float64."""
        device = self.data.device
        return (
            coordinates(self.shape[0], self.pitch_m[0], device=device),
            coordinates(self.shape[1], self.pitch_m[1], device=device),
        )

    def modulated(self, mask: Tensor) -> Field:
        """Return the field behind a thin mask of complex or real transmission (..., H, W).

        Raises:
            InputError: the mask is of another plane, type or device.
        """
        if tuple(mask.shape[-2:]) != self.shape:
            raise InputError(
                f"a mask must be of the field's plane, {self.shape[0]} x {self.shape[1]}; "
                f"got {tuple(mask.shape)}"
            )
        same_kind(self.data, mask, "a mask")
        return self.with_data(self.data * mask)


def checked_plane(data: Tensor, what: str) -> Tensor:
    """Return ``data`` as complex (..., H, W) after checking it.

    Raises:
        InputError: it is no such tensor, of another type than float32, float64, complex64 or
            complex128, empty, or not finite.
    """
    if not isinstance(data, Tensor):
        raise InputError(f"{what} must be a tensor; got {type(data).__name__}")
    if data.dtype in COMPLEX:
        data = data.to(COMPLEX[data.dtype])
    elif data.dtype not in REAL:
        raise InputError(
            f"{what} must be complex64 or complex128, or float32 or float64; got {data.dtype}"
        )
    if data.dim() < 2 or data.numel() == 0:
        raise InputError(
            f"{what} must have the shape (..., rows, columns) with at least one sample; "
            f"got {tuple(data.shape)}"
        )
    require_finite(data, what)
    return data


def require_finite(data: Tensor, what: str) -> None:
    """Require numbers without infinity and NaN, in one pass and without a copy.

    Tensors on the meta device have no numbers and pass.

    Raises:
        InputError: there are some.
    """
    if data.is_meta:
        return
    real = torch.view_as_real(data.detach().resolve_conj()) if data.is_complex() else data.detach()
    low, high = torch.aminmax(real)
    if not (math.isfinite(low) and math.isfinite(high)):
        count = int((~torch.isfinite(data)).sum())
        raise InputError(
            f"{what} must be finite; {count} of {data.numel()} numbers are infinite or NaN"
        )


def same_kind(data: Tensor, other: Tensor, what: str) -> None:
    """Require ``other`` on the device and of the precision of the field ``data``.

    Raises:
        InputError: it is not.
    """
    if other.device != data.device:
        raise InputError(f"{what} must be on {data.device}, where the field is; got {other.device}")
    if other.dtype not in (data.dtype, REAL[data.dtype]):
        raise InputError(
            f"{what} must be {data.dtype} or {REAL[data.dtype]}, as the field; got {other.dtype}"
        )
