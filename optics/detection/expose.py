"""All exposures of a sign scheme: from the fields at the camera to its readings."""

from __future__ import annotations

import torch
from torch import Tensor

from optics.camera import Camera
from optics.detection.electrons import detect
from optics.detection.passes import Scheme
from optics.detection.shots import FieldItself
from optics.errors import InputError
from optics.grid import REAL


def expose(
    fields: Tensor,
    scheme: Scheme,
    camera: Camera,
    *,
    generator: torch.Generator | None = None,
    noise: bool = True,
) -> Tensor:
    """Return the readings (passes, ...) in electrons, for :meth:`Scheme.combine`.

    I = detect(|u + reference|² / η): ``fields`` are told in √electrons, of those that the camera
    would count, so that |u|² = ηN. :class:`FieldItself` gets the fields as they are.

    Args:
        fields: (passes, ...), complex or real, of each pass of the scheme in its order.
        scheme: whose references are added.
        camera: what detects.
        generator: as in :func:`detect`.
        noise: as in :func:`detect`.

    Raises:
        InputError: fields of another number of passes, or a reference whose single frame is too
            weak for the field, which would lose signs.
    """
    passes = scheme.passes
    if fields.dim() < 1 or fields.shape[0] != len(passes):
        raise InputError(
            f"{scheme.name}: fields must be (passes, ...) with {len(passes)} passes; "
            f"{tuple(fields.shape)} came"
        )
    if isinstance(scheme, FieldItself):
        return fields
    references = [shown.reference for shown in passes]
    if any(references):
        real = REAL.get(fields.dtype, fields.dtype)
        values = torch.view_as_complex(
            torch.tensor([(r.real, r.imag) for r in references], dtype=real, device=fields.device)
        )
        _check_reference(fields, scheme, references)
        fields = fields + values.view(-1, *[1] * (fields.dim() - 1))
    if fields.is_complex():
        intensity = fields.real.square() + fields.imag.square()
    else:
        intensity = fields.square()
    return detect(intensity / camera.quantum_efficiency, camera, generator=generator, noise=noise)


def _check_reference(fields: Tensor, scheme: Scheme, references: list[complex]) -> None:
    if len(set(references)) > 1 or fields.numel() == 0:
        return
    least = float(fields.detach().real.amin())
    if least < -abs(references[0]):
        raise InputError(
            f"{scheme.name}: a single frame needs a reference of at least {least**2:.6g} electrons "
            f"for a field that falls to {least:.6g}; {abs(references[0]) ** 2:.6g} came, which "
            "would lose signs: take more, or two or more frames of a reference beam"
        )
