"""Device kinds by name, found through the entry points ``edgesim.devices``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from edgesim.errors import InputError, nearest
from edgesim.hardware.device import Device

GROUP = "edgesim.devices"


class Kind(Protocol):
    """What a plug-in registers: how its devices are written, and how they are made of that."""

    def spec(self) -> type[BaseModel]:
        """Return the pydantic model of this kind's YAML mapping; it has a field ``kind``."""

    def from_spec(self, name: str, spec: Any) -> Device:
        """Return the device that a validated mapping describes."""


def kind_names() -> list[str]:
    """Return the names of the registered kinds."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def _kind(name: object) -> Kind:
    for point in entry_points(group=GROUP):
        if point.name == name:
            kind: Kind = point.load()
            return kind
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
    kind = _kind(mapping.get("kind", "processor"))
    return kind, kind.spec().model_validate(dict(mapping))


def from_mapping(name: str, mapping: Mapping[str, object]) -> Device:
    """Return the device that a YAML mapping describes.

    Args:
        name: of the device: its catalog name, or the node's.
        mapping: as in a catalog file.

    Raises:
        InputError: the mapping is wrong; the message has every problem with its key path.
    """
    try:
        kind, spec = spec_of(mapping)
    except ValidationError as error:
        problems = "; ".join(_problem(dict(one), mapping) for one in error.errors())
        raise InputError(f"device '{name}': {problems}") from None
    except InputError as error:
        raise InputError(f"device '{name}': {error}") from None
    return kind.from_spec(name, spec)


def _problem(error: Mapping[str, Any], mapping: Mapping[str, object]) -> str:
    path = ".".join(str(key) for key in error["loc"] if key not in ("kinds", "precisions"))
    if error["type"] == "extra_forbidden":
        known = _known(error["loc"][:-1], mapping)
        return f"unknown key '{path}'{nearest(str(error['loc'][-1]), known)}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def _known(path: tuple[Any, ...], mapping: Mapping[str, object]) -> list[str]:
    """Return the keys that the specification knows at ``path``."""
    model: Any = _kind(mapping.get("kind", "processor")).spec()
    for key in path:
        fields = getattr(model, "model_fields", {})
        if key not in fields:
            return []
        model = fields[key].annotation
    return list(getattr(model, "model_fields", {}))
