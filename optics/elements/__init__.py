"""Optical elements as ``torch.nn`` modules on fields, to be put one behind the other."""

from optics.elements.coherence import (
    ExtendedSource,
    incoherent_image,
    partially_coherent_image,
    point_spread,
    transfer_function,
    wavelengths_apart,
)
from optics.elements.masks import Aperture, Grating, Mask, PhaseMask, Segments, ThinLens
from optics.elements.sources import GaussianBeam, PlaneWave, PointSource
from optics.elements.space import FourierLens, FreeSpace, Relay

__all__ = [
    "Aperture",
    "ExtendedSource",
    "FourierLens",
    "FreeSpace",
    "GaussianBeam",
    "Grating",
    "Mask",
    "PhaseMask",
    "PlaneWave",
    "PointSource",
    "Relay",
    "Segments",
    "ThinLens",
    "incoherent_image",
    "partially_coherent_image",
    "point_spread",
    "transfer_function",
    "wavelengths_apart",
]
