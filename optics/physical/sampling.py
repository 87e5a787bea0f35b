"""How finely the physical road samples pixels, and where it takes lenses' pupils to stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from optics.errors import InputError

Pupils = Literal["lens", "filter"]
"""Where pupils stand: in the planes of the lenses, or both in the plane of the filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The fidelity of the physical road; every result says which it was computed with.

    Attributes:
        input: samples per input pixel and axis. 1 takes each pixel as a point that stands for its
            mean; from 2 on pixels are squares, exactly so for what passes the filter.
        filter: samples per filter pixel and axis. 1 takes each pixel as a point, so that the
            filter's impulse response repeats at full strength with the period λf/q and light that
            leaves one side of that period comes back on the other; from 2 on pixels are squares
            and light that leaves the plane is gone.
        pupils: ``"lens"`` propagates from focal plane to lens to focal plane, so that a pupil
            cuts off light of each place differently (vignetting); it takes three transforms for
            each lens with a pupil, and two samples per pixel on both modulators. ``"filter"``
            folds both pupils into the filter's plane, right for places near the axis (Goodman,
            ch. 6: cut-off ρ/(λf)); it costs nothing.

    Raises:
        InputError: a number of samples is below 1, or the pupils stand nowhere known.
    """

    input: int = 1
    filter: int = 1
    pupils: Pupils = "filter"

    def __post_init__(self) -> None:
        for name in ("input", "filter"):
            samples = getattr(self, name)
            if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
                raise InputError(
                    f"sampling: {name} must be a whole number of samples per pixel of at least 1; "
                    f"{samples!r} came"
                )
        if self.pupils not in get_args(Pupils):
            raise InputError(f"sampling: pupils must be 'lens' or 'filter'; {self.pupils!r} came")

    @classmethod
    def points(cls) -> Sampling:
        """Return the fastest: every pixel a point, pupils in the filter's plane."""
        return cls()

    @classmethod
    def squares(cls, pupils: Pupils = "lens") -> Sampling:
        """Return pixels as squares, two samples each way, and pupils where they are."""
        return cls(input=2, filter=2, pupils=pupils)
