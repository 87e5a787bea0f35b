"""Rates at which a device decodes images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgesim.common.quantities import PixelRate
from edgesim.common.validation import key, spec

Encoding = Literal["jpeg"]
"""Forms in which an image may travel."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Decode:
    """Rates at which one core of a device turns encoded images into pixels; not known unless given.

    Attributes:
        jpeg_px_s: rate of JPEG images, in pixels per second.
    """

    jpeg_px_s: Annotated[PixelRate | None, key("jpeg")] = None

    def at_clock(self, ratio: float) -> Decode:
        """Return the rates at another clock, ``ratio`` times as fast."""
        return Decode(jpeg_px_s=None if self.jpeg_px_s is None else self.jpeg_px_s * ratio)

    def rate_px_s(self, encoding: Encoding) -> float | None:
        """Return the pixels of an encoding per second; None where it is not known."""
        return {"jpeg": self.jpeg_px_s}[encoding]
