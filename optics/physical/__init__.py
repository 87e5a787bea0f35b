"""The physical road: light through every part of a 4f system, with the limits of each."""

from optics.physical.bench import Bench, Pupils, Sampling
from optics.physical.conv import Exposed, physical_convolution
from optics.physical.geometry import Geometry

__all__ = [
    "Bench",
    "Exposed",
    "Geometry",
    "Pupils",
    "Sampling",
    "physical_convolution",
]
