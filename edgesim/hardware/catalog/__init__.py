"""The catalog of devices, and devices written inline in a scenario."""

from edgesim.hardware.catalog.reader import (
    checked,
    device,
    entry,
    from_mapping,
    kind,
    kind_names,
    names,
    published,
    runtime_factors,
    written,
)

__all__ = [
    "checked",
    "device",
    "entry",
    "from_mapping",
    "kind",
    "kind_names",
    "names",
    "published",
    "runtime_factors",
    "written",
]
