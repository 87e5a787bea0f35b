"""A lens: focal length, pupil, and the aberrations of what passes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from optics.checks import figures_of, finite, fraction, positive
from optics.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A thin lens in air with a round pupil, dark outside.

    Attributes:
        focal_length_m: f.
        pupil_m: diameter D of the pupil; infinity passes all light.
        zernike_waves: aberrations over the pupil in waves rms at the laser's wavelength, Noll's
            order: the first is Z1 (piston), then tilts, defocus, … (Noll, JOSA 66:207, 1976).
        efficiency: light power that passes within the pupil.
        name: name of the part, used in messages.
        source: source of each figure, by field name.

    Raises:
        InputError: a figure is out of its range, or a lens without a pupil has aberrations.
    """

    focal_length_m: float
    pupil_m: float = math.inf
    zernike_waves: tuple[float, ...] = ()
    efficiency: float = 1.0
    name: str = "lens"
    source: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        with figures_of(self) as check:
            check(positive, "focal_length_m")
            check(positive, "pupil_m", infinite=True)
            check(fraction, "efficiency", zero=False)
            check(_aberrations, "zernike_waves")
        if any(self.zernike_waves) and math.isinf(self.pupil_m):
            raise InputError(
                f"{self.name}: aberrations are given over a pupil; give pupil_m a finite diameter"
            )

    @classmethod
    def ideal(cls, focal_length_m: float = 0.13) -> Lens:
        """Return a lens without an edge and without aberrations."""
        return cls(focal_length_m=focal_length_m, name="ideal lens")

    @property
    def numerical_aperture(self) -> float:
        """Sine of the half-angle that the pupil takes in from the focal point, in air."""
        if math.isinf(self.pupil_m):
            return 1.0
        return self.pupil_m / 2 / math.hypot(self.pupil_m / 2, self.focal_length_m)

    @property
    def f_number(self) -> float:
        """Focal length over pupil; 0 for a lens without an edge."""
        return self.focal_length_m / self.pupil_m

    def cutoff_per_m(self, wavelength_m: float) -> float:
        """Return the coherent cut-off frequency ρ/(λf), ρ the pupil's radius (Goodman, ch. 6)."""
        return self.pupil_m / 2 / (wavelength_m * self.focal_length_m)


def _aberrations(owner: str, name: str, waves: tuple[float, ...]) -> None:
    for index, one in enumerate(waves, 1):
        finite(owner, f"{name}, Z{index}", one)
