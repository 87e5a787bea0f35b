"""Losses of light from the laser to the camera, part by part, in decibels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optics.checks import fraction
from optics.system import FourF


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Share of the light that one part lets through, and the power behind it.

    Attributes:
        part: name of the part, and what it loses light by.
        share: power behind over power before, above 0 and at most 1.
        behind_w: power behind the part, in watts; behind the camera, that which becomes charge.
    """

    part: str
    share: float
    behind_w: float

    @property
    def loss_db(self) -> float:
        """Loss in dB, at or above 0."""
        return -10 * math.log10(self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossBudget:
    """Losses from the laser to the camera, in the order in which light meets the parts.

    The filter is clear, or sends on ``encoding`` of its light; every pixel of the input is on.

    Attributes:
        laser_w: light of the laser.
        losses: losses of the parts.
    """

    laser_w: float
    losses: tuple[Loss, ...]

    @classmethod
    def of(cls, system: FourF, *, encoding: float = 1.0) -> LossBudget:
        """Return the budget of a system.

        Args:
            system: the parts.
            encoding: light in the result over light on the filter, as ``efficiency`` of an
                :class:`optics.encoding.Encoding` says, above 0.

        Raises:
            InputError: ``encoding`` is not above 0 and at most 1.
        """
        fraction("loss budget", "encoding", encoding, zero=False)
        shares = [
            ("input: efficiency", system.input.efficiency),
            ("input: order 0 of its pixels", system.input.fill_factor**2),
            ("lens 1: transmission", system.lens_1.efficiency),
            ("filter: efficiency", system.filter.efficiency),
            ("filter: order 0 of its pixels", system.filter.fill_factor**2),
            ("filter: its pattern", encoding),
            ("lens 2: transmission", system.lens_2.efficiency),
            ("camera: quantum efficiency", system.camera.quantum_efficiency),
        ]
        power_w, losses = system.laser.power_w, []
        for part, share in shares:
            power_w *= share
            losses.append(Loss(part=part, share=share, behind_w=power_w))
        return cls(laser_w=system.laser.power_w, losses=tuple(losses))

    @property
    def share(self) -> float:
        """Light that becomes charge over light of the laser."""
        return math.prod(one.share for one in self.losses)

    @property
    def loss_db(self) -> float:
        """Loss of all parts in dB."""
        return math.fsum(one.loss_db for one in self.losses)

    def __str__(self) -> str:
        """Return a table, a row for each part and one for all."""
        width = max(len(one.part) for one in self.losses)
        rows = [f"{'':<{width}}  {'loss dB':>8}  {'sum dB':>8}  {'power W':>10}"]
        rows.append(f"{'laser':<{width}}  {'':>8}  {'':>8}  {self.laser_w:>10.4g}")
        total_db = 0.0
        for one in self.losses:
            total_db += one.loss_db
            rows.append(
                f"{one.part:<{width}}  {one.loss_db:>8.2f}  {total_db:>8.2f}  {one.behind_w:>10.4g}"
            )
        return "\n".join(rows)
