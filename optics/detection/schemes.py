"""Signed sums from intensities: which passes light takes, and what is made of their readings."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from optics.camera import Camera
from optics.checks import positive
from optics.detection.root import root
from optics.errors import InputError
from optics.modulator import Modulator

Part = Literal["whole", "positive", "negative"]
"""What is shown of signed numbers: themselves, or max(v, 0), or max(-v, 0)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One exposure of a frame.

    Attributes:
        inputs: what part of the images is shown.
        kernels: what part of the kernels is shown.
        reference: uniform field added at the camera, in √electrons, with its phase; 0 is none.
    """

    inputs: Part = "whole"
    kernels: Part = "whole"
    reference: complex = 0


class Scheme(Protocol):
    """How a signed field, in √electrons at the camera, is told from intensities.

    A frame takes ``len(passes)`` exposures. Channels that share a frame are summed as fields, by
    light. Channels of different frames are summed *after* ``combine``, by electronics: a sum of
    intensities is not the intensity of a sum.
    """

    name: ClassVar[str]
    """What it is called in :data:`SCHEMES`."""

    extra_channels: ClassVar[int]
    """Channels that it adds to those of the layer on the input plane."""

    @property
    def passes(self) -> tuple[Pass, ...]:
        """What each exposure shows."""
        ...

    @property
    def signed_inputs(self) -> bool:
        """Whether it shows the negative part of images by itself; see :func:`check_images`."""
        ...

    def combine(self, readings: Tensor) -> Tensor:
        """Return the signed field (...), √electrons, of readings (passes, ...) in electrons."""
        ...

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return the variance (...) of ``combine`` in electrons, to first order in the noise.

        Args:
            readings: mean electrons of each pass without dark, (passes, ...).
            camera: whose dark, read and rounding noise is added to the shot noise.
        """
        ...


@dataclass(frozen=True, slots=True)
class FieldItself:
    """No camera at all: the field's real part is known. For tests and for the ideal road."""

    name: ClassVar[str] = "field"
    extra_channels: ClassVar[int] = 0

    @property
    def passes(self) -> tuple[Pass, ...]:
        """One, of everything as it is."""
        return (Pass(),)

    @property
    def signed_inputs(self) -> bool:
        """Always."""
        return True

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the only reading, a field."""
        _count(self.name, readings, 1)
        return readings[0].real

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return 0."""
        return torch.zeros_like(readings[0].real)


