"""The trace-event format of Chrome and Perfetto: a track for each node and each link.

Source: "Trace Event Format" (Google, 2016), whose JSON Perfetto reads. Tracks are threads of two
processes, nodes and links. What overlaps on one track is put on parallel threads of it (lanes), as
complete events ("X") of one thread must nest. Flow events ("s", "f") draw the arrows from a task
over its transfer to the next task.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from edgesim.hardware import Cluster, Duplex, Hop
from edgesim.simulate import Recording, Span

_NODES, _LINKS = 1, 2


def trace_json(recording: Recording, cluster: Cluster) -> str:
    """Return the spans of a recording as one trace-event document; times in microseconds.

    Events are written as text at once: a thousand requests have a hundred thousand of them.
    """
    tracks = _Tracks()
    events: list[str] = []
    placed: dict[Span, int] = {}
    for span in sorted(recording.spans, key=lambda one: (one.start_s, one.end_s, one.request)):
        if span.kind != "transfer":
            thread = tracks.lane(_Track(_NODES, span.node), span)
            events.append(_complete(span, _NODES, thread))
            placed[span] = thread
            continue
        for number, track in enumerate(tracks.links(span, cluster)):
            thread = tracks.lane(track, span)
            events.append(_complete(span, _LINKS, thread))
            if number == 0:
                placed[span] = thread
    events += _flows(recording.spans, placed)
    named = [json.dumps(event) for event in tracks.names()]
    inside = ",\n".join([*named, *events])
    return f'{{"displayTimeUnit":"ms","traceEvents":[\n{inside}\n]}}\n'


class _Track(NamedTuple):
    """A node, or one direction of a link: an arrow, empty where both are one."""

    process: int
    name: str
    direction: str = ""

    @property
    def label(self) -> str:
        """Return what it is called."""
        return f"{self.name} {self.direction}" if self.direction else self.name


class _Tracks:
    """Threads by track, with as many lanes each as spans overlap on it."""

    def __init__(self) -> None:
        self._ends: dict[_Track, list[float]] = {}
        self._threads: dict[tuple[_Track, int], int] = {}
        self._links: dict[tuple[str, str], list[_Track]] = {}

    def links(self, span: Span, cluster: Cluster) -> list[_Track]:
        """Return the tracks of the links that a transfer crosses."""
        ends = (span.node, span.target)
        if ends not in self._links:
            hops = cluster.network.route(*ends) or ()
            tracks = (_Track(_LINKS, hop.link, _direction(hop, cluster)) for hop in hops)
            self._links[ends] = list(dict.fromkeys(tracks))
        return self._links[ends]

    def lane(self, track: _Track, span: Span) -> int:
        """Return the thread of the first lane that is free when ``span`` starts."""
        ends = self._ends.setdefault(track, [])
        for lane, end_s in enumerate(ends):
            if end_s <= span.start_s:
                ends[lane] = span.end_s
                break
        else:
            lane = len(ends)
            ends.append(span.end_s)
        return self._threads.setdefault((track, lane), len(self._threads) + 1)

    def names(self) -> list[dict[str, Any]]:
        """Return the metadata events that name processes and threads."""
        named = [
            _metadata("process_name", process, 0, {"name": name})
            for process, name in ((_NODES, "nodes"), (_LINKS, "links"))
        ]
        in_order = sorted(
            (track.process, track.label, lane, thread)
            for (track, lane), thread in self._threads.items()
        )
        for order, (process, track, lane, thread) in enumerate(in_order):
            label = track if lane == 0 else f"{track} ({lane + 1})"
            named.append(_metadata("thread_name", process, thread, {"name": label}))
            named.append(_metadata("thread_sort_index", process, thread, {"sort_index": order}))
        return named


def _direction(hop: Hop, cluster: Cluster) -> str:
    if cluster.network.links[hop.link].duplex is not Duplex.FULL:
        return ""
    return "→" if hop.forward else "←"


def _metadata(name: str, process: int, thread: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "M", "name": name, "pid": process, "tid": thread, "args": args}


@cache
def _quoted(text: str) -> str:
    return json.dumps(text)


def _complete(span: Span, process: int, thread: int) -> str:
    joules = "null" if math.isnan(span.joules) else repr(span.joules)
    # Both ends are rounded, not the duration: slices that follow at once must not overlap.
    start_us, end_us = round(span.start_s * 1e6, 3), round(span.end_s * 1e6, 3)
    return (
        f'{{"ph":"X","name":{_quoted(span.task)},"cat":"{span.kind}","pid":{process},'
        f'"tid":{thread},"ts":{start_us:.3f},"dur":{end_us - start_us:.3f},'
        f'"args":{{"request":{span.request},"joules":{joules}}}}}'
    )


def _flows(spans: Sequence[Span], placed: dict[Span, int]) -> list[str]:
    """Return an arrow from each task to its transfers, and from each transfer to its task."""
    tasks: dict[tuple[int, str | None], Span] = {
        (span.request, span.task): span for span in spans if span.kind != "transfer"
    }
    events: list[str] = []
    for span in spans:
        if span.kind != "transfer" or span not in placed:
            continue
        before = tasks.get((span.request, span.from_task))
        after = tasks.get((span.request, span.to_task))
        for start, end in ((before, span), (span, after)):
            if start is None or end is None:
                continue
            number = len(events) // 2 + 1
            # A slice does not hold its own end: the arrow starts just inside it.
            leaves_s = start.start_s + 0.999 * (start.end_s - start.start_s)
            events.append(_arrow('"s"', number, start, placed[start], leaves_s))
            events.append(_arrow('"f","bp":"e"', number, end, placed[end], end.start_s))
    return events


def _arrow(phase: str, number: int, span: Span, thread: int, time_s: float) -> str:
    process = _LINKS if span.kind == "transfer" else _NODES
    return (
        f'{{"ph":{phase},"name":"data","cat":"flow","id":{number},"pid":{process},'
        f'"tid":{thread},"ts":{time_s * 1e6:.3f}}}'
    )
