"""Tilted mirrors as a blazed grating: the share of light in each order; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

Order = tuple[int, int]
Direction = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blaze:
    """An array of square mirrors, all tilted about the same diagonal, lit by a plane wave.

    Light comes in the plane that the tilt turns the mirrors' normal in, at ``incidence_rad`` from
    the array's normal. The array's period sends it into orders (m, n), whose direction cosines are
    those of the reflection at the flat array plus (m, n) λ/pitch. The power in each goes with
    |∫ exp(i q·r)|² over one mirror, q = 2π/λ (in - out), r the points of its tilted face: with the
    face's slopes s_x and s_y, side a of its shadow,

        sinc²(a (q_x + q_z s_x)/2π) sinc²(a (q_y + q_z s_y)/2π),

    which is 1 where the mirror itself would reflect the order. (Scalar Kirchhoff integral; the
    mirror's narrower shadow, cos(tilt) along one diagonal, and shadows of neighbours are left
    out. Tilt of micromirrors: TI DLPA083, "DMD optical efficiency for visible wavelengths".)

    Attributes:
        tilt_rad: angle of a mirror that is on.
        incidence_rad: angle between the light and the array's normal.
        pitch_m: distance between mirrors' centres.
        fill_factor: share of the area that mirrors cover.
        wavelength_m: vacuum wavelength.
    """

    tilt_rad: float
    incidence_rad: float
    pitch_m: float
    fill_factor: float
    wavelength_m: float

    def direction(self, order: Order) -> Direction | None:
        """Return the direction in which an order leaves, as cosines; ``None`` if it is evanescent.

        Args:
            order: (m, n), along rows and columns of the array.
        """
        across = -math.sin(self.incidence_rad) / math.sqrt(2)
        step = self.wavelength_m / self.pitch_m
        x, y = across + order[0] * step, across + order[1] * step
        left = 1 - x * x - y * y
        return None if left <= 0 else (x, y, math.sqrt(left))

    def share(self, order: Order, *, on: bool = True) -> float:
        """Return the power in an order over that in the order 0 of flat mirrors of the same area.

        Args:
            order: (m, n).
            on: mirrors are on, tilted towards the light; else tilted by as much the other way.
        """
        out = self.direction(order)
        if out is None:
            return 0.0
        across = -math.sin(self.incidence_rad) / math.sqrt(2)
        into = (across, across, -math.cos(self.incidence_rad))
        side = math.sqrt(self.fill_factor) * self.pitch_m / self.wavelength_m
        slope = (-1 if on else 1) * math.tan(self.tilt_rad) / math.sqrt(2)
        q = [a - b for a, b in zip(into, out, strict=True)]
        return math.prod(_sinc(side * (q[axis] + q[2] * slope)) ** 2 for axis in (0, 1))

    @property
    def brightest(self) -> Order:
        """The order with most light, the first of equals."""
        # The mirror reflects towards these cosines; the brightest order lies next to them.
        centre = math.sin(2 * self.tilt_rad - self.incidence_rad) + math.sin(self.incidence_rad)
        middle = round(centre / math.sqrt(2) * self.pitch_m / self.wavelength_m)
        near = range(middle - 2, middle + 3)
        return max(((m, n) for m in near for n in near), key=self.share)


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0
