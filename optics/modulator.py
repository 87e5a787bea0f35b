"""Spatial light modulators: LCoS for phase or amplitude, DMD, and one without limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from optics.blaze import Blaze
from optics.checks import bit_depth, figures_of, fraction, not_negative, pixel_counts, positive
from optics.crosstalk import CrosstalkKernel
from optics.errors import InputError
from optics.lookup import LookUpTable

ModulatorKind = Literal["ideal", "lcos-phase", "lcos-amplitude", "dmd"]
"""What a pixel sets: any complex number, a phase, a real amplitude from 0 to 1, or 0 or 1."""

MOST_DRAWS = 64
"""Flickers of an exposure that are computed, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modulator:
    """A modulator of (rows, columns) square pixels.

    Attributes:
        kind: property of the light that a pixel sets.
        pixels: (rows, columns).
        pitch_m: distance between pixel centres.
        bits: resolution of a pixel's drive, in bits; ``None`` without steps; a DMD has 1.
        phase_range_rad: phase at full drive over that at none, for ``lcos-phase``. L levels stand
            ``phase_range_rad / L`` apart, so that 2π closes the circle.
        table: measured phase and amplitude of each of the 2^bits levels, of ``lcos-phase`` and
            ``lcos-amplitude``, in place of levels of equal steps and of ``phase_range_rad``.
        design_wavelength_m: wavelength at which the part has its ``phase_range_rad``, or for which
            its mirrors are blazed and its coatings made; ``None`` is any. A bench warns where the
            laser has another.
        fill_factor: active area over pixel area, F. The active part is a centred square of side
            √F pitch.
        dead_zone_amplitude: field amplitude that comes back from between the active parts, at
            phase 0, per unit of light; 0 is an opaque frame.
        crosstalk_px: standard deviation, in pixels, of the Gaussian that blurs the drive (fringing
            field and electronics).
        crosstalk_kernel: measured weights of crosstalk, in place of ``crosstalk_px``.
        flicker_rad: standard deviation of each pixel's phase from frame to frame.
        flicker_time_s: time after which a pixel's flicker is another, so that an exposure adds up
            the intensities of several; ``None`` holds it for an exposure.
        efficiency: light power that comes back in the used order from a pixel fully on, by all
            that ``fill_factor`` and ``tilt_rad`` do not include (reflection, window).
        tilt_rad: angle of a mirror that is on, of a ``dmd``, which sends light into the orders of a
            blazed grating, see :class:`optics.blaze.Blaze`; the system is built about the
            brightest. 0 leaves their shares to ``efficiency``.
        incidence_rad: angle between the light on mirrors and the array's normal; ``None`` is twice
            ``tilt_rad``, so that mirrors send it along the normal.
        frame_time_s: shortest time from frame to frame.
        load_s: time to write a frame to the part's memory.
        settle_s: time from the update until light may be used.
        double_buffered: whether a frame may be loaded while the one before is shown.
        power_w: electricity with its driver.
        dac_energy_j: per pixel written, where ``power_w`` does not hold it.
        name: name of the part, used in messages.
        source: source of each figure, by field name.

    Raises:
        InputError: a figure is out of its range, a DMD has other than 1 bit, or a table has other
            than 2^bits levels or belongs to another kind.
    """

    kind: ModulatorKind
    pixels: tuple[int, int]
    pitch_m: float
    bits: int | None = None
    phase_range_rad: float = 2 * math.pi
    table: LookUpTable | None = None
    design_wavelength_m: float | None = None
    fill_factor: float = 1.0
    dead_zone_amplitude: float = 0.0
    crosstalk_px: float = 0.0
    crosstalk_kernel: CrosstalkKernel | None = None
    flicker_rad: float = 0.0
    flicker_time_s: float | None = None
    efficiency: float = 1.0
    tilt_rad: float = 0.0
    incidence_rad: float | None = None
    frame_time_s: float = 0.0
    load_s: float = 0.0
    settle_s: float = 0.0
    double_buffered: bool = True
    power_w: float = 0.0
    dac_energy_j: float = 0.0
    name: str = "modulator"
    source: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        with figures_of(self) as check:
            check(_known, "kind")
            check(pixel_counts, "pixels")
            check(positive, "pitch_m", "phase_range_rad")
            if self.design_wavelength_m is not None:
                check(positive, "design_wavelength_m")
            check(_one_bit if self.kind == "dmd" else bit_depth, "bits")
            if self.table is not None:
                check(self._measured, "table")
            check(fraction, "fill_factor", "efficiency", zero=False)
            check(fraction, "dead_zone_amplitude")
            check(not_negative, "crosstalk_px", "flicker_rad", "frame_time_s", "load_s", "settle_s")
            check(not_negative, "power_w", "dac_energy_j")
            if self.crosstalk_kernel is not None:
                check(self._one_crosstalk, "crosstalk_kernel")
            if self.flicker_time_s is not None:
                check(positive, "flicker_time_s")
            if self.tilt_rad or self.incidence_rad is not None:
                check(self._of_mirrors, "tilt_rad")

    def _measured(self, owner: str, name: str, table: LookUpTable) -> None:
        if self.kind not in ("lcos-phase", "lcos-amplitude"):
            raise InputError(
                f"{owner}: a {name} is of the kinds lcos-phase and lcos-amplitude; got {self.kind}"
            )
        if self.levels != table.levels:
            raise InputError(
                f"{owner}: {name} has {table.levels} levels; expected 2^bits, got bits={self.bits}"
            )

    def _one_crosstalk(self, owner: str, name: str, _: CrosstalkKernel) -> None:
        if self.crosstalk_px:
            raise InputError(
                f"{owner}: {name} takes the place of crosstalk_px; got both, "
                f"crosstalk_px={self.crosstalk_px:g}"
            )

    def _of_mirrors(self, owner: str, name: str, tilt_rad: float) -> None:
        if self.kind != "dmd":
            raise InputError(f"{owner}: {name} is of mirrors, the kind dmd; got {self.kind}")
        for one, angle in ((name, tilt_rad), ("incidence_rad", self.incidence_rad)):
            if angle is not None and not 0 <= angle < math.pi / 2:
                raise InputError(f"{owner}: {one} must be from 0 to below π/2; got {angle!r}")

    @classmethod
    def ideal(cls, pixels: tuple[int, int] = (1080, 1080), pitch_m: float = 8e-6) -> Modulator:
        """Return a modulator that sets any complex number of modulus up to 1, at once."""
        return cls(kind="ideal", pixels=pixels, pitch_m=pitch_m, name="ideal modulator")

    @property
    def size_m(self) -> tuple[float, float]:
        """Height and width of the array."""
        return self.pixels[0] * self.pitch_m, self.pixels[1] * self.pitch_m

    @property
    def blurs_phases(self) -> bool:
        """Whether crosstalk blurs the phases that pixels set, so that patterns take a carrier."""
        return self.kind == "lcos-phase" and self.has_crosstalk

    @property
    def has_crosstalk(self) -> bool:
        """Whether the drive of a pixel spreads over others."""
        return self.crosstalk_px > 0 or self.crosstalk_kernel is not None

    def blaze(self, wavelength_m: float) -> Blaze:
        """Return the orders into which tilted mirrors send light."""
        incidence_rad = 2 * self.tilt_rad if self.incidence_rad is None else self.incidence_rad
        return Blaze(
            tilt_rad=self.tilt_rad,
            incidence_rad=incidence_rad,
            pitch_m=self.pitch_m,
            fill_factor=self.fill_factor,
            wavelength_m=wavelength_m,
        )

    def blazed(self, wavelength_m: float) -> float:
        """Return the share of light in the brightest order over that of flat pixels, up to 1."""
        if not self.tilt_rad:
            return 1.0
        blaze = self.blaze(wavelength_m)
        return blaze.share(blaze.brightest)

    def draws(self, exposure_s: float) -> int:
        """Return how many flickers, one after another, an exposure adds up, from 1 to 64.

        More hardly differ: what is left of their chance falls as the root of their number.
        """
        if self.flicker_time_s is None or self.flicker_rad == 0:
            return 1
        return min(max(1, round(exposure_s / self.flicker_time_s)), MOST_DRAWS)

    @property
    def levels(self) -> int | None:
        """Steps of a pixel's drive, 2^bits; ``None`` without steps."""
        return None if self.bits is None else 2**self.bits


def _known(owner: str, name: str, kind: str) -> None:
    if kind not in get_args(ModulatorKind):
        known = ", ".join(get_args(ModulatorKind))
        raise InputError(f"{owner}: {name} must be one of {known}; got {kind!r}")


def _one_bit(owner: str, name: str, bits: int | None) -> None:
    if bits != 1:
        raise InputError(
            f"{owner}: a DMD's mirrors have 1 bit; got {name}={bits!r}. More levels take several "
            "binary frames"
        )
