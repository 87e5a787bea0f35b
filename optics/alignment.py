"""How far the filter stands from where it should be in the Fourier plane."""

from __future__ import annotations

from dataclasses import dataclass

from optics.checks import finite, positive
from optics.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Misalignment of the filter modulator against the Fourier plane of lens 1.

    Attributes:
        shift_m: (down, right), of the filter's centre from the optical axis.
        rotation_rad: of the filter about the axis, from the row axis (down) towards the column
            axis (right).
        defocus_m: distance of the filter behind the focal plane; negative is before it.
        magnification: of the filter's pattern against what it was computed for.

    Raises:
        InputError: a figure is not finite, or the magnification is not above 0.
    """

    shift_m: tuple[float, float] = (0.0, 0.0)
    rotation_rad: float = 0.0
    defocus_m: float = 0.0
    magnification: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.shift_m, tuple) or len(self.shift_m) != 2:
            raise InputError(f"alignment: shift_m must be (down, right); {self.shift_m!r} came")
        for axis, shift_m in zip(("down", "right"), self.shift_m, strict=True):
            finite("alignment", f"shift_m, {axis}", shift_m)
        finite("alignment", "rotation_rad", self.rotation_rad)
        finite("alignment", "defocus_m", self.defocus_m)
        positive("alignment", "magnification", self.magnification)

    @classmethod
    def ideal(cls) -> Alignment:
        """Return a filter exactly in its place."""
        return cls()

    @property
    def is_ideal(self) -> bool:
        """Whether the filter is exactly in its place."""
        return self == Alignment()
