"""Families of devices that resemble each other, and what is usual in them before any row is seen.

These are estimates, wide ones: a published row outweighs them (see `edgesim.calibrate.fit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgesim.hardware import catalog

_PRODUCTS = {"linear": 0.5, "attention": 0.2, "conv": 0.5, "depthwise": 0.1}
_VECTORS = {"norm": 0.5, "softmax": 0.5, "activation": 0.5}
# Small cores are busy with exponentials and several passes over rows long before memory is.
_SCALARS = {"norm": 0.15, "softmax": 0.15, "activation": 0.15}
_COPIES = {"elementwise": 0.7, "pool": 0.7, "memory": 0.7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Devices that resemble each other.

    Attributes:
        prefix: of their names.
        runtimes: that the catalog's figures are of; others take a factor.
        half_saturation: output elements that usually reach half of the efficiency.
        launch_overhead_s: that is usual.
        shares: that are usual, of the peak or the bandwidth, by operator kind.
    """

    prefix: str
    runtimes: frozenset[str]
    half_saturation: float
    launch_overhead_s: float
    shares: Mapping[str, float]


FAMILIES = {
    "arm": Family(
        prefix="raspberry-pi",
        runtimes=frozenset({"TFLite"}),
        half_saturation=1e3,
        launch_overhead_s=20e-6,
        shares=_PRODUCTS | _SCALARS | _COPIES,
    ),
    "jetson": Family(
        prefix="jetson",
        runtimes=frozenset({"TensorRT"}),
        half_saturation=3e4,
        launch_overhead_s=10e-6,
        shares=_PRODUCTS | _VECTORS | _COPIES,
    ),
    "x86": Family(
        prefix="intel",
        runtimes=frozenset({"PyTorch"}),
        half_saturation=1e4,
        launch_overhead_s=20e-6,
        shares=_PRODUCTS | _VECTORS | _COPIES,
    ),
    "nvidia": Family(
        prefix="nvidia",
        runtimes=frozenset({"PyTorch AMP", "PyTorch compiled"}),
        half_saturation=1e5,
        launch_overhead_s=10e-6,
        shares=_PRODUCTS | _VECTORS | _COPIES,
    ),
}
"""Families by name."""


def members(family: str) -> list[str]:
    """Return the catalog's devices of a family."""
    return [name for name in catalog.names() if name.startswith(FAMILIES[family].prefix)]
