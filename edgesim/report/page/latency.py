"""How long requests take: their distribution, its percentiles, and where the time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.report.chart import Bar, Chart, Drawing, Scale, bars
from edgesim.report.run_tables import breakdown
from edgesim.report.table import Table
from edgesim.results.tables_csv import Requests, counted
from edgesim.simulate.recording import PARTS

_TAIL = 0.01


def distribution(latency_s: NDArray[np.float64], summary: Mapping[str, Any]) -> Chart:
    """Return bars of the number of requests by latency, and the cumulative share of requests."""
    marks = [
        (label, summary["latency_s"][label])
        for label in ("p50", "p99")
        if summary["latency_s"][label] is not None
    ]
    values = ", ".join(f"{label} {duration(value)}" for label, value in marks)
    return Chart(
        f"Distribution of latency of {len(latency_s):,} requests: {values}",
        partial(_draw, latency_s, marks),
        "Bars: number of requests by latency; both axes are logarithmic. Line: share of requests "
        "with at most this latency, from 0 at the bottom to 1 at the top. Dashed: median and 99th "
        "percentile.",
    )


def _draw(
    latency_s: NDArray[np.float64], marks: Sequence[tuple[str, float]], drawing: Drawing
) -> None:
    left, right, top, base = 46.0, drawing.width - 12.0, 34.0, 224.0
    drawing.height = base + 26.0
    low, high = float(latency_s.min()), float(latency_s.max())
    low = max(low, high * 1e-9)
    if high <= 0.0:
        # Tasks without work: 0 has no place on a logarithmic axis.
        low, high = 1e-9, 1e-6
    elif high <= low * 1.02:
        # All latencies are equal, except for rounding.
        low, high = low * 0.9, high * 1.1 + 1e-12
    bins = int(np.clip(2 * math.sqrt(len(latency_s)), 10, 80 if drawing.broad else 40))
    edges = np.geomspace(low, high, bins + 1)
    counts, _ = np.histogram(np.clip(latency_s, edges[0], edges[-1]), bins=edges)
    tallest = max(1, int(counts.max()))
    x = Scale(low, high, left, right, log=True)
    y = Scale(1.0, tallest + 1.0, base, top, log=True)
    for start, end, count in zip(edges, edges[1:], counts.tolist(), strict=False):
        if count:
            wide = max(0.8, x(end) - x(start) - 1)
            drawing.rect(x(start), y(count + 1), wide, base - y(count + 1), "compute")
    shares = np.linspace(0.0, 1.0, 101)
    quantiles = zip(np.quantile(latency_s, shares).tolist(), shares.tolist(), strict=True)
    drawing.line(((x(q), base - share * (base - top)) for q, share in quantiles), "curve")
    drawing.time_axis(x, base)
    powers = [10**power for power in range(len(str(tallest)))]
    # The tallest bar has its number too, except where it would touch that of a power.
    for count in [*(one for one in powers if y(one + 1) - y(tallest + 1) > 14.0), tallest]:
        drawing.text(left - 6, y(count + 1) + 4, f"{count:,}", "dim", "end")
    for number, (label, value) in enumerate(marks):
        at = x(value)
        drawing.add("path", class_="mark", stroke_dasharray="4 3", d=f"M{at:.1f} 4V{base}")
        anchor, shift = ("end", -5.0) if at > drawing.width / 2 else ("start", 5.0)
        drawing.text(at + shift, 12.0 + 14 * number, f"{label} {duration(value)}", "", anchor)


def critical_path(
    summary: Mapping[str, Any], requests: Requests, warmup: int, latency_s: NDArray[np.float64]
) -> list[Chart | Table]:
    """Return where the time of a mean request goes, and of the slowest hundredth.

    Args:
        summary: as in ``summary.json``.
        requests: all requests.
        warmup: first requests that do not count.
        latency_s: latencies of those that do (`edgesim.results.tables_csv.answered_s`).
    """
    slow = slowest(latency_s)
    label = f"slowest {len(slow):,}" if len(slow) > 1 else "slowest"
    parts_s = breakdown_of(requests, warmup, slow)
    tail = {part: float(values.mean()) for part, values in parts_s.items()}
    wholes = {"mean": summary["breakdown_s"], label: tail}
    chart = bars(
        "Time along the critical path, by part",
        [
            Bar(title, [(part, parts[part]) for part in PARTS], duration(sum(parts.values())))
            for title, parts in wholes.items()
        ],
        max(sum(parts.values()) for parts in wholes.values()),
        f"Along the chain of waits that ends with the answer. The slowest: {len(slow):,} of "
        f"{len(latency_s):,} requests, one in a hundred.",
        [(part, part) for part in PARTS],
    )
    return [chart, breakdown(summary, {label: tail})]


def slowest(latency_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the slowest hundredth, at least one."""
    count = max(1, math.ceil(_TAIL * len(latency_s)))
    least_s = np.partition(latency_s, -count)[-count]
    above = np.flatnonzero(latency_s > least_s)
    equal = np.flatnonzero(latency_s == least_s)
    places = np.union1d(above, equal[len(equal) - (count - len(above)) :])
    return places[np.argsort(latency_s[places], kind="stable")]


def breakdown_of(
    requests: Requests, warmup: int, places: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the parts of the latencies of some requests, in seconds, each of shape (places,).

    Args:
        requests: all requests.
        warmup: first requests that do not count.
        places: places of the wanted ones among those that count.
    """
    order = np.sort(places)
    found = {part: np.empty(len(places)) for part in PARTS}
    begin = 0
    for piece in requests.pieces():
        rows = np.flatnonzero(counted(piece, warmup))
        first, last = np.searchsorted(order, [begin, begin + len(rows)])
        wanted = rows[order[first:last] - begin]
        for part, values in found.items():
            values[first:last] = piece.breakdown_s[part][wanted]
        begin += len(rows)
    ranks = np.searchsorted(order, places)
    return {part: values[ranks] for part, values in found.items()}
