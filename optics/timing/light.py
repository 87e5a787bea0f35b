"""Light and noise of an exposure in closed form, as the simulated camera has them."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
        saturated: whether the light is more than the pixel or its converter takes.
    """

    photons: float
    electrons: float
    noise_e: float
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
        return cls(
            photons=photons * share,
            electrons=electrons,
            noise_e=math.sqrt(counted + camera.read_noise_e**2 + step_e**2 / 12),
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
