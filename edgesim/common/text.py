"""Numbers as people read them, three significant digits and a unit; values in messages."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_COUNTS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_ENERGIES = (
    *((factor, f"{prefix}J") for factor, prefix in _COUNTS),
    *((1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ")),
)
_SIZES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def digits(value: float, significant: int = 3) -> str:
    """Return ``value`` rounded to so many significant digits; in exponent form beyond 1e±18."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-"
    if value == 0.0:
        return "0"
    if not 1e-18 <= abs(value) < 1e18:
        return f"{value:.{significant - 1}e}"
    places = significant - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    if abs(rounded) >= 10.0 ** (significant - places):
        # 9.999 is 10.0, not 10.00.
        places -= 1
    return f"{rounded:,.{max(0, places)}f}"


def _scaled(value: float, units: Sequence[tuple[float, str]], zero: str = "0") -> str:
    if value == 0.0:
        return zero
    # 999.7 would round to 1,000 of the smaller unit.
    above = (one for one in units if abs(value) >= one[0] * 0.9995)
    factor, unit = next(above, units[-1])
    return f"{digits(value / factor)} {unit}".rstrip()


def duration(seconds: float | None) -> str:
    """Return a time such as ``1.23 ms``; a dash for None."""
    return "-" if seconds is None or math.isnan(seconds) else _scaled(seconds, _TIMES, "0 s")


def count(value: float) -> str:
    """Return a number such as ``17.6 G``."""
    return _scaled(value, _COUNTS)


def size(value: float) -> str:
    """Return bytes such as ``327 MiB``."""
    return _scaled(value, _SIZES) if value >= 1023.5 else f"{digits(value)} B"


def rate(value: float | None) -> str:
    """Return events per second such as ``0.500/s``."""
    return "-" if value is None else f"{digits(value)}/s"


def joules(value: float | None) -> str:
    """Return an energy such as ``12.3 J``; a dash for None."""
    return "-" if value is None or math.isnan(value) else _scaled(value, _ENERGIES, "0 J")


def in_unit(value: float, unit: str) -> str:
    """Return a number of an SI unit, or of none."""
    forms = {"s": duration, "J": joules, "/s": rate, "B": size}
    return forms.get(unit, digits)(value)


def percent(value: float | None) -> str:
    """Return a share such as ``12.3 %``."""
    return "-" if value is None else f"{digits(100 * value)} %"


def half_width(interval: Sequence[float]) -> float:
    """Return half of an interval's width; 0 where it is only the rounding of its ends."""
    low, high = interval
    half = (high - low) / 2
    return 0.0 if half <= 1e-9 * abs(high) else half


def joules_each(value: float) -> str:
    """Return an energy down to femtojoules."""
    return _scaled(value, (*_ENERGIES, (1e-12, "pJ"), (1e-15, "fJ")), "0 fJ")


def shortened(text: str) -> str:
    """Return a text that fits into a message: its first 60 letters, the last three as dots."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def described(value: object) -> str:
    """Return a value as messages name it, short enough for one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return f"'{shortened(value)}'"
    return repr(value)[:60]


_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories of what steers a terminal, turns the direction of writing, or is not seen."""


def visible(text: str) -> str:
    """Return a text of lines in which nothing steers a terminal or turns the writing.

    What a file or another program says may stand in it. Control characters and those of format
    (escape sequences, bells, U+009B, U+202E) become escapes such as ``\\x1b``.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in _HIDDEN
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def foreign(text: str, most: int = 300) -> str:
    """Return what another program says as one short line of `visible` letters.

    Args:
        text: message or name, of any length.
        most: letters of the line; the end of a longer one is left out.
    """
    line = visible(text[: most + 1]).replace("\n", "\\n")
    return line if len(line) <= most else f"{line[: most - 1]}…"
