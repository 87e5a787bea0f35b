"""Drawings of the page: latency distribution, time by part, timeline of the first requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.report.text import duration
from edgesim.simulate import Span

_WIDTH = 960.0
_MOST_TRACKS = 24
_FIRST_REQUESTS = 6


def distribution(latency_s: NDArray[np.float64], summary: Mapping[str, Any]) -> str:
    """Return a histogram of latencies with the median and the 99th percentile marked.

    Heights are logarithms of counts: most requests may take the same time, and the tail matters.
    """
    height, left, right, top, bottom = 240.0, 46.0, 14.0, 26.0, 30.0
    low, high = float(latency_s.min()), float(np.quantile(latency_s, 0.999))
    if high - low <= 1e-9 * high:
        # All take the same time, but for how sums of times are rounded.
        high = high * 1.05 + 1e-12
        low *= 0.95
    bins = int(np.clip(np.sqrt(len(latency_s)) * 2, 10, 80))
    counts, edges = np.histogram(latency_s[latency_s <= high], bins=bins, range=(low, high))
    tallest = max(1, int(counts.max()))

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (_WIDTH - left - right)

    def y(count: float) -> float:
        share = math.log1p(count) / math.log1p(tallest)
        return height - bottom - share * (height - top - bottom)

    parts = [
        f'<rect class="compute" x="{x(a):.1f}" y="{y(c):.1f}" '
        f'width="{max(0.5, x(b) - x(a) - 1):.1f}" height="{y(0) - y(c):.1f}"/>'
        for a, b, c in zip(edges, edges[1:], counts, strict=False)
        if c
    ]
    base = y(0)
    parts.append(f'<line class="axis" x1="{left}" x2="{_WIDTH - right}" y1="{base}" y2="{base}"/>')
    for tick in np.linspace(low, high, 6):
        anchor = "start" if tick == low else "end" if tick == high else "middle"
        parts.append(
            f'<text class="dim" x="{x(tick):.1f}" y="{base + 18}" text-anchor="{anchor}">'
            f"{duration(float(tick))}</text>"
        )
    powers = [10**power for power in range(len(str(tallest)))]
    # The tallest bar has its number too, unless that of a power would stand in it.
    labelled = [one for one in powers if y(one) - y(tallest) > 14.0]
    parts.extend(
        f'<text class="dim" x="{left - 6}" y="{y(one) + 4:.1f}" text-anchor="end">{one:,}</text>'
        for one in [*labelled, tallest]
    )
    marks = [(label, summary[label]) for label in ("p50", "p99") if summary[label] is not None]
    last = -1e9
    for label, value in marks:
        at = min(x(value), _WIDTH - right)
        level = 12 if at - last > 110 else 24
        last = at
        anchor = "end" if at > _WIDTH - 120 else "start"
        shift = -5 if anchor == "end" else 5
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{base}" stroke="var(--ink)" '
            f'stroke-dasharray="3 3"/><text x="{at + shift:.1f}" y="{level}" '
            f'text-anchor="{anchor}">{label} {duration(value)}</text>'
        )
    return _svg(height, parts, "Histogram of latency; requests by time")


def shares(breakdown: Mapping[str, float]) -> str:
    """Return one bar of the mean latency, divided into its parts."""
    total = sum(breakdown.values())
    parts = []
    at = 0.0
    for part, value in breakdown.items():
        width = value / total * _WIDTH if total else 0.0
        if width > 0.0:
            title = f"<title>{part} {duration(value)}</title>"
            parts.append(
                f'<rect class="{part}" x="{at:.1f}" y="0" width="{width:.1f}" height="28">'
                f"{title}</rect>"
            )
        at += width
    return _svg(28.0, parts, "Mean latency by part")


def timeline(spans: Sequence[Span]) -> str:
    """Return what each node computes and sends while the first requests are under way."""
    requests = sorted({span.request for span in spans})[:_FIRST_REQUESTS]
    shown = set(requests)
    chosen = sorted(
        (span for span in spans if span.request in shown),
        key=lambda one: (one.start_s, one.end_s, one.request, one.task),
    )
    start = min(span.start_s for span in chosen)
    end = max(span.end_s for span in chosen)
    tracks: dict[tuple[str, str], None] = {}
    for span in chosen:
        tracks[(span.node, "sends" if span.kind == "transfer" else "computes")] = None
    order = sorted(tracks)
    hidden = len(order) - _MOST_TRACKS
    order = order[:_MOST_TRACKS]
    row, left = 22.0, 150.0
    height = row * len(order) + 26.0
    scale = (_WIDTH - left - 8.0) / max(end - start, 1e-12)
    parts = []
    for number, (node, what) in enumerate(order):
        name = node if len(node) <= 14 else node[:13] + "…"
        parts.append(
            f'<text x="0" y="{number * row + 15:.0f}">{escape(name)} '
            f'<tspan class="dim">{what}</tspan></text>'
        )
        parts.append(
            f'<line class="axis" x1="{left}" x2="{_WIDTH}" y1="{(number + 1) * row:.0f}" '
            f'y2="{(number + 1) * row:.0f}"/>'
        )
    places = {track: number for number, track in enumerate(order)}
    for span in chosen:
        track = (span.node, "sends" if span.kind == "transfer" else "computes")
        if track not in places:
            continue
        number = places[track]
        width = max(1.0, (span.end_s - span.start_s) * scale)
        text = escape(f"request {span.request}: {span.task}, {duration(span.end_s - span.start_s)}")
        parts.append(
            f'<rect class="{span.kind}" x="{left + (span.start_s - start) * scale:.1f}" '
            f'y="{number * row + 3:.0f}" width="{width:.1f}" height="{row - 6:.0f}" '
            f'opacity="0.85"><title>{text}</title></rect>'
        )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if share == 0.0 else "end" if share == 1.0 else "middle"
        at = left + share * (end - start) * scale
        parts.append(
            f'<text class="dim" x="{at:.1f}" y="{height - 8:.0f}" text-anchor="{anchor}">'
            f"{duration(start + share * (end - start))}</text>"
        )
    note = f'<p class="dim">{hidden} more tracks are in trace.json</p>' if hidden > 0 else ""
    return _svg(height, parts, "Timeline of the first requests") + note


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<div class="wide"><svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}" style="min-width: 34rem">{"".join(parts)}</svg></div>'
    )
