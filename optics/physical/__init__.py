"""The physical road: light through every part of a 4f system, with the limits of each."""

from optics.physical.bench import Bench, Pupils, Sampling, WavelengthWarning
from optics.physical.conv import Exposed, GrayWarning, physical_convolution
from optics.physical.geometry import Geometry

__all__ = [
    "Bench",
    "Exposed",
    "Geometry",
    "GrayWarning",
    "Pupils",
    "Sampling",
    "WavelengthWarning",
    "physical_convolution",
]
