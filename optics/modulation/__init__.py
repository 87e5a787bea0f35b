"""What a modulator does to light: reachable levels, crosstalk, flicker, and the shape of pixels."""

from optics.modulation.levels import reached
from optics.modulation.pixel import axis_sample, transmission

__all__ = ["axis_sample", "reached", "transmission"]
