"""Losses of light from the laser to the camera, part by part, in decibels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from optics.checks import fraction
from optics.modulator import Modulator
from optics.system import FourF

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2430}.title{font-weight:600;font-size:14px}"
    ".paper{fill:#ffffff}.part{fill:#c2571a}.left{fill:#2f6f9f}.join{stroke:#5b6675}"
)
_NAMES, _WIDTH, _ROW, _BAR, _TOP = 190, 420, 26, 16, 44
"""Pixels of a waterfall: width of names and of bars, height of a row, of a bar and of the title."""


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
        return -10 * math.log10(self.share) or 0.0


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
            *_of_modulator("input", system.input, system.laser.wavelength_m),
            ("lens 1: transmission", system.lens_1.efficiency),
            *_of_modulator("filter", system.filter, system.laser.wavelength_m),
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

    def svg(self, title: str) -> str:
        """Return the budget as a waterfall, an SVG document.

        A row for each part, whose bar runs from the loss of all parts before it to that with it,
        to scale in dB, and one for all parts.
        """
        scale = _WIDTH / max(self.loss_db, 1e-9)
        rows, before_db = [], 0.0
        for number, one in enumerate(self.losses):
            start_db, before_db = before_db, before_db + one.loss_db
            rows.append(_row(number, "part", one.part, start_db, one.loss_db, scale))
            x, y = _NAMES + before_db * scale, _TOP + number * _ROW + _BAR
            rows.append(
                f'<line class="join" x1="{x:.2f}" y1="{y}" x2="{x:.2f}" y2="{y + _ROW - _BAR}"/>'
            )
        charge = f"all: {self.losses[-1].behind_w:.3g} of {self.laser_w:.3g} W"
        rows.append(_row(len(self.losses), "left", charge, 0.0, self.loss_db, scale))
        width, height = _NAMES + _WIDTH + 80, _TOP + (len(self.losses) + 1) * _ROW + 8
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}"><style>{_STYLE}</style>'
            '<rect class="paper" width="100%" height="100%"/>'
            f'<text class="title" x="8" y="24">{escape(title)}</text>{"".join(rows)}</svg>\n'
        )


def _of_modulator(name: str, part: Modulator, wavelength_m: float) -> list[tuple[str, float]]:
    tilted = [(f"{name}: blaze of its mirrors", part.blazed(wavelength_m))] if part.tilt_rad else []
    return [
        (f"{name}: efficiency", part.efficiency),
        *tilted,
        (f"{name}: order 0 of its pixels", part.fill_factor**2),
    ]


def _row(number: int, kind: str, label: str, start_db: float, loss_db: float, scale: float) -> str:
    y = _TOP + number * _ROW
    x, width = _NAMES + start_db * scale, loss_db * scale
    return (
        f'<text x="8" y="{y + 13}">{escape(label)}</text>'
        f'<rect class="{kind}" x="{x:.2f}" y="{y}" width="{width:.2f}" height="{_BAR}"/>'
        f'<text x="{x + width + 6:.2f}" y="{y + 13}">{loss_db:.2f} dB</text>'
    )
