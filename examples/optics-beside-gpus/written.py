"""Numbers and tables as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are set right."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def si(value: float, unit: str) -> str:
    """Return a value with three digits and a prefix; a dash where it is infinite."""
    if math.isinf(value):
        return "-"
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""),
                           (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):  # fmt: skip
        if value >= factor * 0.9995:
            return f"{_three(value / factor)} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def _three(value: float) -> str:
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e" in text else text


def times(ratio: float) -> str:
    """Return a ratio."""
    if ratio >= 0.01:
        return f"{_three(ratio)}"
    return f"1 / {_three(1 / ratio)}" if ratio else "0"


def rate(rate_hz: float) -> str:
    """Return a frame rate."""
    return "never" if math.isinf(rate_hz) else si(rate_hz, "Hz")
