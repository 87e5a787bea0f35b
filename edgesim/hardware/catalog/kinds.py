"""Device kinds by name, found through the entry points ``edgesim.devices``."""

from __future__ import annotations

from collections.abc import Mapping

from edgesim.common import validation
from edgesim.common.errors import InputError
from edgesim.common.extensions import ExtensionPoint
from edgesim.common.text import described
from edgesim.common.validation import Problem, path_text
from edgesim.hardware.device import Device

KINDS = ExtensionPoint("edgesim.devices", "device kind")


def kind_names() -> list[str]:
    """Return the names of the registered kinds."""
    return sorted(KINDS.names())


def kind(name: object) -> type[Device]:
    """Return a device kind: the class of its devices, which is also how their YAML is written.

    Raises:
        InputError: no such kind, the message names the nearest; or what is registered is none.
    """
    try:
        found = KINDS.load(name)
    except InputError as error:
        raise InputError(f"kind: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Device)):
        raise InputError(
            f"kind: '{name}' is registered as {KINDS.origin(str(name))}, expected a dataclass that "
            f"inherits from edgesim.hardware.Device (docs/extending.md), got {described(found)}"
        )
    return found


def checked(name: str, mapping: Mapping[str, object]) -> Device | list[Problem]:
    """Return the device that a YAML mapping describes, or what is wrong with it.

    Args:
        name: of the device: its catalog name, or the node's.
        mapping: as in a catalog file.
    """
    try:
        own = kind(mapping.get("kind", "processor"))
    except InputError as error:
        return [Problem(("kind",), str(error).removeprefix("kind: "))]
    found: list[Problem] = []
    try:
        made = validation.read_section(own, {**mapping, validation.NOT_WRITTEN: name}, found)
    except InputError as error:
        # Figures that are right alone, and make no device together.
        return [Problem((), str(error))]
    return found if made is None else made


def from_mapping(name: str, mapping: Mapping[str, object]) -> Device:
    """Return the device that a YAML mapping describes.

    Args:
        name: of the device: its catalog name, or the node's.
        mapping: as in a catalog file.

    Raises:
        InputError: the mapping is wrong; the message has every problem with its key path.
    """
    start = f"device '{name}': "
    if not isinstance(mapping, Mapping):
        raise InputError(
            f"{start}expected a mapping such as {{peak: {{fp32: 48 GFLOP/s}}}}, "
            f"got {described(mapping)}"
        )
    found = checked(name, mapping)
    if isinstance(found, list):
        lines = [
            f"{path_text(one.path)}: {one.message}" if one.path else one.message for one in found
        ]
        raise InputError(start + "; ".join(lines).removeprefix(start))
    return found
