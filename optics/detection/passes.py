"""Interface of a sign scheme: passes, and the field from their readings."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.autograd import Function

from optics.camera import Camera
from optics.errors import InputError
from optics.modulator import Modulator
from optics.signs import Part, Pass


class Scheme(Protocol):
    """How a signed field, in √electrons at the camera, is found from intensities.

    A frame takes ``len(passes)`` exposures. Channels that share a frame are summed as fields, by
    light. Channels of different frames are summed *after* ``combine``, by electronics: a sum of
    intensities is not the intensity of a sum.
    """

    name: ClassVar[str]
    """What it is called in :data:`SCHEMES`."""

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

        By default Σ v/(4I) over the passes, v the variance of each reading I: that of sums and
        differences of roots.

        Args:
            readings: mean electrons of each pass without dark, (passes, ...).
            camera: camera whose dark, read and rounding noise is added to the shot noise.
        """
        # Below one electron the first order says nothing; its derivative is bounded as the root's.
        return (reading_variance(readings, camera) / (4 * readings.clamp(min=1))).sum(0)


def part(values: Tensor, which: Part) -> Tensor:
    """Return what is shown of signed ``values``: themselves, max(v, 0), or max(-v, 0)."""
    if which == "whole":
        return values
    return torch.relu(values if which == "positive" else -values)


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
            f"{scheme.name} takes images at or above 0; got {least:g}: take four-shot, or a "
            "reference beam"
        )
    if modulator.kind in ("lcos-amplitude", "dmd"):
        raise InputError(
            f"{modulator.name} shows no negative values; got {least:g}: take four-shot, or a "
            "reference beam with split_inputs=True"
        )


def check_reference(scheme: Scheme, fields: Tensor, unit_e: float = 1.0) -> None:
    """Refuse fields whose signs a single frame's reference would lose.

    Args:
        scheme: scheme whose passes have references; with several different references no signs are
            lost.
        fields: fields at the camera, real or complex, in units of √``unit_e``.
        unit_e: electrons of a field of 1.

    Raises:
        InputError: a field is negative and its modulus is larger than that of the reference.
    """
    references = {shown.reference for shown in scheme.passes}
    if len(references) > 1 or fields.numel() == 0:
        return
    least, reference_e = float(fields.detach().real.amin()), abs(references.pop()) ** 2
    least *= math.sqrt(unit_e)
    if least < -math.sqrt(reference_e):
        raise InputError(
            f"{scheme.name}: a single frame needs a reference of at least {least**2:.6g} electrons "
            f"for a field that falls to {least:.6g}; got {reference_e:.6g}, which would lose "
            "signs: take more, or two or more frames of a reference beam"
        )


def count_passes(name: str, readings: Tensor, passes: int, what: str = "readings") -> None:
    """Require readings, or other values ``what``, of shape (passes, ...).

    Raises:
        InputError: there are more or fewer.
    """
    if readings.dim() < 1 or readings.shape[0] != passes:
        raise InputError(
            f"{name}: {what} must be (passes, ...) with {passes} passes; "
            f"got {tuple(readings.shape)}"
        )


def reading_variance(readings: Tensor, camera: Camera) -> Tensor:
    """Return I + D + read² + step²/12 of readings I in electrons, as of their mean."""
    step_e = camera.electrons_per_dn or 0.0
    return readings + (camera.dark_e + camera.read_noise_e**2 + step_e**2 / 12)


def root(electrons: Tensor) -> Tensor:
    """Return sign(n) √|n| of readings n in electrons: the modulus of a field, in √electrons.

    Noise makes some readings negative; the sign keeps the mean in darkness at 0. For a mean of λ
    electrons and a variance v the root has the variance v/(4λ), 1/4 by shot noise alone at any
    light, and a mean that is too low by v/(8 λ^{3/2}): by 1 % of √λ at about 13 electrons, by
    shot noise alone. Readings of few electrons are better combined without roots, by a reference
    beam of two or more frames, whose mean is exact.

    Backward: 1/(2√|n|), with |n| taken as at least 1: the derivative is unbounded at 0, and would
    be larger than every other gradient.
    """
    made: Tensor = _Root.apply(electrons)  # type: ignore[no-untyped-call]
    return made


class _Root(Function):
    @staticmethod
    def forward(ctx: Any, electrons: Tensor) -> Tensor:
        ctx.save_for_backward(electrons)
        return electrons.sign() * electrons.abs().sqrt()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (electrons,) = ctx.saved_tensors
        return gradients[0] / (2 * torch.sqrt(electrons.abs().clamp(min=1)))
