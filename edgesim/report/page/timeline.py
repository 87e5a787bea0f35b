"""What nodes compute and links carry, one request after the other: a picture, and a live one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from edgesim.common.text import duration
from edgesim.report.page.markup import BROAD, data, legend, picture, shortened
from edgesim.simulate import Span

MOST_SPANS = 4000
"""That the live picture holds."""
MOST_TRACKS = 40
_STATIC_REQUESTS = 6
_ROW = 22.0
_SPARSE = 60.0
"""Times its longest span that a still picture may take, so that spans are seen."""


@dataclass(frozen=True, slots=True)
class Track:
    """One row: a node that computes, or a link that carries."""

    name: str
    link: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A span on a track, in one of the lanes that those at the same time share."""

    span: Span
    track: int
    lane: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Tracks, how many lanes each has, and the spans on them, by start."""

    tracks: tuple[Track, ...]
    lanes: tuple[int, ...]
    placed: tuple[Placed, ...]
    requests: int
    hidden_tracks: int


def arranged(
    spans: Sequence[Span], routes: Mapping[tuple[str, str], Sequence[str]], most: int = MOST_SPANS
) -> Rows:
    """Return the spans of the first requests on tracks; whole requests, at most ``most`` spans.

    Args:
        spans: of any number of requests.
        routes: links between two nodes; a transfer whose route is not known, or that stays
            on its node, stands in a row of its sender.
        most: spans; one request more is never cut.
    """
    by_request: dict[int, list[Span]] = {}
    for span in spans:
        by_request.setdefault(span.request, []).append(span)
    chosen: list[Span] = []
    requests = 0
    for request in sorted(by_request):
        if chosen and len(chosen) + len(by_request[request]) > most:
            break
        chosen += by_request[request]
        requests += 1
    chosen.sort(key=lambda one: (one.start_s, one.end_s, one.request, one.task))
    wanted: dict[Track, list[Span]] = {}
    for span in chosen:
        if span.kind != "transfer":
            wanted.setdefault(Track(span.node, False), []).append(span)
            continue
        within = span.node == span.target
        unknown = f"{span.node} to itself" if within else f"{span.node} sends"
        links = routes.get((span.node, span.target)) or [unknown]
        for link in dict.fromkeys(links):
            wanted.setdefault(Track(link, True), []).append(span)
    tracks = sorted(wanted, key=lambda track: (track.link, _natural(track.name)))
    placed, lanes = [], []
    for number, track in enumerate(tracks[:MOST_TRACKS]):
        ends: list[float] = []
        for span in wanted[track]:
            lane = next(
                (place for place, end in enumerate(ends) if end <= span.start_s + 1e-12), len(ends)
            )
            if lane == len(ends):
                ends.append(span.end_s)
            ends[lane] = span.end_s
            placed.append(Placed(span, number, lane))
        lanes.append(len(ends))
    placed.sort(key=lambda one: (one.span.start_s, one.track))
    return Rows(
        tuple(tracks[:MOST_TRACKS]), tuple(lanes), tuple(placed), requests,
        max(0, len(tracks) - MOST_TRACKS),
    )  # fmt: skip


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts pi-2 before pi-10."""
    pieces, digits = [], ""
    for letter in text + "\0":
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            pieces.append((0, int(digits[:15]), ""))
            digits = ""
        pieces.append((1, 0, letter))
    return tuple(pieces)


def timeline(
    spans: Sequence[Span], routes: Mapping[tuple[str, str], Sequence[str]], traced: int
) -> str:
    """Return the live picture with its data, and a still one for paper and where no script runs.

    Args:
        spans: of the traced requests.
        routes: links between two nodes.
        traced: requests that have spans.
    """
    rows = arranged(spans, routes)
    start = min(one.span.start_s for one in rows.placed)
    tasks: dict[str, int] = {}
    kinds = ["compute", "transfer", "fusion"]
    kinds += sorted({one.span.kind for one in rows.placed} - set(kinds))
    lines = [
        [
            one.track, one.lane, kinds.index(one.span.kind), one.span.request,
            tasks.setdefault(_told(one.span), len(tasks)),
            round(one.span.start_s - start, 9), round(one.span.end_s - one.span.start_s, 9),
        ]
        for one in rows.placed
    ]  # fmt: skip
    first = first_requests(spans)
    held = {
        "start": start,
        "first": max(one.span.end_s for one in rows.placed if one.span.request in first) - start,
        "tracks": [[track.name, int(track.link)] for track in rows.tracks],
        "lanes": rows.lanes,
        "kinds": kinds,
        "tasks": list(tasks),
        "spans": lines,
    }
    told = [f"{rows.requests:,} of {traced:,} traced requests"]
    if rows.requests < traced:
        told.append("all of them are in trace.json, for Perfetto")
    if rows.hidden_tracks:
        told.append(f"{rows.hidden_tracks:,} more rows are left out here")
    keys = (
        "Drag, pinch, or Ctrl and the wheel; with the keyboard: arrows move, + and − zoom, "
        "Home shows all, N and P step through the spans."
    )
    live = (
        '<div class="live on-screen"><div class="needs-script">'
        '<button type="button" data-do="in" aria-label="Zoom in">+</button>'
        '<button type="button" data-do="out" aria-label="Zoom out">−</button>'
        '<button type="button" data-do="left" aria-label="Earlier">←</button>'
        '<button type="button" data-do="right" aria-label="Later">→</button>'
        '<button type="button" data-do="first">First requests</button>'
        '<button type="button" data-do="all">All</button></div>'
        '<canvas class="pan" id="timeline-canvas" tabindex="0" role="application" '
        'aria-label="Timeline of nodes and links. Arrows move, plus and minus zoom, N and P step '
        'through the spans." aria-describedby="timeline-tip"></canvas>'
        '<p class="tip" id="timeline-tip" aria-live="polite"></p>'
        f'<p class="dim">{keys}</p></div>'
    )
    still = f'<div class="static on-paper">{_still(spans, routes)}</div>'
    seen = {one.span.kind for one in rows.placed}
    kinds_told = legend((kind, kind) for kind in kinds if kind in seen)
    return (
        f'<p class="dim">{escape("; ".join(told))}.</p>'
        + kinds_told + live + still + data("timeline-data", held)
    )  # fmt: skip


