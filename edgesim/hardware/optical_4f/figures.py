"""The figures of an accelerator's parts, written as a YAML mapping has them, with their sources."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from edgesim.common.validation import key_of
from edgesim.hardware.processor import Processor
from optics.presets import PARTS
from optics.system import FourF

_UNITS = {
    "_m": ("m", ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))),
    "_s": ("s", ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))),
    "_w": ("W", ((1.0, ""), (1e-3, "m"))),
    "_j": ("J", ((1e-9, "n"), (1e-12, "p"), (1e-15, "f"))),
}
_ELECTRONS = ("_e", "_e_s")
_NO_FIGURES = ("name", "source")


def part_figures(
    system: FourF, host: Processor, sources: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (key path, value, source) of every figure of parts and host that is no default.

    A figure that nobody gave a source has an empty one.
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
