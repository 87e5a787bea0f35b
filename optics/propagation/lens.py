"""The ideal 2f system: a lens without an edge, from its front to its back focal plane."""

from __future__ import annotations

from optics.checks import finite
from optics.errors import InputError
from optics.field import Field
from optics.grid import centred_fft2


def fourier_lens(field: Field, focal_length_m: float) -> Field:
    """Return the field in the back focal plane of a lens, of that in its front focal plane.

    U(x) = 1/(iλf) ∫ u(ξ) exp(-2πi x·ξ / (λf)) dξ (Goodman, ch. 5), sampled at λf / (N dx): a
    unitary transform, which keeps power. Two in a row turn the field by 180° and give it the sign
    of two foci, -1.

    Raises:
        InputError: the focal length is not finite or not above 0.
    """
    finite("fourier_lens", "focal_length_m", focal_length_m)
    if focal_length_m <= 0:
        raise InputError(f"fourier_lens: focal_length_m must be above 0; {focal_length_m!r} came")
    scale = field.wavelength_m * focal_length_m
    pitch_m = scale / field.size_m[0], scale / field.size_m[1]
    area = (field.pitch_m[0] * field.pitch_m[1] / (pitch_m[0] * pitch_m[1])) ** 0.5
    return field.with_data(centred_fft2(field.data) * (-1j * area), pitch_m)
