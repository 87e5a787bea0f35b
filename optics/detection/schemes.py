"""The sign schemes by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from optics.detection.passes import Scheme
from optics.detection.reference import InField, ReferenceBeam
from optics.detection.shots import FieldItself, FourShot, TwoShot
from optics.errors import InputError

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