def first_requests(spans: Sequence[Span]) -> set[int]:
    """Return the first requests that a picture shows: six, or fewer where they lie far apart."""
    order = sorted({span.request for span in spans})[:_STATIC_REQUESTS]
    while len(order) > 1:
        shown = [span for span in spans if span.request in set(order)]
        longest = max(span.end_s - span.start_s for span in shown)
        start = min(span.start_s for span in shown)
        if max(span.end_s for span in shown) - start <= _SPARSE * longest:
            break
        order.pop()
    return set(order)


def _told(span: Span) -> str:
    where = f"{span.node} → {span.target}" if span.kind == "transfer" else span.node
    return f"{span.task} ({where})"


def _still(spans: Sequence[Span], routes: Mapping[tuple[str, str], Sequence[str]]) -> str:
    first = first_requests(spans)
    noun = f"{len(first)} requests" if len(first) > 1 else "request"
    rows = arranged([span for span in spans if span.request in first], routes)
    return picture(
        f"Timeline of the first {noun}",
        lambda width: _drawn(rows, width),
        f"The first {noun}; all else is in tasks.csv and trace.json.",
    )


def _drawn(rows: Rows, width: float) -> tuple[float, str]:
    start = min(one.span.start_s for one in rows.placed)
    end = max(one.span.end_s for one in rows.placed)
    left, letters = (150.0, 22) if width >= BROAD else (88.0, 13)
    scale = (width - left - 4.0) / max(end - start, 1e-12)
    height = _ROW * len(rows.tracks) + 24.0
    parts = []
    for number, track in enumerate(rows.tracks):
        kind = ' class="dim"' if track.link else ""
        parts.append(
            f'<text{kind} y="{number * _ROW + 15:.0f}">{escape(shortened(track.name, letters))}'
            f'</text><path class="axis" d="M{left} {(number + 1) * _ROW:.0f}H{width}"/>'
        )
    for one in rows.placed:
        span, lanes = one.span, rows.lanes[one.track]
        deep = (_ROW - 6) / lanes
        text = escape(f"request {span.request}: {_told(span)}, {_length(span)}")
        parts.append(
            f'<rect class="{span.kind}" x="{left + (span.start_s - start) * scale:.1f}" '
            f'y="{one.track * _ROW + 3 + one.lane * deep:.1f}" '
            f'width="{max(0.8, (span.end_s - span.start_s) * scale):.1f}" '
            f'height="{max(0.8, deep - (0.5 if lanes > 1 else 0)):.1f}">'
            f"<title>{text}</title></rect>"
        )
    shares = (0.0, 0.25, 0.5, 0.75, 1.0) if width >= BROAD else (0.0, 0.5, 1.0)
    for share in shares:
        anchor = "start" if share == 0.0 else "end" if share == 1.0 else "middle"
        at = left + share * (end - start) * scale
        parts.append(
            f'<text class="dim" x="{at:.1f}" y="{height - 6:.0f}" text-anchor="{anchor}">'
            f"{duration(start + share * (end - start))}</text>"
        )
    return height, "".join(parts)


def _length(span: Span) -> str:
    return duration(span.end_s - span.start_s)


def routes_of(document: Mapping[str, Any] | None) -> dict[tuple[str, str], list[str]]:
    """Return links by (source, target) as ``plan.json`` has them."""
    if document is None:
        return {}
    return {(source, target): list(links) for source, target, links in document["routes"]}
