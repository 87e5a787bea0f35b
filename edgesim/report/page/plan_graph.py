"""The plan as a graph: tasks in layers, each with its node and the bytes that it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from edgesim.common.text import count, duration, rate, size
from edgesim.report.page.markup import BROAD, figure_of, name, picture, shortened, table

_MOST_TASKS = 60
_REQUEST, _ANSWER = "\0request", "\0answer"


@dataclass(frozen=True, slots=True)
class Box:
    """One task, or the request, or the answer."""

    title: str
    node: str
    kind: str


def layers(tasks: Sequence[str], transfers: Sequence[tuple[str, str, float]]) -> list[list[str]]:
    """Return tasks by the longest chain of transfers that leads to them.

    Args:
        tasks: in topological order.
        transfers: (source, target, bytes) between them.
    """
    depth = dict.fromkeys(tasks, 0)
    into: dict[str, list[str]] = {}
    for source, target, _ in transfers:
        into.setdefault(target, []).append(source)
    for task in tasks:
        depth[task] = max((depth[one] + 1 for one in into.get(task, ())), default=0)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task in tasks:
        found[depth[task]].append(task)
    return found


def plan(summary: Mapping[str, Any], document: Mapping[str, Any] | None) -> str:
    """Return the plan: its bounds, its graph, its tasks.

    Args:
        summary: as in ``summary.json``.
        document: as in ``plan.json``; None where it is not there.
    """
    told = summary["plan"]
    details = ", ".join(
        f"{key.replace('_', ' ')} {_detail(key, value)}" for key, value in told["details"].items()
    )
    bound = figure_of(summary, ("plan", "capacity_per_s"), rate)
    alone = figure_of(summary, ("plan", "unloaded_latency_s"), duration)
    tasks = figure_of(summary, ("plan", "tasks"), lambda value: f"{value:,}")
    body = (
        f"<p>{escape(told['strategy'])}, {escape(told['precision'])}, {tasks} tasks"
        f"{'; ' if details else ''}{escape(details)}. Bounded by {name(told['bottleneck'])}: at "
        f"most {bound}; one request alone takes at least {alone}.</p>"
    )
    if not document or not document["branches"]:
        return body + '<p class="dim">The folder holds no plan.json: no graph to draw.</p>'
    branch = document["branches"][0]
    others = document["branches_in_all"] - 1
    caption = (
        "From top to bottom. Every box names its task, the node that runs it, and the bytes that "
        "it takes for one sample."
    )
    if others:
        nodes = sorted({task["node"] for one in document["branches"][1:] for task in one["tasks"]})
        shown = ", ".join(map(str, nodes[:12])) + (", …" if len(nodes) > 12 else "")
        caption += (
            f" One of {others + 1:,} alternatives; the others are on {name(shown)}. A request goes "
            "to the least loaded."
        )
    hidden = len(branch["tasks"]) - _MOST_TASKS
    if hidden > 0:
        caption += f" The first {_MOST_TASKS} tasks of {len(branch['tasks']):,}."
    drawn = picture(
        f"Graph of the plan: {len(branch['tasks'])} tasks",
        lambda width: _drawn(document, branch, width),
        caption,
    )
    rows = [
        [
            name(task["name"]), name(task["node"]),
            name(document["nodes"].get(task["node"], {}).get("device", "")),
            count(task["macs"]), size(task["memory_bytes"]),
        ]
        for task in branch["tasks"][:_MOST_TASKS]
    ]  # fmt: skip
    head = ["task", "node", "device", "MAC", "memory"]
    return body + drawn + table("Tasks of the plan; one MAC is two FLOP", head, rows)


def _detail(key: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key.endswith("bytes"):
            return size(value)
        return f"{value:,}" if isinstance(value, int) and value < 10_000 else count(value)
    if isinstance(value, list):
        return ", ".join(_detail(key, one) for one in value)
    if isinstance(value, dict) and value.keys() == {"node", "first", "last"}:
        return f"{value['node']} ({value['first']} to {value['last']})"
    if isinstance(value, dict):
        return " ".join(_detail(inner, one) for inner, one in value.items())
    return str(value)


def _drawn(
    document: Mapping[str, Any], branch: Mapping[str, Any], width: float
) -> tuple[float, str]:
    tasks = branch["tasks"][:_MOST_TASKS]
    boxes = {task["name"]: Box(task["name"], task["node"], task["kind"]) for task in tasks}
    edges = [
        (_REQUEST if source is None else source, _ANSWER if target is None else target, amount)
        for source, target, amount in branch["transfers"]
    ]
    boxes[_REQUEST] = Box("request", document["input_node"] or "", "end")
    boxes[_ANSWER] = Box("answer", document["output_node"] or "", "end")
    edges = [one for one in edges if one[0] in boxes and one[1] in boxes]
    used = {end for source, target, _ in edges for end in (source, target)}
    ends = ([_REQUEST] if _REQUEST in used else [], [_ANSWER] if _ANSWER in used else [])
    order = [*ends[0], *(task["name"] for task in tasks), *ends[1]]
    taken: dict[str, float] = {}
    for _, target, amount in edges:
        taken[target] = taken.get(target, 0.0) + amount
    across = 6 if width >= BROAD else 3
    wide, high, gap = min(190.0, width / across - 10), 54.0, 36.0
    letters = int(wide / 7.2)
    places: dict[str, tuple[float, float]] = {}
    top = 2.0
    for layer in layers(order, edges):
        for start in range(0, len(layer), across):
            line = layer[start : start + across]
            left = (width - len(line) * wide - (len(line) - 1) * 10) / 2
            for number, task in enumerate(line):
                places[task] = (left + number * (wide + 10), top)
            top += high + (8 if start + across < len(layer) else gap)
    parts = []
    for source, target, amount in edges:
        x1, y1 = places[source][0] + wide / 2, places[source][1] + high
        x2, y2 = places[target][0] + wide / 2, places[target][1]
        middle = (y1 + y2) / 2
        thick = 1.0 + 0.5 * math.log10(max(1.0, amount / 1e3)) if amount else 1.0
        parts.append(
            f'<path class="edge" stroke-width="{thick:.1f}" d="M{x1:.1f} {y1:.1f}C{x1:.1f} '
            f'{middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"><title>{size(amount)}</title>'
            "</path>"
        )
    for task, (x, y) in places.items():
        box = boxes[task]
        colour = "fusion" if box.kind == "fusion" else "rest" if box.kind == "end" else "compute"
        amount = f"takes {size(taken[task])}" if taken.get(task) else ""
        parts.append(
            f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high}" rx="4"/>'
            f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" width="4" height="{high}"/>'
            f'<text x="{x + 11:.1f}" y="{y + 16:.1f}" class="strong">'
            f"{escape(shortened(box.title, letters))}</text>"
            f'<text x="{x + 11:.1f}" y="{y + 31:.1f}">{escape(shortened(box.node, letters))}</text>'
            f'<text class="dim" x="{x + 11:.1f}" y="{y + 46:.1f}">{amount}</text>'
        )
    return top - gap + 4, "".join(parts)
