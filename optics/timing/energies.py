"""Energy of a layer by part, in joules."""

from __future__ import annotations

from dataclasses import dataclass, fields

from optics.system import FourF
from optics.timing.schedule import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Electricity of a layer for its whole batch.

    Attributes:
        laser_j: electricity of the laser.
        input_j: input modulator with its driver.
        filter_j: filter modulator with its driver.
        camera_j: camera.
        dac_j: conversions of written pixels, where the modulators' power does not hold them.
        adc_j: conversions of read pixels, where the camera's power does not hold them.
        host_j: electronics at the link's other end, and the link with them.
    """

    laser_j: float = 0.0
    input_j: float = 0.0
    filter_j: float = 0.0
    camera_j: float = 0.0
    dac_j: float = 0.0
    adc_j: float = 0.0
    host_j: float = 0.0

    @property
    def total_j(self) -> float:
        """Of all parts."""
        return float(sum(self.by_part.values()))

    @property
    def by_part(self) -> dict[str, float]:
        """Joules by the part's name, without the unit."""
        return {f.name.removesuffix("_j"): getattr(self, f.name) for f in fields(self)}

    def __add__(self, other: Energy) -> Energy:
        """Return the sum, part by part."""
        return Energy(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )


def energy(system: FourF, timing: Timing) -> Energy:
    """Return the energy of a layer: every part draws its power from first pattern to last result.

    The laser stays on while modulators settle and while the system waits for the link.
    Converters that count by conversion are added by the pixels that were written and read.
    """
    time_s, moved = timing.total_s, timing.traffic
    dac_j = moved.input_pixels * system.input.dac_energy_j
    dac_j += moved.filter_pixels * system.filter.dac_energy_j
    return Energy(
        laser_j=system.laser.electrical_power_w * time_s,
        input_j=system.input.power_w * time_s,
        filter_j=system.filter.power_w * time_s,
        camera_j=system.camera.power_w * time_s,
        dac_j=dac_j,
        adc_j=moved.camera_pixels * system.camera.adc_energy_j,
        host_j=system.host.power_w * time_s,
    )
