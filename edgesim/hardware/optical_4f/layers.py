"""Times and energies of layers on a 4f accelerator, and figures of its parts, for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from edgesim.common.text import duration, joules_each, percent, size
from edgesim.common.validation import key_of
from edgesim.hardware.device import Cost
from edgesim.hardware.explanation import Details, Explanation, Row
from edgesim.hardware.optical_4f.planes import Planes
from edgesim.hardware.processor import Processor
from optics.presets import PARTS
from optics.signs import Pass
from optics.system import FourF
from optics.tiling import ConvShape, Pair
from optics.timing import LightBudget, Timing

_STAGES = {
    "light": "settling and exposure",
    "input": "patterns of images",
    "filter": "patterns of kernels",
    "camera": "frames",
    "link out": "patterns, from the host",
    "link in": "frames, to the host",
    "host": "makes patterns and numbers",
}
_KINDS = ("groups", "channels", "images", "kernels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Cost of one layer on light, or of one run of electronic operators, for a batch.

    Attributes:
        names: names of the operators, in execution order.
        light: timing of the optics; None where the host runs it.
        time_s: seconds from its input to its output, both on the host.
        by_part_j: joules of every part in that time.
    """

    names: tuple[str, ...]
    light: Timing | None
    time_s: float
    by_part_j: Mapping[str, float]


def explain_model(layers: Sequence[Layer], cost: Cost, precision: str) -> Explanation:
    """Return time and energy of every layer, and their sums."""
    lit = [layer.light for layer in layers if layer.light is not None]
    frames = sum(timing.exposures for timing in lit)
    moved = sum(one.traffic.out_bytes + one.traffic.in_bytes for one in lit)
    light_s, host_s = (
        math.fsum(layer.time_s for layer in layers if (layer.light is None) is hosted)
        for hosted in (False, True)
    )
    return Explanation(
        arithmetic=f"{precision} on the host",
        headings=("as a convolution", "frames"),
        rows=tuple(_row(layer) for layer in layers),
        totals=("", f"{frames:,}"),
        time_s=cost.time_s,
        energy_j=cost.power_w * cost.time_s,
        by_part_j=cost.by_part_j,
        sample="image",
        time_note=f": {_share(light_s, cost.time_s)} in layers on light, "
        f"{_share(host_s, cost.time_s)} on the host between them; {size(moved)} over the link",
        figures={"frames": frames, "light_s": light_s, "host_s": host_s, "bytes": moved},
    )


def explain_layer(
    layer: Layer, light: float, budget: LightBudget, passes: Sequence[Pass]
) -> Explanation:
    """Return how an accelerator runs one layer.

    Args:
        layer: layer on light.
        light: share of a clear filter's light that reaches the brightest pixel.
        budget: light and noise of this pixel.
        passes: exposures of the sign scheme.
    """
    timing, row = layer.light, _row(layer)
    assert timing is not None
    layout, shape = timing.layout, timing.layout.shape
    each_j = row.energy_j / shape.macs
    alone_s = {stage: timing.limits_s[stage] for stage in _STAGES}
    figures: dict[str, Any] = {
        "images": shape.batch,
        "macs": shape.macs,
        "plane": list(layout.plane),
        "tile": list(shape.full),
        "side_by_side": dict(zip(_KINDS, layout.counts, strict=True)),
        "rounds": dict(zip(_KINDS, layout.rounds, strict=True)),
        "passes": layout.passes,
        "use": layout.use,
        "input_patterns": timing.order.input_loads,
        "filter_patterns": timing.order.filter_loads,
        "out_bytes": timing.traffic.out_bytes,
        "in_bytes": timing.traffic.in_bytes,
        "host_flop": timing.traffic.host_flop,
        "alone_s": alone_s,
        "joules_per_mac": each_j,
        "light": {
            "share": light,
            "photons": budget.photons,
            "brightest_electrons": budget.electrons,
            "noise_electrons": budget.noise_e,
            "share_of_full_well": budget.full_share or None,
            "clipped": budget.saturated,
            "effective_bits": budget.effective_bits(passes),
        },
    }
    stages = sorted(((stage, s) for stage, s in alone_s.items() if s), key=lambda one: -one[1])
    return Explanation(
        rows=(row,),
        time_s=layer.time_s,
        energy_j=row.energy_j,
        by_part_j=layer.by_part_j,
        sample="image",
        notes=(f"{shape.macs:,} multiply-accumulates, {joules_each(each_j)} each",),
        details=Details(
            facts=_facts(row, figures),
            title="Time by stage, each alone",
            headings=("stage", "what", "time", "of the whole"),
            numbers=(2, 3),
            rows=(
                *(
                    (stage, _STAGES[stage], duration(alone), _share(alone, layer.time_s))
                    for stage, alone in stages
                ),
                ("all", "with what overlaps", duration(layer.time_s), ""),
            ),
            strong=next(
                (at for at, (stage, _) in enumerate(stages) if stage == timing.bottleneck), None
            ),
        ),
        figures=figures,
    )


def _row(layer: Layer) -> Row:
    timing = layer.light
    shape, frames = (
        ("", 0) if timing is None else (shape_text(timing.layout.shape), timing.exposures)
    )
    limit = "" if timing is None else timing.bottleneck
    return Row(
        operators=layer.names,
        bound=limit or "host",
        time_s=layer.time_s,
        energy_j=math.fsum(layer.by_part_j.values()),
        cells=(shape, f"{frames:,}") if timing else (),
        figures={
            "operators": list(layer.names),
            "where": "light" if timing else "host",
            "shape": shape,
            "frames": frames,
            "limit": limit,
        },
        beside=timing is None,
        picture=None if timing is None else Planes(timing.layout),
    )


