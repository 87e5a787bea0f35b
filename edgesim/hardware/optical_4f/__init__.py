"""4f optical accelerators: the analytic twin of the system that `optics` simulates."""

from edgesim.hardware.optical_4f.device import Optical4F
from edgesim.hardware.optical_4f.layers import Layer

__all__ = ["Layer", "Optical4F"]