@dataclass(frozen=True, slots=True)
class TwoShot:
    """Positive and negative kernels one after the other, for images that are not negative.

    Each field is not negative, so that a root tells it: y = √I₊ - √I₋. Shot noise leaves a
    variance of 1/4 + 1/4 = 1/2 electron, whatever the light. The root's lack at few photons is
    told at :func:`root`; where both passes are alike it cancels.
    """

    name: ClassVar[str] = "two-shot"
    extra_channels: ClassVar[int] = 0

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Positive kernels, then negative ones."""
        return Pass(kernels="positive"), Pass(kernels="negative")

    @property
    def signed_inputs(self) -> bool:
        """Never."""
        return False

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I₊ - √I₋."""
        _count(self.name, readings, 2)
        return root(readings[0]) - root(readings[1])

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return Σ v/(4I), v the variance of each reading."""
        return _root_variance(readings, camera)


@dataclass(frozen=True, slots=True)
class FourShot:
    """Positive and negative images with positive and negative kernels, four exposures.

    y = √I₊₊ - √I₊₋ - √I₋₊ + √I₋₋; the first sign is of the images. Shot noise leaves a variance of
    4/4 = 1 electron, whatever the light.
    """

    name: ClassVar[str] = "four-shot"
    extra_channels: ClassVar[int] = 0

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Images positive with kernels positive and negative, then images negative."""
        parts: tuple[Part, Part] = ("positive", "negative")
        return tuple(Pass(images, kernels) for images in parts for kernels in parts)

    @property
    def signed_inputs(self) -> bool:
        """Always."""
        return True

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I₊₊ - √I₊₋ - √I₋₊ + √I₋₋."""
        _count(self.name, readings, 4)
        return root(readings[0]) - root(readings[1]) - (root(readings[2]) - root(readings[3]))

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return Σ v/(4I), v the variance of each reading."""
        return _root_variance(readings, camera)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceBeam:
    """A uniform coherent beam of R electrons beside the field u, which may have any sign.

    r = √R. One frame: I = (r + u)², so u = √I - r; it needs r ≥ -u everywhere, and leaves a shot
    variance of 1/4. Two frames, of phases 0 and π: u = (I₀ - I_π)/(4r), without a root and so
    exact in the mean; variance (R + u²)/(8R), which tends to 1/8. K ≥ 3 frames of phases
    φ_k = 2πk/K: u = Σ I_k exp(iφ_k)/(K r), complex, exact in the mean; its real part has the
    variance Σ I_k cos²φ_k/(K r)², which tends to 1/(2K). (Phase shifting: Bruning et al., Appl.
    Opt. 13:2693, 1974.)

    Attributes:
        electrons: of the reference alone, in each pixel and exposure, R.
        frames: phases, at least 1.
        split_inputs: show positive and negative images one after the other, on a modulator that
            shows no negative ones; twice the exposures, and twice the variance.

    Raises:
        InputError: ``electrons`` is not above 0, or ``frames`` below 1.
    """

    electrons: float
    frames: int = 4
    split_inputs: bool = False

    name: ClassVar[str] = "reference"
    extra_channels: ClassVar[int] = 0

    def __post_init__(self) -> None:
        positive("reference beam", "electrons", self.electrons)
        if isinstance(self.frames, bool) or not isinstance(self.frames, int) or self.frames < 1:
            raise InputError(
                f"reference beam: frames must be a whole number of at least 1; {self.frames!r} came"
            )

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Every phase; with split inputs first of positive, then of negative images."""
        parts: tuple[Part, ...] = ("positive", "negative") if self.split_inputs else ("whole",)
        amplitude = math.sqrt(self.electrons)
        references = [cmath.rect(amplitude, phase) for phase in self.phases_rad]
        return tuple(Pass(images, "whole", made) for images in parts for made in references)

    @property
    def phases_rad(self) -> tuple[float, ...]:
        """Phase of the reference in each frame."""
        return tuple(2 * math.pi * k / self.frames for k in range(self.frames))

    @property
    def signed_inputs(self) -> bool:
        """With split inputs."""
        return self.split_inputs

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the field."""
        _count(self.name, readings, len(self.passes))
        shots = _frames(readings, self.frames)
        amplitude = math.sqrt(self.electrons)
        if self.frames == 1:
            fields = root(shots[:, 0]) - amplitude
        else:
            fields = torch.einsum("pk...,k->p...", shots, self._weights(readings))
        return fields[0] - fields[1] if self.split_inputs else fields[0]

    def field(self, readings: Tensor) -> Tensor:
        """Return the complex field of three or more frames.

        Raises:
            InputError: fewer frames tell no phase.
        """
        if self.frames < 3:
            raise InputError(
                f"{self.frames} frames tell no phase; take a reference beam of 3 or more"
            )
        _count(self.name, readings, len(self.passes))
        shots = _frames(readings, self.frames)
        phases = torch.tensor(self.phases_rad, dtype=torch.float64, device=readings.device)
        scale = self.frames * math.sqrt(self.electrons)
        real, imaginary = (
            torch.einsum("pk...,k->p...", shots, wave.to(readings.dtype) / scale)
            for wave in (phases.cos(), phases.sin())
        )
        fields = torch.complex(real, imaginary)
        return fields[0] - fields[1] if self.split_inputs else fields[0]

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return Σ v w², w the weight of each reading; Σ v/(4I) for a single frame."""
        if self.frames == 1:
            return _root_variance(readings, camera)
        weights = self._weights(readings).square()
        shots = _frames(_variances(readings, camera), self.frames)
        return torch.einsum("pk...,k->...", shots, weights)

    def _weights(self, readings: Tensor) -> Tensor:
        phases = torch.tensor(self.phases_rad, dtype=torch.float64, device=readings.device)
        # Two frames see the real part alone, twice as strongly.
        scale = math.sqrt(self.electrons) * (4 if self.frames == 2 else self.frames)
        return (phases.cos() / scale).to(readings.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class InField:
    """All channels and a bright one more, summed as fields before detection; one exposure.

    The extra channel, a tile of the input plane with a kernel of its own, adds R electrons of
    in-phase light to every output, so that the sum is not negative: y = √I - √R. It takes no second
    beam, but a tile in every frame, and r = √R ≥ -u everywhere. The variance is that of a
    reference beam of one frame, 1/4 by shot noise.

    Attributes:
        electrons: of the extra channel alone, in each pixel and exposure, R.

    Raises:
        InputError: ``electrons`` is not above 0.
    """

    electrons: float

    name: ClassVar[str] = "in-field"
    extra_channels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        positive("in-field sum", "electrons", self.electrons)

    @property
    def passes(self) -> tuple[Pass, ...]:
        """One."""
        return (Pass(reference=complex(math.sqrt(self.electrons))),)

    @property
    def signed_inputs(self) -> bool:
        """Never: images with signs take a modulator that shows them, or split inputs."""
        return False

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I - √R."""
        _count(self.name, readings, 1)
        return root(readings[0]) - math.sqrt(self.electrons)

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return v/(4I), v the variance of the reading."""
        return _root_variance(readings, camera)


SCHEMES: Mapping[str, type[Scheme]] = MappingProxyType(
    {kind.name: kind for kind in (FieldItself, TwoShot, FourShot, ReferenceBeam, InField)}
)
"""The schemes by name."""


def scheme(name: str, **figures: float) -> Scheme:
    """Return the scheme called ``name``, made with ``figures`` (as ``electrons``, ``frames``).

    Raises:
        InputError: there is none of that name, or the figures are not its own.
    """
    if name not in SCHEMES:
        raise InputError(f"no sign scheme is called {name!r}; there are {', '.join(SCHEMES)}")
    try:
        return SCHEMES[name](**figures)
    except TypeError as error:
        raise InputError(f"sign scheme {name!r}: {error}") from None


def check_images(images: Tensor, scheme: Scheme, modulator: Modulator) -> None:
    """Refuse images whose signs would be lost.

    Raises:
        InputError: there are negative values, which the scheme does not split off, and kernels are
            split, so that fields must not be negative, or the modulator shows none.
    """
    if scheme.signed_inputs or images.numel() == 0:
        return
    least = float(images.detach().amin())
    if least >= 0:
        return
    if any(shown.kernels != "whole" for shown in scheme.passes):
        raise InputError(
            f"{scheme.name} takes images at or above 0; {least:g} came: take four-shot, or a "
            "reference beam"
        )
    if modulator.kind in ("lcos-amplitude", "dmd"):
        raise InputError(
            f"{modulator.name} shows no negative values; {least:g} came: take four-shot, or a "
            "reference beam with split_inputs=True"
        )


def part(values: Tensor, which: Part) -> Tensor:
    """Return what is shown of signed ``values``: themselves, max(v, 0), or max(-v, 0)."""
    if which == "whole":
        return values
    return torch.relu(values if which == "positive" else -values)


def _count(name: str, readings: Tensor, passes: int) -> None:
    if readings.dim() < 1 or readings.shape[0] != passes:
        raise InputError(
            f"{name}: readings must be (passes, ...) with {passes} passes; "
            f"{tuple(readings.shape)} came"
        )


def _frames(readings: Tensor, frames: int) -> Tensor:
    return readings.reshape(-1, frames, *readings.shape[1:])


def _variances(readings: Tensor, camera: Camera) -> Tensor:
    step_e = camera.electrons_per_dn or 0.0
    return readings + (camera.dark_e + camera.read_noise_e**2 + step_e**2 / 12)


def _root_variance(readings: Tensor, camera: Camera) -> Tensor:
    # Below one electron the first order says nothing; its derivative is bounded as the root's is.
    return (_variances(readings, camera) / (4 * readings.clamp(min=1))).sum(0)
