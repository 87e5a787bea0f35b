"""Free space and ideal lenses, by five methods that refuse what they would alias."""

from optics.propagation.angular import angular_limit_m, angular_spectrum
from optics.propagation.fresnel import fresnel_impulse, fresnel_transfer
from optics.propagation.matrix import fourier_lens, fresnel_matrix, matrix_fourier

__all__ = [
    "angular_limit_m",
    "angular_spectrum",
    "fourier_lens",
    "fresnel_impulse",
    "fresnel_matrix",
    "fresnel_transfer",
    "matrix_fourier",
]
