"""Systems by name: one as printed, two of parts that one can buy, each figure with its source.

Each is a file of ``optics/systems``: the fields of :class:`~optics.system.FourF` and of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from optics.camera import Camera
from optics.errors import InputError
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator
from optics.system import FourF, Host

PRESETS = ("fatnet-2160", "dmd-dlp7000", "lcos-pluto")
"""Names of the systems."""
_FOLDER = Path(__file__).with_name("systems")
PARTS: Mapping[str, type[Any]] = {
    "laser": Laser,
    "input": Modulator,
    "lens_1": Lens,
    "filter": Modulator,
    "lens_2": Lens,
    "camera": Camera,
}
"""Parts by their key, in the order in which light passes them."""


@cache
def preset(name: str) -> FourF:
    """Return the system called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    import yaml

    if name not in PRESETS:
        raise InputError(f"no system is called {name!r}; there are {', '.join(PRESETS)}")
    figures = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    kinds = {**PARTS, "host": Host}
    made = {key: kinds[key](**_fields(one)) for key, one in figures.items() if key in kinds}
    return FourF(**{**figures, **made})


def _fields(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in figures.items()}
