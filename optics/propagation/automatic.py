"""Free space by the method that is sampled at the distance, and the light that it loses."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from optics.checks import finite
from optics.errors import InputError
from optics.field import Field
from optics.grid import frequencies, squared_modulus
from optics.propagation.angular import angular_transfer
from optics.propagation.extended import band_extended
from optics.propagation.sommerfeld import critical_m, rayleigh_sommerfeld
from optics.propagation.transfer import Plane, transferred

Method = Literal["auto", "angular-spectrum", "band-extended", "rayleigh-sommerfeld"]
"""Method of :func:`propagate`."""

EDGE = 0.9
"""Frequencies beyond this share of the highest are those of a field that is hardly sampled."""

MOST_AT_EDGE = 0.01
"""Share of power at such frequencies from which :func:`propagate` warns."""


class AliasingWarning(UserWarning):
    """A field has so much power near the highest frequency of its samples that it may alias."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagation:
    """A field behind free space.

    Attributes:
        field: the field on the window of the one before.
        method: method that computed it.
        lost: share of the power that left the window, (...), real, 0 to 1.
    """

    field: Field
    method: Method
    lost: Tensor


def propagate(field: Field, distance_m: float, *, method: Method = "auto") -> Propagation:
    """Return ``field`` after ``distance_m`` of free space on a dark surround, beyond paraxial too.

    ``auto`` takes the angular spectrum on four times the window up to z = 2 N dx² √(1 - (λ/2dx)²) /
    λ, where its phase is sampled, and :func:`rayleigh_sommerfeld` from there on, where the kernel
    is; between the critical distances of two unlike axes, and for an axis of one sample,
    :func:`band_extended`. A negative distance goes back.

    Fields that are resolved by their samples are within 0.2 % rms of direct sums. A phase that
    turns by more than π from sample to sample is another, slower one, which samples cannot show:
    :meth:`~optics.field.Field.plane_wave` refuses such a tilt.

    Args:
        field: before the space.
        distance_m: z.
        method: ``auto``, or one of the methods.

    Warns:
        AliasingWarning: over 1 % of the power lies beyond nine tenths of the highest frequency.

    Raises:
        SamplingError: the method that was chosen by name aliases at this distance.
        InputError: the distance is not finite, or there is no such method.
    """
    finite("propagate", "distance_m", distance_m)
    if method not in get_args(Method):
        raise InputError(f"method must be one of {', '.join(get_args(Method))}; got {method!r}")
    if field.data.numel() and not field.data.is_meta:
        _warn_of_edge(field)
    chosen = _chosen(field, distance_m) if method == "auto" else method
    if chosen == "rayleigh-sommerfeld":
        behind = rayleigh_sommerfeld(field, distance_m)
    elif chosen == "band-extended":
        behind = band_extended(field, distance_m)
    else:
        plane = Plane.of(field, "dark", 4)
        behind = transferred(field, angular_transfer(plane, float(distance_m), False))
    before_w, behind_w = field.power_w.detach(), behind.power_w.detach()
    lost = torch.where(before_w > 0, 1 - behind_w / before_w, torch.zeros_like(before_w))
    return Propagation(field=behind, method=chosen, lost=lost.clamp(0, 1))


def _chosen(field: Field, distance_m: float) -> Method:
    limits_m = [critical_m(field, axis) for axis in (0, 1) if field.shape[axis] > 1]
    if abs(distance_m) <= min(limits_m, default=0.0):
        return "angular-spectrum"
    near_m = max([*limits_m, 4 * max(field.pitch_m)])
    if 1 in field.shape or abs(distance_m) < near_m:
        return "band-extended"
    return "rayleigh-sommerfeld"


def edge_share(field: Field) -> Tensor:
    """Return the share of power beyond nine tenths of the highest frequency of an axis, (...)."""
    power = squared_modulus(torch.fft.fft2(field.data.detach()))
    sides = [frequencies(count, 1.0, device=power.device).abs() > EDGE / 2 for count in field.shape]
    at_edge = (power * (sides[0][:, None] | sides[1])).sum((-2, -1))
    total = power.sum((-2, -1))
    return torch.where(total > 0, at_edge / total, torch.zeros_like(total))


def _warn_of_edge(field: Field) -> None:
    most = float(edge_share(field).max())
    if most > MOST_AT_EDGE:
        warnings.warn(
            f"{most:.1%} of the field's power lies beyond {EDGE:g} of the highest frequency of its "
            f"pitch {field.pitch_m} m, so that it may alias; sample it more finely",
            AliasingWarning,
            stacklevel=3,
        )