def shape_text(shape: ConvShape) -> str:
    """Return a convolution in a few words, without its batch."""
    (rows, columns), (down, right) = shape.kernel, shape.size
    groups = f" /{shape.groups}" if shape.groups > 1 else ""
    return f"{shape.in_channels}→{shape.out_channels} {rows}×{columns} on {down}×{right}{groups}"


def _share(value: float, whole: float) -> str:
    return percent(value / whole) if whole else "nothing"


def _facts(row: Row, figures: Mapping[str, Any]) -> tuple[str, ...]:
    rows, columns = figures["plane"]
    (down, right), light = figures["tile"], figures["light"]
    together = [
        f"{count} {kind if count > 1 else kind.removesuffix('s')}"
        for kind, count in figures["side_by_side"].items()
        if count > 1
    ]
    times = [f"{count:,} of {kind}" for kind, count in figures["rounds"].items() if count > 1]
    filled = light["share_of_full_well"]
    taken = "no limit" if filled is None else f"{percent(filled)} of what the camera takes"
    return (
        f"{row.figures['shape']}: {figures['images']:,} images on a plane of {rows}×{columns} "
        f"pixels, in tiles of {down}×{right}",
        f"Side by side: {', '.join(together) or 'nothing'}. Rounds: {' × '.join(times or ['1'])}, "
        f"× {figures['passes']} passes = {row.figures['frames']:,} frames; images cover "
        f"{percent(figures['use'])} of the plane",
        f"{figures['input_patterns']:,} patterns of the input and "
        f"{figures['filter_patterns']:,} of the filter; {size(figures['out_bytes'])} out, "
        f"{size(figures['in_bytes'])} in",
        f"{percent(light['share'])} of the light of a clear filter; "
        f"{light['photons']:,.3g} photons and {light['brightest_electrons']:,.3g} electrons in the "
        f"brightest pixel, {taken}{', clipped' if light['clipped'] else ''}; noise "
        f"{light['noise_electrons']:,.3g} electrons, {light['effective_bits']:.1f} effective bits",
    )


_UNITS = {
    "_m": ("m", ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))),
    "_s": ("s", ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))),
    "_w": ("W", ((1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))),
    "_j": ("J", ((1e-9, "n"), (1e-12, "p"), (1e-15, "f"))),
}
_ELECTRONS = ("_e", "_e_s")
_NO_FIGURES = ("name", "source")


def layout_figures(
    plane: Pair, along: Sequence[str], passes: int, light: float, sources: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (key path, value, source) of what a layout on an accelerator rests on."""
    yield (
        "usable plane", f"{plane[0]} x {plane[1]}",
        "derived: the least of the input's pixels, what the camera sees, and what the filter "
        "samples; optics.tiling.usable_plane",
    )  # fmt: skip
    yield "side by side", ", ".join(along), sources.get("along", "")
    yield "passes", f"{passes} a frame", sources.get("signs", "")
    yield (
        "light", f"{light:.3g}",
        sources.get("light", "")
        or "derived: of a clear filter's light, as much as fills 80 % of what the camera takes",
    )  # fmt: skip


def part_figures(
    system: FourF, host: Processor, sources: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (key path, value, source) of every figure of parts and host that is no default.

    A figure without a source has an empty one.
    """
    for key in PARTS:
        part = getattr(system, key)
        yield f"{key}.name", part.name, ""
        for field in fields(part):
            value = getattr(part, field.name)
            path = f"{key}.{key_of(field.name)}"
            source = sources.get(path, "")
            if field.name not in _NO_FIGURES and (source or value != _default(field)):
                yield path, _figure_text(field.name, value), source
    link = system.link_bytes_s
    value = "no limit" if math.isinf(link) else f"{link / 1e9:.4g} GB/s"
    yield "link", value, sources.get("link", "")
    if "host" not in sources:
        yield "host.name", host.name, ""
    peaks = dict(host.peak_flop_s)
    if len(set(peaks.values())) == 1:
        peaks = {"fp32": peaks.popitem()[1]}  # one rate is said, of whatever precision
    for precision, peak in peaks.items():
        rate = "no limit" if math.isinf(peak) else f"{peak / 1e9:.4g} GFLOP/s"
        yield f"host.peak.{precision}", rate, sources.get(f"host.peak.{precision}", "")
    for state, watts in (("idle", host.power.idle_w), ("busy", host.power.busy_w)):
        yield f"host.power.{state}", f"{watts:g} W", sources.get(f"host.power.{state}", "")


def watts_text(watts: float) -> str:
    """Return a power in a unit of its size: ``5 mW``."""
    return _figure_text("power_w", watts)


def _default(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default


def _figure_text(field: str, value: Any) -> str:
    """Return a value of `optics` with its unit, by the name of its field."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        pixels = field == "pixels"
        return (" x " if pixels else ", ").join(f"{one:g}" for one in value)
    if isinstance(value, str) or not isinstance(value, int | float):
        return str(value)
    if field.endswith(_ELECTRONS):
        return f"{value:g} e/s" if field.endswith("_e_s") else f"{value:g} e"
    for suffix, (unit, prefixes) in _UNITS.items():
        if field.endswith(suffix):
            for factor, prefix in prefixes:
                if abs(value) >= factor * (1 - 1e-12):
                    return f"{value / factor:.4g} {prefix}{unit}"
            return f"{value:g} {unit}"
    return f"{value:.4g}"
