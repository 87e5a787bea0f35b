"""The camera: pixels, electrons, noise, full well, converter and times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from optics.checks import bit_depth, figures_of, fraction, not_negative, pixel_counts, positive
from optics.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera of (rows, columns) square pixels, all exposed at once.

    Attributes:
        pixels: (rows, columns).
        pitch_m: distance between pixel centres.
        quantum_efficiency: electrons per photon, η.
        dark_e_s: dark current in electrons per pixel and second.
        read_noise_e: standard deviation of one reading, in electrons.
        full_well_e: electrons at which a pixel saturates; infinity never does.
        gain_e_per_dn: electrons per digital number, or ``None``: the full well spans the converter.
        bits: resolution of the converter, in bits; ``None`` without steps.
        black_level_dn: number that stands for no charge, so that noise below it is not cut off;
            ``None`` is six times the read noise, rounded up. It is taken off again, and off the
            largest number.
        exposure_s: time that light is counted in a frame.
        readout_s: time from the end of an exposure until the frame is out, or the next may end.
        overlapped_readout: whether a frame may be read out while the next is exposed.
        frame_time_s: shortest time from frame to frame.
        power_w: electricity of the whole camera.
        adc_energy_j: per conversion, where ``power_w`` does not hold it.
        name: name of the part, used in messages.
        source: source of each figure, by field name.

    Raises:
        InputError: a figure is out of its range.
    """

    pixels: tuple[int, int]
    pitch_m: float
    quantum_efficiency: float = 1.0
    dark_e_s: float = 0.0
    read_noise_e: float = 0.0
    full_well_e: float = math.inf
    gain_e_per_dn: float | None = None
    bits: int | None = None
    black_level_dn: int | None = None
    exposure_s: float = 1.0
    readout_s: float = 0.0
    overlapped_readout: bool = True
    frame_time_s: float = 0.0
    power_w: float = 0.0
    adc_energy_j: float = 0.0
    name: str = "camera"
    source: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        with figures_of(self) as check:
            check(pixel_counts, "pixels")
            check(positive, "pitch_m", "exposure_s")
            check(positive, "full_well_e", infinite=True)
            check(fraction, "quantum_efficiency", zero=False)
            check(bit_depth, "bits")
            if self.gain_e_per_dn is not None:
                check(positive, "gain_e_per_dn")
            check(_black_level, "black_level_dn")
            check(not_negative, "dark_e_s", "read_noise_e", "readout_s", "frame_time_s")
            check(not_negative, "power_w", "adc_energy_j")
        if self.bits is not None and self.black_dn >= (1 << self.bits):
            raise InputError(
                f"{self.name}: a black level of {self.black_dn} takes all numbers of {self.bits} "
                "bits; take more bits, more electrons per number, or less read noise"
            )

    @classmethod
    def ideal(cls, pixels: tuple[int, int] = (1080, 1080), pitch_m: float = 8e-6) -> Camera:
        """Return a camera that counts every photon, without noise, limit or steps."""
        return cls(pixels=pixels, pitch_m=pitch_m, name="ideal camera")

    @property
    def size_m(self) -> tuple[float, float]:
        """Height and width of the array."""
        return self.pixels[0] * self.pitch_m, self.pixels[1] * self.pitch_m

    @property
    def dark_e(self) -> float:
        """Mean dark electrons of a pixel in one exposure."""
        return self.dark_e_s * self.exposure_s

    @property
    def electrons_per_dn(self) -> float | None:
        """Electrons per step of the converter; ``None`` without steps.

        From ``gain_e_per_dn``, else full well over the largest number. An infinite well and no gain
        leave the step open, so that there is none.
        """
        if self.bits is None:
            return None
        if self.gain_e_per_dn is not None:
            return self.gain_e_per_dn
        if math.isinf(self.full_well_e):
            return None
        return self.full_well_e / ((1 << self.bits) - 1)

    @property
    def black_dn(self) -> int:
        """Number that stands for no charge; 0 without steps."""
        step_e = self.electrons_per_dn
        if step_e is None:
            return 0
        if self.black_level_dn is not None:
            return self.black_level_dn
        return math.ceil(6 * self.read_noise_e / step_e)

    @property
    def saturation_e(self) -> float:
        """Electrons beyond which a reading stays the same: of the well or of the converter."""
        step_e = self.electrons_per_dn
        if self.bits is None or step_e is None:
            return self.full_well_e
        return min(self.full_well_e, ((1 << self.bits) - 1 - self.black_dn) * step_e)


def _black_level(owner: str, name: str, level: int | None) -> None:
    if level is not None and (isinstance(level, bool) or not isinstance(level, int) or level < 0):
        raise InputError(
            f"{owner}: {name} must be a whole number of at least 0, or None for six times the read "
            f"noise; got {level!r}"
        )
