"""Signs from light added to the field: a reference beam, or one more bright channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from optics.camera import Camera
from optics.checks import positive
from optics.detection.passes import Scheme, count_passes, reading_variance, root
from optics.errors import InputError
from optics.signs import Pass, reference_passes, reference_phases_rad


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceBeam(Scheme):
    """A uniform coherent beam of R electrons beside the field u, which may have any sign.

    r = √R. One frame: I = (r + u)², so u = √I - r; it needs r ≥ -u everywhere, and leaves a shot
    variance of 1/4. Two frames, of phases 0 and π: u = (I₀ - I_π)/(4r), without a root and so
    exact in the mean; variance (R + u²)/(8R), which tends to 1/8. K ≥ 3 frames of phases
    φ_k = 2πk/K: u = Σ I_k exp(iφ_k)/(K r), complex, exact in the mean; its real part has the
    variance Σ I_k cos²φ_k/(K r)², which tends to 1/(2K). (Phase shifting: Bruning et al., Appl.
    Opt. 13:2693, 1974.)

    Attributes:
        electrons: electrons of the reference alone, in each pixel and exposure, R.
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

    def __post_init__(self) -> None:
        positive("reference beam", "electrons", self.electrons)
        if isinstance(self.frames, bool) or not isinstance(self.frames, int) or self.frames < 1:
            raise InputError(
                f"reference beam: frames must be a whole number of at least 1; got {self.frames!r}"
            )

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Every phase; with split inputs first of positive, then of negative images."""
        return reference_passes(
            self.frames, electrons=self.electrons, split_inputs=self.split_inputs
        )

    @property
    def signed_inputs(self) -> bool:
        """With split inputs."""
        return self.split_inputs

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the field."""
        shots = self._frames(readings)
        amplitude = math.sqrt(self.electrons)
        if self.frames == 1:
            fields = root(shots[:, 0]) - amplitude
        else:
            fields = torch.einsum("pk...,k->p...", shots, self._weights(readings))
        return fields[0] - fields[1] if self.split_inputs else fields[0]

    def field(self, readings: Tensor) -> Tensor:
        """Return the complex field of three or more frames.

        Raises:
            InputError: there are fewer than three frames, which give no phase.
        """
        if self.frames < 3:
            raise InputError(
                f"{self.frames} frames give no phase; take a reference beam of 3 or more"
            )
        shots, phases = self._frames(readings), self._phases(readings)
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
            return Scheme.variance(self, readings, camera)
        weights = self._weights(readings).square()
        shots = self._frames(reading_variance(readings, camera))
        return torch.einsum("pk...,k->...", shots, weights)

    def _weights(self, readings: Tensor) -> Tensor:
        # Two frames see the real part alone, twice as strongly.
        scale = math.sqrt(self.electrons) * (4 if self.frames == 2 else self.frames)
        return (self._phases(readings).cos() / scale).to(readings.dtype)

    def _phases(self, readings: Tensor) -> Tensor:
        phases = reference_phases_rad(self.frames)
        return torch.tensor(phases, dtype=torch.float64, device=readings.device)

    def _frames(self, readings: Tensor) -> Tensor:
        """Return readings (parts of images, frames, ...)."""
        count_passes(self.name, readings, len(self.passes))
        return readings.reshape(-1, self.frames, *readings.shape[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class InField(Scheme):
    """All channels and one more bright channel, summed as fields before detection; one exposure.

    The extra channel, a tile of the input plane with a kernel of its own, adds R electrons of
    in-phase light to every output, so that the sum is not negative: y = √I - √R. It takes no second
    beam, but a tile in every frame, and r = √R ≥ -u everywhere. The variance is that of a
    reference beam of one frame, 1/4 by shot noise.

    Attributes:
        electrons: electrons of the extra channel alone, in each pixel and exposure, R.

    Raises:
        InputError: ``electrons`` is not above 0.
    """

    electrons: float

    name: ClassVar[str] = "in-field"
    signed_inputs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        positive("in-field sum", "electrons", self.electrons)

    @property
    def passes(self) -> tuple[Pass, ...]:
        """One."""
        return (Pass(reference=complex(math.sqrt(self.electrons))),)

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I - √R."""
        count_passes(self.name, readings, 1)
        return root(readings[0]) - math.sqrt(self.electrons)
