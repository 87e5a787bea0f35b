"""Extension points: what installed packages add through entry points, the built-in things too."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from edgesim.common.errors import InputError, nearest


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A group of entry points, each a thing of one kind under its name.

    Attributes:
        group: name of the group, ``edgesim.strategies``.
        kind: noun for each in messages: ``strategy``.
    """

    group: str
    kind: str

    def names(self) -> list[str]:
        """Return the registered names, the built-in ones first."""
        return list(_points(self, tuple(sys.path)))

    def added(self) -> list[str]:
        """Return the names that other packages add."""
        return [
            name
            for name, point in _points(self, tuple(sys.path)).items()
            if not _is_built_in(point)
        ]

    def origin(self, name: str) -> str:
        """Return where a registered thing comes from, ``module:attribute``."""
        return _points(self, tuple(sys.path))[name].value

    def load(self, name: object) -> Any:
        """Return a registered thing.

        Raises:
            InputError: there is none of this name, the message names the nearest; or it cannot be
                loaded.
        """
        points = _points(self, tuple(sys.path))
        point = points.get(str(name))
        if point is None:
            known = list(points)
            raise InputError(
                f"expected one of {', '.join(known)}, got {name!r}{nearest(str(name), known)}"
            )
        try:
            return point.load()
        except (Exception, SystemExit) as error:
            # A package may raise anything while it is imported.
            raise InputError(
                f"{self.kind} '{name}' is registered as {point.value}, which cannot be loaded: "
                f"{type(error).__name__}: {error}; reinstall or remove the package that adds it"
            ) from error


@cache
def _registered(path: tuple[str, ...]) -> Any:
    """Return the entry points of all packages on a ``sys.path``; reading them takes 15 ms.

    `EntryPoints`; in Python 3.11 `SelectableGroups`, which has ``select`` too.
    """
    return entry_points()


@cache
def _points(wanted: ExtensionPoint, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, the built-in ones first.

    Raises:
        InputError: none is built in, or two packages register different things under a name.
    """
    found: dict[str, EntryPoint] = {}
    points = _registered(path).select(group=wanted.group)
    for point in sorted(points, key=lambda one: (not _is_built_in(one), one.name)):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            owner = "edgesim itself" if _is_built_in(other) else other.value
            raise InputError(
                f"{wanted.kind} '{point.name}' is registered twice, as {point.value} and by "
                f"{owner}; rename one, or remove the package that adds it"
            )
    if not any(map(_is_built_in, found.values())):
        raise InputError(
            f"edgesim was installed before it had the entry points '{wanted.group}'; install it "
            "again (`pip install --no-deps -e .` in its source folder)"
        )
    return found


def _is_built_in(point: EntryPoint) -> bool:
    """Whether an entry point is edgesim's own."""
    return point.value.startswith("edgesim.")
