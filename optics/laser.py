"""The laser: wavelength, optical power and electrical power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optics.checks import figures_of, fraction, positive

PLANCK_J_S = 6.62607015e-34
"""Planck constant, exact (SI)."""

LIGHT_M_S = 299792458.0
"""Speed of light in vacuum, exact (SI)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laser:
    """A continuous, fully coherent, monochromatic source that lights the input modulator evenly.

    Attributes:
        wavelength_m: vacuum wavelength λ.
        power_w: light that reaches the input modulator.
        wall_plug_efficiency: light out over electricity in, above 0 and at most 1.
        name: name of the part, used in messages.
        source: source of each figure, by field name.

    Raises:
        InputError: a figure is out of its range.
    """

    wavelength_m: float
    power_w: float
    wall_plug_efficiency: float = 1.0
    name: str = "laser"
    source: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        with figures_of(self) as check:
            check(positive, "wavelength_m", "power_w")
            check(fraction, "wall_plug_efficiency", zero=False)

    @classmethod
    def ideal(cls, wavelength_m: float = 532e-9, power_w: float = 1.0) -> Laser:
        """Return a laser whose wall-plug efficiency is 1."""
        return cls(wavelength_m=wavelength_m, power_w=power_w, name="ideal laser")

    @property
    def electrical_power_w(self) -> float:
        """Electrical power in watts, optical power over wall-plug efficiency."""
        return self.power_w / self.wall_plug_efficiency

    @property
    def photon_energy_j(self) -> float:
        """Energy of one photon, hc/λ."""
        return PLANCK_J_S * LIGHT_M_S / self.wavelength_m

    @property
    def photons_per_s(self) -> float:
        """Photons that reach the input modulator in a second."""
        return self.power_w / self.photon_energy_j
