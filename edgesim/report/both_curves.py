"""The drawing of a comparison: how many requests took at most how long, predicted and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.results.statistics import percentile

_WIDTH, _HEIGHT = 720.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, 18.0, 16.0, 40.0
_MOST_POINTS = 400
_MOST_TICKS = 6
_MARKS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
_GRID = ((0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"))
SIDES = ("predicted", "measured")


def curves(predicted_s: NDArray[np.float64], measured_s: NDArray[np.float64]) -> str:
    """Return both distributions of latency as SVG; nothing where one side has no answer.

    Time is on a logarithmic axis. So is, upwards, the share of requests that took longer, which
    gives the slow ones as much room as the many: 50, 90, 99 % and so on, up to what that many
    requests can tell.

    Args:
        predicted_s: latencies of answered requests, in any order.
        measured_s: likewise.
    """
    both = [np.sort(predicted_s), np.sort(measured_s)]
    if not all(len(one) for one in both):
        return ""
    # The slowest request of n is the quantile 1 - 1/n.
    most = max(len(one) for one in both)
    grid = [(share, text) for share, text in _GRID if share == 0.0 or (1.0 - share) * most >= 1.0]
    ceiling = max(-math.log10(1.0 - grid[-1][0]) * 1.12, 0.5)
    low, high = _bounds(both)

    def x(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low)
        return _LEFT + min(1.0, share) * (_WIDTH - _LEFT - _RIGHT)

    def y(share: float) -> float:
        level = ceiling if share >= 1.0 else min(ceiling, -math.log10(1.0 - share))
        return _HEIGHT - _BOTTOM - level / ceiling * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for share, text in grid:
        parts.append(_line(_LEFT, _WIDTH - _RIGHT, y(share), y(share)))
        parts.append(_text(_LEFT - 8, y(share) + 5, text, "end"))
    for tick in _ticks(low, high):
        parts.append(_line(x(tick), x(tick), _TOP, y(0.0)))
        parts.append(_text(x(tick), _HEIGHT - 12, duration(tick), "middle"))
    for side, values in zip(SIDES, both, strict=True):
        points = " ".join(f"{x(value):.1f},{y(share):.1f}" for value, share in _steps(values))
        parts.append(f'<polyline class="{side}" points="{points}"/>')
    for side, values in zip(SIDES, both, strict=True):
        for name, share in _MARKS:
            if (1.0 - share) * len(values) < 1.0:
                continue
            value = percentile(values, share)
            told = escape(f"{side} {name} {duration(value)}")
            parts.append(
                f'<circle class="{side}" cx="{x(value):.1f}" cy="{y(share):.1f}" r="5">'
                f"<title>{told}</title></circle>"
            )
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        'aria-label="Share of requests that took at most so long, predicted and measured">'
        f"{''.join(parts)}</svg>"
    )


def _bounds(both: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    low = min(float(one[0]) for one in both)
    high = max(float(one[-1]) for one in both)
    # Latencies are above 0 but for plans that cost nothing.
    low = max(low, high * 1e-6, 1e-12)
    return low * 0.97, max(high, low) * 1.03


def _steps(values: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the corners of the empirical distribution, of many values only some.

    What is left out lies between corners that are shown: near the slow end, all are.
    """
    count = len(values)
    if count <= _MOST_POINTS:
        ranks = np.arange(1, count + 1)
    else:
        beyond = np.geomspace(1.0, count + 1.0, _MOST_POINTS)
        ranks = np.unique(count + 1 - np.round(beyond).astype(int)).clip(1)
        ranks = np.unique(np.append(ranks, count))
    corners = [(float(values[0]), 0.0)]
    for rank in ranks.tolist():
        value = float(values[rank - 1])
        corners += [(value, corners[-1][1]), (value, rank / count)]
    return corners


def _ticks(low: float, high: float) -> list[float]:
    """Return round times between two, few enough to be read on a small screen."""
    for digits in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [digit * 10.0**power for power in powers for digit in digits]
        found = [one for one in found if low <= one <= high]
        if len(found) <= _MOST_TICKS:
            break
    if len(found) < 2:
        return [low * (high / low) ** share for share in (0.1, 0.5, 0.9)]
    return found[:: -(-len(found) // _MOST_TICKS)]


def _line(x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="axis" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
