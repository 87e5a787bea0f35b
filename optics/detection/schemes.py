"""Sign schemes of exposures one after the other, all schemes by name, and the readings of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from optics.camera import Camera
from optics.detection.electrons import detect
from optics.detection.passes import Scheme, check_reference, count_passes, root
from optics.detection.reference import InField, ReferenceBeam
from optics.errors import InputError
from optics.grid import REAL, squared_modulus
from optics.signs import FOUR_SHOT, TWO_SHOT, WHOLE, Pass


@dataclass(frozen=True, slots=True)
class FieldItself:
    """No camera: the field's real part is known. For tests and for the ideal road."""

    name: ClassVar[str] = "field"
    passes: ClassVar[tuple[Pass, ...]] = WHOLE
    """One, of everything as it is."""

    signed_inputs: ClassVar[bool] = True

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the only reading, a field."""
        count_passes(self.name, readings, 1)
        return readings[0].real

    def variance(self, readings: Tensor, camera: Camera) -> Tensor:
        """Return 0."""
        return torch.zeros_like(readings[0].real)


@dataclass(frozen=True, slots=True)
class TwoShot(Scheme):
    """Positive and negative kernels one after the other, for images that are not negative.

    Each field is not negative, so that a root gives it: y = √I₊ - √I₋. Shot noise leaves a
    variance of 1/4 + 1/4 = 1/2 electron, whatever the light. The bias of the root at few photons is
    described at :func:`root`; where both passes are equal it cancels.
    """

    name: ClassVar[str] = "two-shot"
    passes: ClassVar[tuple[Pass, ...]] = TWO_SHOT
    """Positive kernels, then negative ones."""

    signed_inputs: ClassVar[bool] = False

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I₊ - √I₋."""
        count_passes(self.name, readings, 2)
        return root(readings[0]) - root(readings[1])


@dataclass(frozen=True, slots=True)
class FourShot(Scheme):
    """Positive and negative images with positive and negative kernels, four exposures.

    y = √I₊₊ - √I₊₋ - √I₋₊ + √I₋₋; the first sign is of the images. Shot noise leaves a variance of
    4/4 = 1 electron, whatever the light.
    """

    name: ClassVar[str] = "four-shot"
    passes: ClassVar[tuple[Pass, ...]] = FOUR_SHOT
    """Images positive with kernels positive and negative, then images negative."""

    signed_inputs: ClassVar[bool] = True

    def combine(self, readings: Tensor) -> Tensor:
        """Return √I₊₊ - √I₊₋ - √I₋₊ + √I₋₋."""
        count_passes(self.name, readings, 4)
        return root(readings[0]) - root(readings[1]) - (root(readings[2]) - root(readings[3]))


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


def expose(
    fields: Tensor,
    scheme: Scheme,
    camera: Camera,
    *,
    generator: torch.Generator | None = None,
    noise: bool = True,
) -> Tensor:
    """Return the readings (passes, ...) in electrons, for :meth:`Scheme.combine`.

    I = detect(|u + reference|² / η): ``fields`` are in √electrons, of those that the camera
    would count, so that |u|² = ηN. :class:`FieldItself` gets the fields as they are.

    Args:
        fields: (passes, ...), complex or real, of each pass of the scheme in its order.
        scheme: scheme whose references are added.
        camera: camera that detects the light.
        generator: generator of noise, as in :func:`detect`.
        noise: whether noise is drawn, as in :func:`detect`.

    Raises:
        InputError: fields of another number of passes, or a reference whose single frame is too
            weak for the field, which would lose signs.
    """
    passes = scheme.passes
    count_passes(scheme.name, fields, len(passes), "fields")
    if isinstance(scheme, FieldItself):
        return fields
    references = [shown.reference for shown in passes]
    if any(references):
        real = REAL.get(fields.dtype, fields.dtype)
        values = torch.view_as_complex(
            torch.tensor([(r.real, r.imag) for r in references], dtype=real, device=fields.device)
        )
        check_reference(scheme, fields)
        fields = fields + values.view(-1, *[1] * (fields.dim() - 1))
    intensity = fields.square() if not fields.is_complex() else squared_modulus(fields)
    return detect(intensity / camera.quantum_efficiency, camera, generator=generator, noise=noise)
