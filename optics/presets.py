"""Systems by name or from a file of one's own: a YAML section for each part.

Each system by name is a file of ``optics/systems``, one as printed and two of parts that one can
buy, each figure with its source. A file of one's own has the same form, see :func:`read_system`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from optics.camera import Camera
from optics.crosstalk import CrosstalkKernel
from optics.errors import InputError
from optics.laser import Laser
from optics.lens import Lens
from optics.lookup import LookUpTable
from optics.modulator import Modulator
from optics.system import Alignment, FourF, Host

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
_SECTIONS: Mapping[str, type[Any]] = {**PARTS, "alignment": Alignment, "host": Host}
_MEASURED: Mapping[str, Callable[[Path], Any]] = {
    "table": LookUpTable.read,
    "crosstalk_kernel": CrosstalkKernel.read,
}
"""Figures that are measured, in a file of their own, by how that is read."""
_LARGEST_BYTES = 1_000_000


@cache
def preset(name: str) -> FourF:
    """Return the system called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"no system is called {name!r}; there are {', '.join(PRESETS)}")
    return read_system(_FOLDER / f"{name}.yaml")


def read_system(path: str | Path) -> FourF:
    """Return the 4f system that a YAML file describes.

    Its keys are the fields of :class:`~optics.system.FourF`, a section for each part, with the
    figures of the part's class in SI units; the unit ends a figure's name. ``preset`` names a
    system that gives what the file leaves out. ``table`` and ``crosstalk_kernel`` of a
    modulator are names of CSV files, relative to this one, for ``LookUpTable.read`` and
    ``CrosstalkKernel.read``. Without a ``name`` the system is called as the file.

    Raises:
        InputError: the file cannot be read or is no YAML, a key is unknown or missing, or a figure
            is out of its range; one line for each, which names the file and the key.
    """
    path = Path(path)
    written = _mapping(path)
    start = None if "preset" not in written else preset(str(written["preset"]))
    wrong = _unknown("", written, ["preset", *(one.name for one in fields(FourF))])
    made: dict[str, Any] = {}
    for key, kind in _SECTIONS.items():
        try:
            if key in written or (start is None and key in PARTS):
                made[key] = _part(key, kind, written.get(key, {}), start, path.parent)
        except InputError as error:
            wrong += str(error).splitlines()
    if wrong:
        raise InputError("\n".join(f"{path}: {line}" for line in wrong))
    rest: dict[str, Any] = {}
    rest |= {key: written[key] for key in ("link_bytes_s", "name", "source") if key in written}
    try:
        if start is None:
            return FourF(**{"name": path.stem, **_numbers(FourF, rest), **made})
        return replace(start, **{"name": path.stem, **_numbers(FourF, rest), **made})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _mapping(path: Path) -> dict[str, Any]:
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST_BYTES + 1)
        if len(text) > _LARGEST_BYTES:
            raise InputError(f"{path}: expected a file of at most {_LARGEST_BYTES:,} characters")
        found = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text file: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise InputError(
            f"{path}: expected a section for each part ({', '.join(PARTS)}), or a preset and what "
            f"differs; got {type(found).__name__}"
        )
    return found


def _part(key: str, kind: type[Any], given: Any, start: FourF | None, folder: Path) -> Any:
    """Return a part with the figures that are given, and others of the preset's part."""
    if not isinstance(given, dict):
        raise InputError(f"{key}: expected a mapping of figures; got {given!r}")
    wrong = _unknown(f"{key}: ", given, [one.name for one in fields(kind)])
    if wrong:
        raise InputError("\n".join(wrong))
    figures = _numbers(kind, given)
    for name, read in _MEASURED.items():
        if isinstance(figures.get(name), str):
            figures[name] = read(folder / figures[name])
    if start is not None:
        part = getattr(start, key)
        source = getattr(part, "source", None)
        if source is not None and "source" not in figures:
            # The source belongs to the preset's figure, not to the one that takes its place.
            figures["source"] = {k: v for k, v in source.items() if k not in figures}
        return replace(part, **figures)
    lacking = [one.name for one in fields(kind) if _needed(one) and one.name not in figures]
    if lacking:
        raise InputError(f"{key}: expected {', '.join(lacking)}; name a preset, or give every part")
    named = {} if "name" in figures or kind is Alignment else {"name": key}
    return kind(**figures, **named)


def _needed(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _unknown(start: str, given: Mapping[str, Any], known: list[str]) -> list[str]:
    """Return a line for each key that is not known, with the nearest that is."""
    lines = []
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(str(key), known, 1)
        lines.append(
            f"{start}unknown key {key!r}"
            + (f" (did you mean {near[0]!r}?)" if near else f"; expected {', '.join(known)}")
        )
    return lines


def _numbers(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as the part's class takes them.

    YAML reads a list where a part has (rows, columns), and 1e-6, without a point, as text.
    """
    types = {one.name: str(one.type) for one in fields(kind)}
    made: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, list):
            value = tuple(_number(one) for one in value)
        elif "float" in types[key]:
            value = _number(value)
        made[key] = value
    return made


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
