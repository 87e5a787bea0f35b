"""Layers one after another on one 4f system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from optics.errors import InputError
from optics.modulator import Modulator
from optics.system import FourF
from optics.tiling.planner import KINDS, Kind, plan, side_by_side, usable_plane
from optics.tiling.shape import ConvShape
from optics.timing.energies import Energy, energy
from optics.timing.schedule import Timing, time_layer


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTiming:
    """Times and joules of layers that run one after another, each for the whole batch.

    Attributes:
        system: system that the layers ran on.
        layers: times of the layers.
        energies: energies of the layers.
    """

    system: FourF
    layers: tuple[Timing, ...]
    energies: tuple[Energy, ...]

    @property
    def exposures(self) -> int:
        """Frames of the camera, all layers together."""
        return sum(layer.exposures for layer in self.layers)

    @property
    def total_s(self) -> float:
        """Of all layers: each needs the results of the one before."""
        return sum(layer.total_s for layer in self.layers)

    @property
    def per_image_s(self) -> float:
        """Of all layers over the batch of each."""
        return sum(layer.per_image_s for layer in self.layers)

    @property
    def energy(self) -> Energy:
        """Of all layers."""
        return sum(self.energies, Energy())

    @property
    def macs(self) -> int:
        """Multiply-accumulates that an electronic processor would do."""
        return sum(layer.layout.shape.macs for layer in self.layers)

    @property
    def joules_per_mac(self) -> float:
        """Energy of all parts over ``macs``."""
        return self.energy.total_j / self.macs

    @property
    def bottleneck(self) -> str:
        """What would take longest alone, all layers together."""
        alone: Counter[str] = Counter()
        for layer in self.layers:
            alone.update(layer.limits_s)
        return max(alone, key=alone.__getitem__)

    def __str__(self) -> str:
        """Return a table, a row for each layer and one for all."""
        head = f"{'in':>5} {'out':>5} {'image':>9} {'kernel':>7} {'frames':>9} {'time':>10}"
        rows = [
            f"{self.system.name}, batch {self.layers[0].layout.shape.batch}",
            f"{head} {'energy':>10}  limit",
        ]
        for layer, joules in zip(self.layers, self.energies, strict=True):
            shape = layer.layout.shape
            image, kernel = (f"{a}x{b}" for a, b in (shape.size, shape.kernel))
            rows.append(
                f"{shape.in_channels:>5} {shape.out_channels:>5} {image:>9} {kernel:>7} "
                f"{layer.exposures:>9,} {_si(layer.total_s, 's'):>10} "
                f"{_si(joules.total_j, 'J'):>10}  {layer.bottleneck}"
            )
        rows.append(
            f"{'all':>5} {'':>5} {'':>9} {'':>7} {self.exposures:>9,} "
            f"{_si(self.total_s, 's'):>10} {_si(self.energy.total_j, 'J'):>10}  {self.bottleneck}"
        )
        return "\n".join(rows)


def time_network(
    system: FourF,
    shapes: Iterable[ConvShape],
    *,
    passes: int = 2,
    filter_passes: int | None = None,
    input_passes: int = 1,
    along: Collection[Kind] | None = None,
    whole_frames: bool = True,
    stored_kernels: bool = False,
) -> NetworkTiming:
    """Plan layers on the system's plane and return their times and joules.

    Args:
        system: the parts.
        shapes: shapes of the layers, each with its batch.
        passes: exposures of the sign scheme for each frame; 2 for kernels split into + and -.
        filter_passes: patterns on the filter for each frame; ``None`` is all passes.
        input_passes: patterns on the input.
        along: kinds that may lie side by side on the plane, see :func:`optics.tiling.plan`;
            ``None`` is all that :func:`optics.tiling.side_by_side` allows.
        whole_frames: whether all pixels cross the link, see :func:`optics.timing.traffic`.
        stored_kernels: whether filters do not, see there.

    Raises:
        InputError: a layer that does not fit the plane, passes that do not divide, or mixtures
            that the filter cannot show.
    """
    plane = usable_plane(system)
    shown = side_by_side(system)
    if along is None:
        along = shown
    lost = [kind for kind in KINDS if kind in along and kind not in shown]
    if lost:
        raise InputError(
            f"{system.filter.name}: a filter of kind {system.filter.kind}{_blur(system.filter)} "
            f"sends its result off the axis, beside undiffracted light, into which "
            f"{', '.join(lost)} side by side reach; expected along={list(shown)}, got {list(along)}"
        )
    layers = tuple(
        time_layer(
            system,
            plan(shape, plane, passes=passes, along=along),
            filter_passes=filter_passes,
            input_passes=input_passes,
            whole_frames=whole_frames,
            stored_kernels=stored_kernels,
        )
        for shape in shapes
    )
    return NetworkTiming(
        system=system, layers=layers, energies=tuple(energy(system, layer) for layer in layers)
    )


def _blur(part: Modulator) -> str:
    if not part.blurs_phases:
        return ""
    measured = part.crosstalk_kernel is not None
    return (
        " with measured crosstalk"
        if measured
        else f" with crosstalk of {part.crosstalk_px:g} pixels"
    )


def _si(value: float, unit: str) -> str:
    """Return a value with four digits and a prefix."""
    for factor, prefix in ((1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p")):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
