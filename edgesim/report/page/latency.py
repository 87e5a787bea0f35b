"""How long requests take: their distribution, its percentiles, and where the time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration, percent
from edgesim.report.page.markup import BROAD, figure_of, legend, notes, picture, table
from edgesim.report.run_text import half_widths, interval_notes
from edgesim.results.tables_csv import Columns
from edgesim.simulate.recording import PARTS

_TAIL = 0.01


def counted(requests: Columns, warmup: int) -> NDArray[np.bool_]:
    """Return which requests statistics count: answered, after the warm-up. Shape (requests,)."""
    found: NDArray[np.bool_] = np.isfinite(requests.latency_s) & (requests.index >= warmup)
    return found


def distribution(latency_s: NDArray[np.float64], summary: Mapping[str, Any]) -> str:
    """Return bars of how many requests took how long, and the share that took at most so long."""
    marks = [
        (label, summary["latency_s"][label])
        for label in ("p50", "p99")
        if summary["latency_s"][label] is not None
    ]
    told = ", ".join(f"{label} {duration(value)}" for label, value in marks)
    return picture(
        f"Distribution of latency of {len(latency_s):,} requests: {told}",
        lambda width: _drawn(latency_s, marks, width),
        "Bars: requests by latency (both axes logarithmic). Line: share of requests that took at "
        "most so long, from 0 at the bottom to 1 at the top. Dashed: median and 99th percentile.",
    )


def _drawn(
    latency_s: NDArray[np.float64], marks: Sequence[tuple[str, float]], width: float
) -> tuple[float, str]:
    height, left, right, top, bottom = 250.0, 46.0, 12.0, 34.0, 26.0
    low, high = float(latency_s.min()), float(latency_s.max())
    low = max(low, high * 1e-9)
    if high <= 0.0:
        # Tasks without work, all at hand: no time has a place on a logarithmic axis.
        low, high = 1e-9, 1e-6
    elif high <= low * 1.02:
        # All take the same time, but for how sums of times are rounded.
        low, high = low * 0.9, high * 1.1 + 1e-12
    bins = int(np.clip(2 * math.sqrt(len(latency_s)), 10, 80 if width >= BROAD else 40))
    edges = np.geomspace(low, high, bins + 1)
    counts, _ = np.histogram(np.clip(latency_s, edges[0], edges[-1]), bins=edges)
    tallest = max(1, int(counts.max()))
    base = height - bottom

    def x(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low)
        return left + share * (width - left - right)

    def y(count: float) -> float:
        return base - math.log1p(count) / math.log1p(tallest) * (base - top)

    parts = [
        f'<rect class="compute" x="{x(a):.1f}" y="{y(c):.1f}" '
        f'width="{max(0.8, x(b) - x(a) - 1):.1f}" height="{base - y(c):.1f}"/>'
        for a, b, c in zip(edges, edges[1:], counts, strict=False)
        if c
    ]
    shares = np.linspace(0.0, 1.0, 101)
    quantiles = np.quantile(latency_s, shares)
    line = " ".join(
        f"{x(float(q)):.1f},{base - s * (base - top):.1f}"
        for q, s in zip(quantiles, shares, strict=True)
    )
    parts.append(f'<polyline class="curve" points="{line}"/>')
    parts.append(f'<path class="axis" d="M{left} {base}H{width - right}"/>')
    parts += _ticks(low, high, x, base, width)
    powers = [10**power for power in range(len(str(tallest)))]
    # The tallest bar has its number too, unless that of a power would stand in it.
    labelled = [one for one in powers if y(one) - y(tallest) > 14.0]
    parts += [
        f'<text class="dim" x="{left - 6}" y="{y(one) + 4:.1f}" text-anchor="end">{one:,}</text>'
        for one in [*labelled, tallest]
    ]
    for number, (label, value) in enumerate(marks):
        at = x(value)
        anchor, shift = ("end", -5) if at > width / 2 else ("start", 5)
        parts.append(
            f'<path class="mark" stroke-dasharray="4 3" d="M{at:.1f} 4V{base}"/>'
            f'<text x="{at + shift:.1f}" y="{12 + 14 * number}" text-anchor="{anchor}">'
            f"{label} {duration(value)}</text>"
        )
    return height, "".join(parts)


def _ticks(low: float, high: float, x: Any, base: float, width: float) -> list[str]:
    """Return labels at 1, 2 and 5 times powers of ten, or at equal steps where few would be."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    round_ones = [
        factor * 10.0**power for power in range(first, last + 1) for factor in (1.0, 2.0, 5.0)
    ]
    values = [one for one in round_ones if low <= one <= high]
    if len(values) < 3:
        values = list(np.geomspace(low, high, 4))
    parts = []
    end = 0.0
    for value in values:
        at, half = x(value), 24.0
        at_text = min(max(at, 46.0 + half - 6), width - half)
        if at_text - half < end:
            continue
        end = at_text + half + 4
        parts.append(
            f'<path class="axis" d="M{at:.1f} {base}v5"/><text class="dim" x="{at_text:.1f}" '
            f'y="{base + 18:.0f}" text-anchor="middle">{duration(value)}</text>'
        )
    return parts


