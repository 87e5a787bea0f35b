"""The catalog of devices, and devices written inline in a scenario."""

from edgesim.hardware.catalog.reader import (
    checked,
    clock_hz,
    device,
    entry,
    from_mapping,
    kind,
    kind_names,
    mapping,
    names,
    published,
    written,
)

__all__ = [
    "checked",
    "clock_hz",
    "device",
    "entry",
    "from_mapping",
    "kind",
    "kind_names",
    "mapping",
    "names",
    "published",
    "written",
]
