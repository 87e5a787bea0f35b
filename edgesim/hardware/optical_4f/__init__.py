"""4f optical accelerators: the analytic twin of the system that `optics` simulates."""

from edgesim.hardware.optical_4f.device import Layer, Optical4F

__all__ = ["Layer", "Optical4F"]
