"""Incoherent and partially coherent 4f systems, and wavelengths side by side.

Light is scalar: polarisation is not modelled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from optics.checks import finite, positive
from optics.errors import InputError, SamplingError
from optics.field import Field, require_finite
from optics.grid import centred_fft2, centred_ifft2, coordinates, squared_modulus


def point_spread(pupil: Tensor) -> Tensor:
    """Return |PSF|² of a pupil, (..., H, W), with the sum Σ |P|² / (H W).

    The response to a point on the axis, |F⁻¹ P|², on the integer-centred grid (Goodman, ch. 6).

    Args:
        pupil: P on the discrete frequencies, sample (H // 2, W // 2) the frequency 0.
    """
    rows, columns = pupil.shape[-2:]
    return squared_modulus(centred_ifft2(pupil)) / (rows * columns)


def transfer_function(pupil: Tensor) -> Tensor:
    """Return the optical transfer function of a pupil, (..., H, W), 1 at the frequency 0.

    The autocorrelation of P over its power: it reaches to twice the coherent cut-off. Samples are
    frequencies as those of the pupil, which must be dark beyond half of them: only then does the
    autocorrelation not meet its repetition (Goodman, ch. 6).

    Raises:
        SamplingError: the pupil is open beyond half of the frequencies.
    """
    rows, columns = pupil.shape[-2:]
    for axis, count in ((-2, rows), (-1, columns)):
        far = (coordinates(count, 1.0, device=pupil.device).abs() > count / 4).nonzero().flatten()
        if bool((pupil.index_select(axis, far) != 0).any()):
            raise SamplingError(
                "the pupil is open beyond half of the highest frequency, so that intensities, of "
                "twice the bandwidth, alias; take a pitch of half of this one"
            )
    spectrum = centred_fft2(point_spread(pupil).to(pupil.dtype)) * math.sqrt(rows * columns)
    return spectrum / spectrum[..., rows // 2 : rows // 2 + 1, columns // 2 : columns // 2 + 1]


def incoherent_image(intensity: Tensor, pupil: Tensor) -> Tensor:
    """Return the image of an incoherent object, intensity convolved with |PSF|², upright.

    Each point of the object has a phase of its own, which changes much faster than a camera
    exposes, so that intensities add up: I' = Σ I(x') |h(x - x')|² (Goodman, ch. 6). The window
    repeats periodically; pad it with dark samples as wide as the PSF.

    Args:
        intensity: (..., H, W), real, at or above 0.
        pupil: P on the discrete frequencies (..., H, W), complex or real, dark beyond half of them.

    Raises:
        SamplingError: as :func:`transfer_function`.
        InputError: intensities below 0 or not finite, or another plane than the pupil's.
    """
    require_finite(intensity, "an incoherent object")
    if intensity.numel() and float(intensity.detach().amin()) < 0:
        raise InputError(
            f"intensities are at or above 0; got {float(intensity.detach().amin()):g}: show signed "
            "images in two exposures, positive and negative"
        )
    if intensity.shape[-2:] != pupil.shape[-2:]:
        raise InputError(
            f"the pupil must be of the object's plane, {tuple(intensity.shape[-2:])}; "
            f"got {tuple(pupil.shape[-2:])}"
        )
    transfer_function(pupil)  # refuses what would alias
    light = (
        pupil if pupil.is_complex() else pupil.to(torch.promote_types(pupil.dtype, torch.cfloat))
    )
    spectrum = centred_fft2(point_spread(light).to(light.dtype))
    rows, columns = pupil.shape[-2:]
    made: Tensor = centred_ifft2(centred_fft2(intensity.to(light.dtype)) * spectrum)
    return made.real * math.sqrt(rows * columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedSource:
    """An extended or broad source behind a collimating lens, by sampled modes.

    Each mode is a plane wave of one wavelength and one direction, which interferes with itself
    alone; intensities of modes add up with their weights (Abbe's method; Goodman, Statistical
    Optics, ch. 7).

    Attributes:
        wavelengths_m: wavelengths, (modes).
        sines: direction cosines (down, right), (modes, 2).
        weights: share of the power of each mode; they sum to 1.
    """

    wavelengths_m: tuple[float, ...]
    sines: tuple[tuple[float, float], ...]
    weights: tuple[float, ...]

    @classmethod
    def of(
        cls,
        wavelength_m: float,
        *,
        radius_sine: float = 0.0,
        bandwidth_m: float = 0.0,
        rings: int = 4,
        lines: int = 5,
    ) -> ExtendedSource:
        """Return the modes of an even disc of directions and a Gaussian line.

        Directions are rings of equal area, ring k with 6k points, at the area's middle radius.
        Wavelengths are Gauss-Hermite points of the line.

        Args:
            wavelength_m: middle of the line.
            radius_sine: sine of the source's half angle, source radius over collimator's focal
                length; 0 is a point.
            bandwidth_m: full width of the line at half of its maximum; 0 is one wavelength.
            rings: rings of directions around the middle one.
            lines: wavelengths.

        Raises:
            InputError: a figure is out of its range.
        """
        import numpy as np

        positive("source", "wavelength_m", wavelength_m)
        for name, value in (("radius_sine", radius_sine), ("bandwidth_m", bandwidth_m)):
            finite("source", name, value)
            if value < 0:
                raise InputError(f"source: {name} must be at or above 0; got {value!r}")
        directions = [(0.0, 0.0)]
        if radius_sine > 0:
            area = 1 + 3 * rings * (rings + 1)
            for ring in range(1, rings + 1):
                inner, outer = 1 + 3 * ring * (ring - 1), 1 + 3 * ring * (ring + 1)
                at = radius_sine * math.sqrt((inner + outer) / 2 / area)
                turns = [2 * math.pi * (k + 0.5) / (6 * ring) for k in range(6 * ring)]
                directions += [(at * math.sin(turn), at * math.cos(turn)) for turn in turns]
        offsets, shares = np.polynomial.hermite_e.hermegauss(lines if bandwidth_m > 0 else 1)
        deviation_m = bandwidth_m / (2 * math.sqrt(2 * math.log(2)))
        shares = shares / shares.sum() / len(directions)
        modes = [
            (wavelength_m + deviation_m * float(offset), one, float(share))
            for offset, share in zip(offsets, shares, strict=True)
            for one in directions
        ]
        waves, sines, weights = zip(*modes, strict=True)
        return cls(wavelengths_m=waves, sines=sines, weights=weights)


def partially_coherent_image(
    amplitude: Tensor,
    pupil: Callable[[Tensor, Tensor], Tensor],
    source: ExtendedSource,
    pitch_m: tuple[float, float],
    design_m: float,
) -> Tensor:
    """Return the image of a transparent object in the light of a source's modes, upright.

    I = Σ w |F⁻¹ (P_λ · F (t e^{ik s·x}))|², mode after mode. A mask in the Fourier plane of a lens
    of focal length f lies at places λ f ν: the frequency ν of a wavelength λ meets it where that of
    ``design_m`` is ν λ / design_m. That is the filter's dispersion. A mode of one point and one
    wavelength is the coherent image; a source as wide as the pupil's own angle is nearly
    incoherent. The window repeats periodically, so that directions are moved to whole cycles over
    the window.

    Args:
        amplitude: t, (..., H, W), real or complex.
        pupil: transmission of the Fourier plane at frequencies (H, 1), (1, W) of the design
            wavelength, cycles per metre.
        source: modes of the light.
        pitch_m: pitch of the object's samples (down, right).
        design_m: wavelength for which the Fourier plane is drawn.

    Raises:
        InputError: a design wavelength that is not above 0.
    """
    positive("partially coherent image", "design_m", design_m)
    complex_type = torch.promote_types(amplitude.dtype, torch.complex64)
    light = amplitude.to(complex_type)
    rows, columns = light.shape[-2:]
    spectrum = centred_fft2(light)
    v, u = (
        coordinates(count, 1 / (count * one_m), device=light.device)
        for count, one_m in zip((rows, columns), pitch_m, strict=True)
    )
    total: Tensor | None = None
    for wavelength_m, sines, weight in zip(
        source.wavelengths_m, source.sines, source.weights, strict=True
    ):
        # A tilt moves the spectrum in the Fourier plane; the image needs no tilt back.
        cycles = [
            round(sine / wavelength_m * count * one_m)
            for sine, count, one_m in zip(sines, (rows, columns), pitch_m, strict=True)
        ]
        moved = torch.roll(spectrum, cycles, (-2, -1))
        scale = wavelength_m / design_m
        mask = pupil((v * scale)[:, None], (u * scale)[None, :]).to(complex_type)
        image = weight * squared_modulus(centred_ifft2(moved * mask))
        total = image if total is None else total + image
    assert total is not None
    return total


def wavelengths_apart(
    fields: Tensor,
    wavelengths_m: Sequence[float],
    pitch_m: float | tuple[float, float],
    pupil: Callable[[Tensor, Tensor], Tensor],
    design_m: float,
) -> Tensor:
    """Return the fields of several wavelengths behind one filter (WDM), upright.

    Channels side by side in wavelength meet one filter, each at its own scale: λ/``design_m`` times
    the frequency that the filter's places stand for (its dispersion). They do not interfere.

    Args:
        fields: (..., wavelengths, H, W), complex.
        wavelengths_m: λ of each channel.
        pitch_m: pitch of the object's samples.
        pupil: as of :func:`partially_coherent_image`.
        design_m: wavelength for which the filter is drawn.

    Returns:
        Fields (..., wavelengths, H, W).

    Raises:
        InputError: another number of wavelengths, or figures out of range.
    """
    positive("wavelengths apart", "design_m", design_m)
    if fields.dim() < 3 or fields.shape[-3] != len(wavelengths_m):
        raise InputError(
            f"fields must be (..., wavelengths, rows, columns) with {len(wavelengths_m)} "
            f"wavelengths; got {tuple(fields.shape)}"
        )
    grid = Field(fields, wavelengths_m[0], pitch_m)
    v, u = (
        coordinates(count, 1 / (count * one_m), device=fields.device)
        for count, one_m in zip(grid.shape, grid.pitch_m, strict=True)
    )
    masks = []
    for wavelength_m in wavelengths_m:
        positive("wavelengths apart", "wavelengths_m", wavelength_m)
        scale = wavelength_m / design_m
        masks.append(pupil((v * scale)[:, None], (u * scale)[None, :]))
    stacked = torch.stack(masks).to(grid.data.dtype)
    made: Tensor = centred_ifft2(centred_fft2(grid.data) * stacked)
    return made
