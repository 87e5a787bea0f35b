"""What nodes compute and links carry over time: spans on tracks, and the timeline of a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from edgesim.common.text import duration
from edgesim.report.chart import Chart, Drawing, Scale
from edgesim.report.page.frame import Text, View
from edgesim.simulate import Span

KINDS = ("compute", "transfer", "fusion")
MOST_SPANS = 4000
"""Spans of the live timeline."""
MOST_TRACKS = 40
_STATIC_REQUESTS = 6
_ROW = 22.0
_SPARSE = 60.0
"""Longest time of a still timeline, as a multiple of its longest span: spans must be seen."""


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


def _natural(text: str) -> list[str | int]:
    """Return what sorts pi-2 before pi-10: texts and numbers by turns."""
    pieces = re.split("([0-9]+)", text)
    return [int(one[:15]) if place % 2 else one for place, one in enumerate(pieces)]


def timeline(
    spans: Sequence[Span], routes: Mapping[tuple[str, str], Sequence[str]], traced: int
) -> list[Text | View]:
    """Return the live timeline with its data, and a still one for paper and without scripts.

    Args:
        spans: of the traced requests.
        routes: links between two nodes.
        traced: requests that have spans.
    """
    rows = arranged(spans, routes)
    start = min(one.span.start_s for one in rows.placed)
    tasks: dict[str, int] = {}
    kinds = [*KINDS, *sorted({one.span.kind for one in rows.placed} - set(KINDS))]
    lines = [
        [
            one.track, one.lane, kinds.index(one.span.kind), one.span.request,
            tasks.setdefault(_title(one.span), len(tasks)),
            round(one.span.start_s - start, 9), round(one.span.end_s - one.span.start_s, 9),
        ]
        for one in rows.placed
    ]  # fmt: skip
    first = first_requests(spans)
    data = {
        "start": start,
        "first": max(one.span.end_s for one in rows.placed if one.span.request in first) - start,
        "tracks": [[track.name, int(track.link)] for track in rows.tracks],
        "lanes": rows.lanes,
        "kinds": kinds,
        "tasks": list(tasks),
        "spans": lines,
    }
    notes = [f"{rows.requests:,} of {traced:,} traced requests"]
    if rows.requests < traced:
        notes.append("all of them are in trace.json, for Perfetto")
    if rows.hidden_tracks:
        notes.append(f"{rows.hidden_tracks:,} more rows are left out here")
    noun = f"{len(first)} requests" if len(first) > 1 else "request"
    shown = arranged([span for span in spans if span.request in first], routes)
    seen = {one.span.kind for one in rows.placed}
    still = Chart(
        f"Timeline of the first {noun}",
        partial(_draw, shown),
        f"The first {noun}; all others are in tasks.csv and trace.json.",
        [(kind, kind) for kind in kinds if kind in seen],
    )
    return [Text(f"{'; '.join(notes)}.", style="dim"), View("timeline", data, still)]


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


def _title(span: Span) -> str:
    where = f"{span.node} → {span.target}" if span.kind == "transfer" else span.node
    return f"{span.task} ({where})"


def _draw(rows: Rows, drawing: Drawing) -> None:
    start = min(one.span.start_s for one in rows.placed)
    end = max(one.span.end_s for one in rows.placed)
    drawing.name_rows(track.name for track in rows.tracks)
    x = Scale(start, end, drawing.names, drawing.width - 4.0)
    base = _ROW * len(rows.tracks)
    drawing.height = base + 24.0
    for number, track in enumerate(rows.tracks):
        drawing.name(number * _ROW + 15, track.name, "dim" if track.link else "")
        line = f"M{drawing.names} {(number + 1) * _ROW:.0f}H{drawing.width}"
        drawing.add("path", class_="axis", d=line)
    for one in rows.placed:
        span, lanes = one.span, rows.lanes[one.track]
        deep = (_ROW - 6) / lanes
        drawing.rect(
            x(span.start_s), one.track * _ROW + 3 + one.lane * deep,
            max(0.8, x(span.end_s) - x(span.start_s)),
            max(0.8, deep - (0.5 if lanes > 1 else 0)), span.kind,
            f"request {span.request}: {_title(span)}, {duration(span.end_s - span.start_s)}",
        )  # fmt: skip
    drawing.time_axis(x, base)