def percentiles(summary: Mapping[str, Any]) -> str:
    """Return the table of percentiles with the half widths of their 95 % intervals."""
    intervals = summary["confidence_95"]
    rows = []
    for (key, _), half in zip(summary["latency_s"].items(), half_widths(summary), strict=True):
        one = intervals.get(key)
        ends = "-" if one is None else f"{duration(one[0])} to {duration(one[1])}"
        shown = figure_of(summary, ("latency_s", key), duration)
        rows.append([key, shown, f"± {half}" if half != "-" else "-", ends])
    head = ["", "latency", "± (95 %)", "95 % interval"]
    return table("Latency of answered requests", head, rows) + notes(interval_notes(summary))


def critical_path(summary: Mapping[str, Any], requests: Columns, chosen: NDArray[np.bool_]) -> str:
    """Return where the time of a mean request goes, and of the slowest hundredth."""
    slow = slowest(requests.latency_s[chosen])
    columns = {part: requests.breakdown_s[part][chosen] for part in PARTS}
    mean = {part: summary["breakdown_s"][part] for part in PARTS}
    tail = {part: float(columns[part][slow].mean()) for part in PARTS}
    label = f"slowest {len(slow):,}" if len(slow) > 1 else "slowest"
    bars = [("mean", mean), (label, tail)]
    drawn = picture(
        "Time along the critical path, by part",
        lambda width: _bars(bars, width),
        f"Along the chain of waits that ends with the answer. The slowest: "
        f"{len(slow):,} of {len(columns['queue']):,} requests, one in a hundred.",
    )
    whole, tail_whole = sum(mean.values()), sum(tail.values())
    rows = [
        [
            part,
            figure_of(summary, ("breakdown_s", part), duration),
            percent(mean[part] / whole if whole else None),
            duration(tail[part]),
            percent(tail[part] / tail_whole if tail_whole else None),
        ]
        for part in PARTS
    ]
    rows.append(["all", duration(whole), "", duration(tail_whole), ""])
    head = ["", "mean", "share", label, "share"]
    parts = legend((part, part) for part in PARTS)
    return parts + drawn + table("Time of a request by part", head, rows)


def slowest(latency_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the slowest hundredth, at least one."""
    count = max(1, math.ceil(_TAIL * len(latency_s)))
    return np.argsort(latency_s, kind="stable")[-count:]


def _bars(bars: Sequence[tuple[str, Mapping[str, float]]], width: float) -> tuple[float, str]:
    most = max(sum(parts.values()) for _, parts in bars) or 1.0
    drawn = []
    for number, (label, parts) in enumerate(bars):
        top, at = 46.0 * number, 0.0
        whole = sum(parts.values())
        drawn.append(f'<text y="{top + 13:.0f}">{label} · {duration(whole)}</text>')
        for part, value in parts.items():
            long = value / most * width
            if long > 0.0:
                drawn.append(
                    f'<rect class="{part} cut" x="{at:.1f}" y="{top + 18:.0f}" '
                    f'width="{long:.1f}" height="22"><title>{part} {duration(value)}</title></rect>'
                )
            at += long
    return 46.0 * len(bars), "".join(drawn)
