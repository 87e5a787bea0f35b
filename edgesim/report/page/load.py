"""How busy nodes were over time and how long their queues, from the spans of traced requests.

Exact up to the arrival of the first request that was not traced: until then, every task on every
node has its span. A task waits from when its last input has come until it starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration, percent
from edgesim.report.chart import Chart, Drawing, Scale
from edgesim.results.tables_csv import Requests
from edgesim.simulate import Span
from edgesim.simulate.recording import FEATURES, transfer_name

_MOST_NODES = 12
_BINS = 120
_BAND = 44.0


@dataclass(frozen=True, slots=True)
class Load:
    """Of one node, over bins of time.

    Attributes:
        busy: mean share of its cores that work, shape (bins,).
        waiting: mean number of tasks that wait, shape (bins,).
    """

    busy: NDArray[np.float64]
    waiting: NDArray[np.float64]


def traced_s(requests: Requests, spans: Sequence[Span]) -> tuple[float, dict[int, float]]:
    """Return until when all requests were traced, and when those of the spans arrived.

    Both in seconds of the first replication; arrivals by the number of the request.
    """
    traced = np.unique([span.request for span in spans])
    last = max((span.end_s for span in spans), default=0.0)
    arrivals: dict[int, float] = {}
    for piece in requests.pieces():
        first = piece.replication == 0
        known = np.isin(piece.index, traced)
        own = first & known
        numbers, times_s = piece.index[own].tolist(), piece.arrival_s[own].tolist()
        arrivals.update(zip(numbers, times_s, strict=True))
        # A request that failed may have left no span.
        missing = first & ~known & ~np.isnan(piece.latency_s)
        if missing.any():
            last = min(last, float(piece.arrival_s[missing.argmax()]))
        if not first.any() or (missing.any() and piece.index[-1] > traced[-1]):
            break
    return last, arrivals


def loads(
    requests: Requests, spans: Sequence[Span], document: Mapping[str, Any], bins: int = _BINS
) -> tuple[float, dict[str, Load]]:
    """Return the end of the window, and the load of every node in equal bins from 0 to there."""
    end, arrivals = traced_s(requests, spans)
    nodes = document["nodes"]
    cores = {
        (task["name"], task["node"]): task["cores"]
        for branch in document["branches"]
        for task in branch["tasks"]
    }
    ready = _ready(arrivals, spans, document)
    found = {node: Load(np.zeros(bins), np.zeros(bins)) for node in nodes}
    running: set[tuple[str, str, float, float]] = set()
    for span in spans:
        if span.kind == "transfer" or span.node not in nodes:
            continue
        have, load = nodes[span.node]["cores"], found[span.node]
        own = cores.get((span.task, span.node)) or have
        key = (span.node, span.task, span.start_s, span.end_s)
        if key not in running:  # members of a batch run as one
            running.add(key)
            _add(load.busy, span.start_s, span.end_s, min(1.0, own / have), end)
        since = ready.get((span.request, span.task))
        if since is not None and since < span.start_s - 1e-9:
            _add(load.waiting, since, span.start_s, 1.0, end)
    return end, {
        node: Load(np.minimum(1.0, load.busy), load.waiting)
        for node, load in found.items()
        if load.busy.any() or load.waiting.any()
    }


def _ready(
    arrival: Mapping[int, float], spans: Sequence[Span], document: Mapping[str, Any]
) -> dict[tuple[int, str], float]:
    """Return when the last input of every task of every request had come."""
    into: dict[str, list[str | None]] = {}
    # Tables of a folder have a transfer's name alone: look up which of the plan's it is.
    targets: dict[str, str] = {}
    for branch in document["branches"]:
        for source, target, _ in branch["transfers"]:
            if target is not None:
                into.setdefault(target, []).append(source)
                targets[transfer_name(source, target)] = target
        fusions = [task["name"] for task in branch["tasks"] if task.get("kind") == "fusion"]
        targets |= {transfer_name(FEATURES, fusion): fusion for fusion in fusions}
    done: dict[tuple[int, str], float] = {}
    come: dict[tuple[int, str], float] = {}
    for span in spans:
        if span.kind == "transfer":
            if span.task in targets:
                key = (span.request, targets[span.task])
                come[key] = max(come.get(key, 0.0), span.end_s)
        else:
            done[span.request, span.task] = span.end_s
    found = {}
    for request, task in done:
        if request not in arrival:
            continue
        since = max(arrival[request], come.get((request, task), 0.0))
        for source in into.get(task, ()):
            since = max(since, done.get((request, source), 0.0)) if source is not None else since
        found[request, task] = since
    return found


def _add(values: NDArray[np.float64], start: float, stop: float, height: float, end: float) -> None:
    """Add a step of ``height`` between two times to the means over bins from 0 to ``end``."""
    stop = min(stop, end)
    if stop <= start or end <= 0.0:
        return
    wide = end / len(values)
    first, last = int(start / wide), min(len(values) - 1, int(stop / wide))
    if first > last:
        return
    edges = np.arange(first, last + 2) * wide
    covered = np.minimum(stop, edges[1:]) - np.maximum(start, edges[:-1])
    values[first : last + 1] += height * np.maximum(0.0, covered) / wide


def over_time(
    requests: Requests, spans: Sequence[Span], document: Mapping[str, Any], simulated_s: float
) -> Chart | None:
    """Return utilization and queue of every node over the traced time; None where nothing ran."""
    end, found = loads(requests, spans, document)
    if end <= 0.0 or not found:
        return None
    busiest = sorted(found, key=lambda node: -float(found[node].busy.mean()))[:_MOST_NODES]
    shown = {node: one for node, one in found.items() if node in busiest}
    longest = max(float(one.waiting.max()) for one in shown.values()) or 1.0
    share = min(1.0, end / simulated_s) if simulated_s else 1.0
    caption = (
        f"From 0 s to {duration(end)}, {percent(share)} of the run: every request that came until "
        f"then was traced (--trace N traces more). Filled: share of a node's cores that are busy, "
        f"from 0 to 1. Line: number of waiting tasks, from 0 to {longest:.3g}. Means over "
        f"{duration(end / _BINS)}."
    )
    if len(shown) < len(found):
        caption += f" The {len(shown)} busiest of {len(found):,} nodes."
    draw = partial(_draw, shown, end, longest)
    return Chart("Utilization and queue of nodes over time", draw, caption)


def _draw(shown: Mapping[str, Load], end: float, longest: float, drawing: Drawing) -> None:
    drawing.name_rows(shown)
    left, right = drawing.names, drawing.width - 66.0
    deep, step = _BAND - 10, (right - left) / _BINS
    for number, (node, one) in enumerate(shown.items()):
        base = _BAND * (number + 1) - 4
        steps = "".join(
            f"L{left + place * step:.1f} {base - value * deep:.1f}H{left + (place + 1) * step:.1f}"
            for place, value in enumerate(one.busy.tolist())
        )
        drawing.name(base - 12, node)
        drawing.add("path", class_="work", opacity=".75", d=f"M{left} {base}{steps}V{base}Z")
        drawing.add("path", class_="axis", d=f"M{left} {base}H{right}")
        if one.waiting.any():
            drawing.line(
                (
                    (left + (place + 0.5) * step, base - value / longest * deep)
                    for place, value in enumerate(one.waiting.tolist())
                ),
                "mark",
            )
        drawing.text(right + 6, base - 12, percent(float(one.busy.mean())), "dim")
    base = _BAND * len(shown)
    drawing.time_axis(Scale(0.0, end, left, right), base)
    drawing.height = base + 24
