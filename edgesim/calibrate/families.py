"""Families of devices that resemble each other, and the prior of their figures.

These are estimates, wide ones: a published row outweighs them (see `edgesim.calibrate.fit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgesim.graph import OpKind
from edgesim.hardware import catalog

_VECTORS = {"attention": 0.2, "depthwise": 0.1, "norm": 0.5, "softmax": 0.5, "transcendental": 0.5}
# Small cores are busy with exponentials and several passes over rows long before memory is.
_SLOW_VECTORS = dict.fromkeys(("norm", "softmax", "transcendental"), 0.15)

_ATTENTION = frozenset({OpKind.SOFTMAX, OpKind.ATTENTION})
_COMPILED = frozenset({OpKind.BATCHNORM, OpKind.ACTIVATION, OpKind.ELEMENTWISE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Devices that resemble each other.

    Attributes:
        prefix: prefix of their names.
        runtime: runtime of the catalog's figures; others have factors.
        fuses: operator kinds that a runtime fuses into the kernel before them, by runtime, where
            they differ from the entry's.
        half_saturation: usual number of output elements that reach half of the efficiency.
        launch_overhead_s: usual launch overhead, in seconds.
        shares: usual shares at fp32, of the peak or the bandwidth, by operator kind; see `share`.
        by_element: kinds whose time for an element is the same at every precision.
        unlike: kinds that integer arithmetic computes by tables.
    """

    prefix: str
    runtime: str
    half_saturation: float
    launch_overhead_s: float
    shares: Mapping[str, float]
    by_element: frozenset[str] = frozenset()
    unlike: frozenset[str] = frozenset()
    fuses: Mapping[str, frozenset[OpKind]] = field(default_factory=dict)

    def share(self, kind: OpKind) -> float:
        """Return the usual share of a kind at fp32: half the peak, or 0.7 of the bandwidth."""
        return self.shares.get(kind, 0.5 if kind.is_product else 0.7)


FAMILIES = {
    "arm": Family(
        prefix="raspberry-pi",
        runtime="tflite",
        half_saturation=1e3,
        launch_overhead_s=20e-6,
        shares=_VECTORS | _SLOW_VECTORS,
        by_element=frozenset(_SLOW_VECTORS),
        unlike=frozenset({"transcendental", "softmax"}),
    ),
    "jetson": Family(
        prefix="jetson",
        runtime="tensorrt",
        half_saturation=3e4,
        launch_overhead_s=10e-6,
        shares=_VECTORS,
    ),
    "x86": Family(
        prefix="intel",
        runtime="pytorch-compiled",
        half_saturation=1e4,
        launch_overhead_s=20e-6,
        shares=_VECTORS,
    ),
    "nvidia": Family(
        prefix="nvidia",
        runtime="pytorch-amp",
        half_saturation=1e5,
        launch_overhead_s=10e-6,
        shares=_VECTORS,
        fuses={
            # Both Vision Transformers that were measured so spell attention out.
            "pytorch-eager": frozenset(),
            "pytorch-compiled": _COMPILED | _ATTENTION,
            "fastertransformer": _COMPILED | _ATTENTION | {OpKind.TRANSCENDENTAL, OpKind.NORM},
            "aitemplate": _COMPILED | _ATTENTION | {OpKind.TRANSCENDENTAL, OpKind.NORM},
            "tensorrt": _COMPILED | _ATTENTION | {OpKind.TRANSCENDENTAL},
        },
    ),
}
"""Families by name."""


def members(family: str) -> list[str]:
    """Return the catalog's devices of a family."""
    return [name for name in catalog.names() if name.startswith(FAMILIES[family].prefix)]


def fused_by(device: str, runtime: str, otherwise: frozenset[OpKind]) -> frozenset[OpKind]:
    """Return the kinds that a runtime fuses on a device; ``otherwise`` are those of its entry."""
    return family_of(device).fuses.get(runtime, otherwise)


def family_of(device: str) -> Family:
    """Return the family of a device of the catalog."""
    return next(one for one in FAMILIES.values() if device.startswith(one.prefix))
