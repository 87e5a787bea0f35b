"""Quantities: a number in SI units, or a string with a unit, of a known dimension."""

from __future__ import annotations

import math
import re

from edgesim.common.text import described

_SI = {
    "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3,
    "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
}  # fmt: skip
_IEC = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_BIG = {key: value for key, value in _SI.items() if value > 1} | _IEC
_SMALL = {key: value for key, value in _SI.items() if value < 1}


def _scaled(units: dict[str, float], prefixes: dict[str, float]) -> dict[str, float]:
    scaled = dict(units)
    for unit, factor in units.items():
        scaled |= {prefix + unit: factor * scale for prefix, scale in prefixes.items()}
    return scaled


_TIME = _scaled({"s": 1.0}, _SMALL) | {
    "min": 60.0, "h": 3600.0, "hour": 3600.0, "day": 86400.0, "d": 86400.0, "week": 604800.0,
}  # fmt: skip
_BYTES = _scaled({"B": 1.0, "byte": 1.0, "bytes": 1.0}, _BIG) | _scaled(
    {"bit": 0.125, "bits": 0.125}, _BIG
)
_JOULE = _scaled({"J": 1.0}, _SI) | {"Wh": 3600.0, "kWh": 3.6e6}
_ONE_FLOP = _scaled({"FLOP": 1.0, "flop": 1.0, "OP": 1.0, "op": 1.0}, _BIG)
_FLOP = _ONE_FLOP | _scaled({"FLOPs": 1.0, "OPs": 1.0, "MAC": 2.0, "mac": 2.0, "MACs": 2.0}, _BIG)

DIMENSIONS: dict[str, dict[str, float]] = {
    "time": _TIME,
    "bytes": _BYTES,
    "bandwidth": {f"{unit}/s": factor for unit, factor in _BYTES.items()}
    | {f"{unit}ps": factor for unit, factor in _BYTES.items() if unit.endswith("B")}
    | {
        unit.replace("bit", bit): factor
        for unit, factor in _BYTES.items()
        for bit in ("bps", "b/s")
        if unit.endswith("bit")
    },
    "power": _scaled({"W": 1.0}, _SI),
    "energy": _JOULE,
    "energy_per_byte": {
        f"{joule}/{unit}": factor / size
        for joule, factor in _JOULE.items()
        for unit, size in (("B", 1.0), ("byte", 1.0), ("bit", 0.125))
    },
    "time_per_byte": {f"{unit}/B": factor for unit, factor in _TIME.items()}
    | {f"{unit}/byte": factor for unit, factor in _TIME.items()},
    "flop": _FLOP,
    "flop_rate": {f"{unit}/s": factor for unit, factor in _FLOP.items()}
    | {unit + "S": factor for unit, factor in _ONE_FLOP.items() if unit.endswith("OP")},
    "rate": {f"/{unit}": 1 / factor for unit, factor in _TIME.items()}
    | {f"1/{unit}": 1 / factor for unit, factor in _TIME.items()}
    | _scaled({"Hz": 1.0}, _SI)
    | {"fps": 1.0, "qps": 1.0},
    "pixel_rate": _scaled({"pixel/s": 1.0, "pixels/s": 1.0, "px/s": 1.0}, _BIG),
    "length": _scaled({"m": 1.0}, _SI) | {"cm": 1e-2},
    "area": {
        f"{unit}{square}": factor**2
        for unit, factor in (("m", 1.0), ("cm", 1e-2), ("mm", 1e-3), ("um", 1e-6), ("µm", 1e-6))
        for square in ("^2", "2", "²")
    },
    "ratio": {"": 1.0, "%": 1e-2},
    "temperature": {"K": 1.0},
    "celsius": {"°C": 1.0, "C": 1.0, "degC": 1.0},
    "thermal_resistance": {"K/W": 1.0, "°C/W": 1.0, "C/W": 1.0},
}
"""Units of each dimension with their factor to the SI unit; bytes and FLOP are the base units."""

EXAMPLES: dict[str, str] = {
    "time": "0.25 ms",
    "bytes": "4 GiB",
    "bandwidth": "1 Gbit/s",
    "power": "6.2 W",
    "energy": "3 J",
    "energy_per_byte": "5 nJ/bit",
    "time_per_byte": "8 ns/B",
    "flop": "2 GFLOP",
    "flop_rate": "48 GFLOP/s",
    "rate": "0.5/s",
    "pixel_rate": "30 Mpixel/s",
    "length": "532 nm",
    "area": "0.015 mm^2",
    "ratio": "50 %",
    "temperature": "300 K",
    "celsius": "25 °C",
    "thermal_resistance": "12 K/W",
}

_QUANTITY = re.compile(
    r"\s*([+-]?(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*(.*?)\s*"
)
_DECIBEL = re.compile(r"dB")


def parse(value: object, dimension: str) -> float:
    """Return ``value`` in the SI unit of ``dimension`` (bytes for data, FLOP for work).

    A bare number is already in that unit, but a bandwidth must have one: bits and bytes per second
    are both usual. Decibels are accepted where the dimension is ``ratio`` (a power ratio: 3 dB is
    1.995). One multiply-accumulate (MAC) is two FLOP.

    Raises:
        ValueError: not a number, not finite, or an unknown unit; the message names what else the
            unit may mean.
    """
    example = EXAMPLES[dimension]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(
            f"expected a number or a string such as '{example}', got {described(value)}"
        )
    if isinstance(value, str):
        number = _parse_text(value, dimension, example)
    else:
        try:
            number = float(value)
        except OverflowError:
            raise ValueError("the number is too large") from None
    if not math.isfinite(number):
        raise ValueError(f"expected a finite quantity such as '{example}', got {str(value)[:60]}")
    bare = f"{value:.15g}" if isinstance(value, float) else str(value).strip()[:60]
    if dimension == "bandwidth" and not bare.endswith("s"):  # as every unit of it does
        raise ValueError(
            f"expected a unit, got {bare}: write '{bare} bit/s', or '{bare} B/s', 8 times as much"
        )
    return number


def _parse_text(text: str, dimension: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a quantity such as '{example}', got '{text[:60]}'")
    number = float(match[1].replace("_", ""))
    unit = match[2]
    if unit.startswith(","):
        raise ValueError(f"expected a number without a comma, as in '{example}', got '{text[:60]}'")
    if unit == "" and dimension != "ratio":
        return number
    if dimension == "ratio" and _DECIBEL.fullmatch(unit):
        return float(10 ** (number / 10))
    factor = DIMENSIONS[dimension].get(unit)
    if factor is None:
        raise ValueError(
            f"'{unit[:20]}' is no unit of {dimension.replace('_', ' ')}; write for example "
            f"'{example}'{_readings(unit, dimension)}"
        )
    return number * factor


def _readings(unit: str, dimension: str) -> str:
    """Return what a unit may mean: one of other case, with ``bit`` for ``b``, or of what else."""
    like = (unit.casefold(), unit.casefold() + "it")
    near = [f"'{one}'" for one in DIMENSIONS[dimension] if one.casefold() in like]
    if near:
        return f" (did you mean {' or '.join(near)}?)"
    owners = [name for name, units in DIMENSIONS.items() if unit in units]
    return f" ('{unit}' is a unit of {owners[0].replace('_', ' ')})" if owners else ""
