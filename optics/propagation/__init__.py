"""Free space and ideal lenses, by methods that refuse what they would alias."""

from optics.propagation.angular import angular_limit_m, angular_spectrum
from optics.propagation.automatic import AliasingWarning, Method, Propagation, propagate
from optics.propagation.chirpz import angular_window, chirp_fourier, chirp_z
from optics.propagation.extended import band_extended
from optics.propagation.fresnel import fresnel_impulse, fresnel_transfer
from optics.propagation.matrix import fourier_lens, fresnel_matrix, matrix_fourier
from optics.propagation.sommerfeld import rayleigh_sommerfeld

__all__ = [
    "AliasingWarning",
    "Method",
    "Propagation",
    "angular_limit_m",
    "angular_spectrum",
    "angular_window",
    "band_extended",
    "chirp_fourier",
    "chirp_z",
    "fourier_lens",
    "fresnel_impulse",
    "fresnel_matrix",
    "fresnel_transfer",
    "matrix_fourier",
    "propagate",
    "rayleigh_sommerfeld",
]
