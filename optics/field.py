"""A field: the complex amplitude of monochromatic light on a plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from optics.checks import finite, pitches, pixel_counts, plain, positive
from optics.errors import InputError, SamplingError
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

    def __init__(self, data: Tensor, wavelength_m: float, pitch_m: float | Sequence[float]) -> None:
        """Check and store a field; a real tensor becomes complex, one pitch is of both axes.

        Numbers of numpy become Python's own. The batch may be empty.

        Raises:
            InputError: data of fewer than two axes, of another type, without samples or not finite,
                or a wavelength or pitch that is not above 0.
        """
        data = checked_plane(data, "a field's data")
        wavelength_m = plain(wavelength_m)
        positive("field", "wavelength_m", wavelength_m)
        self._set(data, wavelength_m, pitches("field", pitch_m))

    @classmethod
    def plane_wave(
        cls,
        shape: tuple[int, int],
        wavelength_m: float,
        pitch_m: float | Sequence[float],
        sines: tuple[float, float] = (0.0, 0.0),
        *,
        dtype: torch.dtype = torch.complex128,
        device: torch.device | None = None,
    ) -> Field:
        """Return a plane wave of amplitude 1, exp(2πi (s_y y + s_x x) / λ).

        Args:
            shape: samples (rows, columns).
            wavelength_m: λ.
            pitch_m: distance between samples, one or (down, right).
            sines: direction cosines of the wave with the axes (down, right); 0 is along the axis.
            dtype: complex type of the data.
            device: device of the data.

        Raises:
            SamplingError: a sine beyond λ/(2 pitch): its phase turns by more than π from sample to
                sample, and samples would show another, flatter wave.
            InputError: a shape, wavelength or pitch that makes no field.
        """
        pixel_counts("plane wave", "shape", shape)
        field = cls(torch.ones(shape, dtype=dtype, device=device), wavelength_m, pitch_m)
        for axis, name in enumerate(("down", "right")):
            finite("plane wave", f"sines, {name}", sines[axis])
            steepest = field.wavelength_m / (2 * field.pitch_m[axis])
            if abs(sines[axis]) > steepest * (1 + 1e-9):
                raise SamplingError(
                    f"a wave of sine {sines[axis]:g} {name} turns by more than half a circle from "
                    f"sample to sample; expected at most {steepest:.6g} at pitch "
                    f"{field.pitch_m[axis]:g} m: take a finer pitch"
                )
        y, x = field.axes_m
        phase = 2 * math.pi / field.wavelength_m * (sines[0] * y[:, None] + sines[1] * x)
        return field.with_data(torch.polar(torch.ones_like(phase), phase).to(dtype))

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
                f"got {' x '.join(map(str, mask.shape))}"
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
    if data.dim() < 2 or 0 in data.shape[-2:]:
        raise InputError(
            f"{what} must have the shape (..., rows, columns) with at least one sample; "
            f"got {tuple(data.shape)}"
        )
    require_finite(data, what)
    return data


def require_field(owner: str, value: object) -> None:
    """Require a field, which knows its wavelength and pitch; a tensor of numbers is none.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, Field):
        raise InputError(
            f"{owner}: expected a Field, got a {type(value).__name__}; "
            "Field(data, wavelength_m, pitch_m) makes one"
        )


def require_finite(data: Tensor, what: str) -> None:
    """Require numbers without infinity and NaN, in one pass and without a copy.

    Tensors on the meta device have no numbers and pass.

    Raises:
        InputError: there are some.
    """
    if data.is_meta or data.numel() == 0:
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
