"""Light and noise of an exposure in closed form, as the simulated camera has them."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

from optics.signs import Pass
from optics.system import FourF


@dataclass(frozen=True, slots=True, kw_only=True)
class LightBudget:
    """Light and noise of one camera pixel in the image of a pixel that is fully on.

    The filter is clear. A filter that shows kernels sends on less: multiply ``electrons`` by the
    power of a kernel's brightest output over that of its input, and by its encoding's efficiency.

    Attributes:
        photons: photons in the image of one input pixel in one exposure, P t / (h ν) η_light /
            pixels.
        electrons: electrons of these photons in one camera pixel, before it saturates.
        noise_e: standard deviation of the reading, √(shot + dark + read² + step²/12).
        dark_noise_e: standard deviation of a reading without light, √(dark + read² + step²/12).
        full_share: electrons over those that the pixel or its converter takes, dark taken off; 0
            where it takes any number.
        saturated: whether the light is more than the pixel or its converter takes.
    """

    photons: float
    electrons: float
    noise_e: float
    dark_noise_e: float
    full_share: float
    saturated: bool

    @classmethod
    def of(cls, system: FourF, share: float = 1.0) -> LightBudget:
        """Return the budget of a system's exposure, of whose light ``share`` is let through."""
        camera, (rows, columns) = system.camera, system.input.pixels
        photons = system.laser.photons_per_s * camera.exposure_s / (rows * columns)
        photons *= system.efficiency * system.input.fill_factor**2 * system.filter.fill_factor**2
        area = (system.input.pitch_m * abs(system.magnification) / camera.pitch_m) ** 2
        electrons = photons * camera.quantum_efficiency / area * share
        step_e = camera.electrons_per_dn or 0.0
        counted = min(electrons + camera.dark_e, camera.saturation_e)
        still = camera.read_noise_e**2 + step_e**2 / 12
        room_e = camera.saturation_e - camera.dark_e
        return cls(
            photons=photons * share,
            electrons=electrons,
            noise_e=math.sqrt(counted + still),
            dark_noise_e=math.sqrt(camera.dark_e + still),
            full_share=electrons / room_e if room_e > 0 else math.inf,
            saturated=electrons + camera.dark_e > camera.saturation_e,
        )

    @property
    def snr(self) -> float:
        """Signal over noise of the reading; 0 where it is saturated."""
        return 0.0 if self.saturated else self.electrons / self.noise_e

    @property
    def field_snr(self) -> float:
        """Signal over noise of its root, the field: twice as much."""
        return 2 * self.snr

    def effective_bits(self, passes: Sequence[Pass]) -> float:
        """Return the bits of an ideal converter that errs as much as the noise of a signed field.

        A converter of b bits over a range R errs by R / 2^b / √12 rms, so that b = log2(R / (σ
        √12)). R is from the negative to the positive of the brightest field, √electrons, and σ the
        noise of a sign scheme's field there (`optics.detection`), shot noise, dark, read noise and
        rounding together. All exposures are taken as bright as the brightest, which is the most
        noise. A reference beam is as bright as the brightest field, both together as bright as the
        brightest reading. It is 0 where the field is lost in the noise, or saturates.

        Args:
            passes: exposures of the scheme.
        """
        if self.saturated or self.electrons <= 0.0:
            return 0.0
        span, variance = self._signed(passes)
        return max(0.0, math.log2(span / math.sqrt(12.0 * variance)))

    def _signed(self, passes: Sequence[Pass]) -> tuple[float, float]:
        """Return the range of the signed field, √electrons, and its variance, electrons."""
        root_e, still = math.sqrt(self.electrons), self.dark_noise_e**2
        phases = [cmath.phase(one.reference) for one in passes if one.reference]
        if not phases:
            each = (self.electrons + still) / (4 * max(self.electrons, 1.0))
            return (2.0 if len(passes) > 1 else 1.0) * root_e, len(passes) * each
        half, frames = root_e / 2, len(set(phases))
        readings = [abs(half + cmath.rect(half, phase)) ** 2 for phase in phases]
        if frames == 1:
            weights = [1 / (2 * math.sqrt(max(one, 1.0))) for one in readings]
        else:
            scale = half * (4 if frames == 2 else frames)
            weights = [math.cos(phase) / scale for phase in phases]
        pairs = zip(readings, weights, strict=True)
        return root_e, sum((one + still) * weight**2 for one, weight in pairs)
