"""Device kinds by name, found through the entry points ``edgesim.devices``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from edgesim.common.errors import InputError, nearest
from edgesim.common.validation import described, problems, written
from edgesim.hardware.device import Device

GROUP = "edgesim.devices"


class Kind(Protocol):
    """What a plug-in registers: how its devices are written, and how they are made of that."""

    def spec(self) -> type[BaseModel]:
        """Return the pydantic model of this kind's YAML mapping; it has a field ``kind``."""

    def from_spec(self, name: str, spec: Any) -> Device:
        """Return the device that a validated mapping describes."""


@cache
def _points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return what is registered on a ``sys.path``.

    To find it all installed distributions are read, 15 ms that a thousand devices need not take.
    """
    return tuple(entry_points(group=GROUP))


def kind_names() -> list[str]:
    """Return the names of the registered kinds."""
    return sorted({point.name for point in _points(tuple(sys.path))})


def kind(name: object) -> Kind:
    """Return a device kind.

    Raises:
        InputError: no such kind; the message names the nearest.
    """
    for point in _points(tuple(sys.path)):
        if point.name == name:
            try:
                found: Kind = point.load()
            except (ImportError, AttributeError) as error:
                raise InputError(
                    f"kind: '{name}' is to come from {point.value}, which does not load: {error}"
                ) from None
            return found
    known = kind_names()
    raise InputError(
        f"kind: expected one of {', '.join(known)}, got {name!r}{nearest(str(name), known)}"
    )


def spec_of(mapping: Mapping[str, object]) -> tuple[Kind, BaseModel]:
    """Return the kind of a device mapping, and the mapping validated.

    Raises:
        pydantic.ValidationError: the mapping is wrong.
        InputError: no such kind.
    """
    own = kind(mapping.get("kind", "processor"))
    return own, own.spec().model_validate(dict(mapping))


def from_mapping(name: str, mapping: Mapping[str, object]) -> Device:
    """Return the device that a YAML mapping describes.

    Args:
        name: of the device: its catalog name, or the node's.
        mapping: as in a catalog file.

    Raises:
        InputError: the mapping is wrong; the message has every problem with its key path.
    """
    if not isinstance(mapping, Mapping):
        raise InputError(
            f"device '{name}': expected a mapping such as {{peak: {{fp32: 48 GFLOP/s}}}}, "
            f"got {described(mapping)}"
        )
    try:
        own, spec = spec_of(mapping)
    except ValidationError as error:
        model = kind(mapping.get("kind", "processor")).spec()
        told = [
            f"{written(one.path)}: {one.message}" if one.path else one.message
            for one in problems(error, model, mapping)
        ]
        raise InputError(f"device '{name}': {'; '.join(told)}") from None
    except InputError as error:
        raise InputError(f"device '{name}': {error}") from None
    return own.from_spec(name, spec)
