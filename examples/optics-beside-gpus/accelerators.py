"""The accelerators of the study: what FatNet prints, and step by step what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgesim.hardware import Device, catalog

PLANE = 2160
"""Pixels of a side in print."""
RATE_HZ = 1e6
"""Exposures a second in print; two of them make a convolution's 2 us."""
PCIE_4 = "31.5 GB/s"
"""16 lanes of 16 GT/s, 128b/130b."""
PCIE_5 = "63 GB/s"
"""16 lanes of 32 GT/s, 128b/130b."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Accelerator:
    """A 4f accelerator whose plane and frame rate are free.

    Attributes:
        name: in tables.
        told: what it has that the one before has not.
        mapping: as in a scenario file, without ``plane`` and ``frame_rate``.
        fixed: whether plane and rate are those of parts that one can buy.
    """

    name: str
    told: str
    mapping: Mapping[str, Any] = field(default_factory=dict)
    fixed: bool = False

    def written(self, plane: int = PLANE, rate_hz: float = RATE_HZ) -> dict[str, Any]:
        """Return the device's mapping, as ``nodes.NAME.device`` of a scenario takes it."""
        if self.fixed:
            return dict(self.mapping)
        return {**self.mapping, "plane": plane, "frame_rate": rate_hz}

    def device(self, plane: int = PLANE, rate_hz: float = RATE_HZ) -> Device:
        """Return the device on a plane of so many pixels a side, at so many exposures a second.

        Raises:
            edgesim.common.errors.InputError: a plane or rate of nothing.
        """
        return catalog.from_mapping(self.name, self.written(plane, rate_hz))


_LIGHT = {"kind": "optical-4f", "preset": "fatnet-2160", "signs": "two-shot"}
_BITS = {"input": {"bits": 8}, "filter": {"bits": 8}, "camera": {"bits": 12}}
_BEST = {
    "link": PCIE_5, "whole_frames": False, "stored_kernels": True, "host": "nvidia-rtx-4090",
}  # fmt: skip

PRINTED = Accelerator(
    name="as printed",
    told="2160 x 2160, 2 us per convolution, images side by side; no link, host or energy",
    mapping={**_LIGHT, "along": ["images"]},
)
LIGHT = Accelerator(
    name="light alone",
    told="images, kernels and channels side by side in the mixture with the fewest frames",
    mapping=_LIGHT,
)
WORKSTATION = Accelerator(
    name="with a workstation",
    told="8 bits out and 12 bits back in whole frames over PCI Express 4.0 x16; host i9-10940X",
    mapping={**_LIGHT, **_BITS, "link": PCIE_4, "host": "intel-i9-10940x"},
)
END_TO_END = Accelerator(
    name="end to end",
    told="the best available: only tiles over PCI Express 5.0 x16, kernels in a memory of the "
    "filter, an RTX 4090 as the host",
    mapping={**_LIGHT, **_BITS, **_BEST},
)
FOUR_SHOT = Accelerator(
    name="end to end, signed",
    told="images have signs as well, like tokens after a norm: four exposures instead of two",
    mapping={**_LIGHT, **_BITS, **_BEST, "signs": "four-shot"},
)
MIRRORS = Accelerator(
    name="4f-dmd-dlp7000",
    told="commercial parts: two mirror arrays of one bit, a high-speed camera",
    mapping=dict(catalog.entry("4f-dmd-dlp7000")),
    fixed=True,
)
CRYSTALS = Accelerator(
    name="4f-lcos-pluto",
    told="commercial parts: two liquid-crystal displays of 8 bits, a CMOS camera",
    mapping=dict(catalog.entry("4f-lcos-pluto")),
    fixed=True,
)

LADDER = (PRINTED, LIGHT, WORKSTATION, END_TO_END, FOUR_SHOT, MIRRORS, CRYSTALS)
"""From print to parts."""
