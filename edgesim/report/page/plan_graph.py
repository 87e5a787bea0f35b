"""The plan as a graph: tasks in layers, each with its node and the bytes that it receives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from edgesim.common.text import count, duration, rate, size
from edgesim.report.chart import Chart, Drawing, shortened
from edgesim.report.page.frame import Block, Name, Text
from edgesim.report.table import Table, figure

_MOST_TASKS = 60
_REQUEST, _ANSWER = "\0request", "\0answer"


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


def plan(summary: Mapping[str, Any], document: Mapping[str, Any] | None) -> list[Block]:
    """Return the plan: its bounds, its graph, its tasks.

    Args:
        summary: as in ``summary.json``.
        document: as in ``plan.json``; None where it is not there.
    """
    found = summary["plan"]
    details = ", ".join(
        f"{key.replace('_', ' ')} {_detail(key, value)}" for key, value in found["details"].items()
    )
    noun = "task" if found["tasks"] == 1 else "tasks"
    bounds = Text(
        f"{found['strategy']}, {found['precision']}, ",
        figure(summary, ("plan", "tasks"), lambda value: f"{value:,}"),
        f" {noun}{'; ' if details else ''}{details}. Bounded by ",
        Name(found["bottleneck"]),
        ": at most ",
        figure(summary, ("plan", "capacity_per_s"), rate),
        "; one request alone takes at least ",
        figure(summary, ("plan", "unloaded_latency_s"), duration),
        ".",
    )
    if not document or not document["branches"]:
        missing = "The folder holds no plan.json: there is no graph to draw."
        return [bounds, Text(missing, style="dim")]
    branch = document["branches"][0]
    others = document["branches_in_all"] - 1
    caption = (
        "From top to bottom. Every box names its task, the node that runs it, and the bytes that "
        "it receives for one sample."
    )
    if others:
        nodes = sorted({task["node"] for one in document["branches"][1:] for task in one["tasks"]})
        names = ", ".join(map(str, nodes[:12])) + (", …" if len(nodes) > 12 else "")
        caption += (
            f" One of {others + 1:,} alternatives; the others are on {names}. A request goes to "
            "the alternative with the least load."
        )
    tasks = branch["tasks"][:_MOST_TASKS]
    if len(tasks) < len(branch["tasks"]):
        caption += f" The first {_MOST_TASKS} tasks of {len(branch['tasks']):,}."
    label = f"Graph of the plan: {len(branch['tasks']):,} {noun}"
    lines = [
        [
            task["name"], task["node"], document["nodes"].get(task["node"], {}).get("device", ""),
            count(task["macs"]), size(task["memory_bytes"]),
        ]
        for task in tasks
    ]  # fmt: skip
    head = ["task", "node", "device", "MAC", "memory"]
    table = Table("Tasks of the plan; one MAC is two FLOP", head, lines, left=range(3))
    return [bounds, Chart(label, partial(_draw, document, branch, tasks), caption), table]


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


def _draw(
    document: Mapping[str, Any],
    branch: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
    drawing: Drawing,
) -> None:
    boxes = {task["name"]: task for task in tasks}
    edges = [
        (_REQUEST if source is None else source, _ANSWER if target is None else target, amount)
        for source, target, amount in branch["transfers"]
    ]
    for key, name, node in ((_REQUEST, "request", "input"), (_ANSWER, "answer", "output")):
        boxes[key] = {"name": name, "node": document[f"{node}_node"] or "", "kind": "end"}
    edges = [one for one in edges if one[0] in boxes and one[1] in boxes]
    used = {end for source, target, _ in edges for end in (source, target)}
    order = [one for one in (_REQUEST, *(task["name"] for task in tasks), _ANSWER)
             if one in used or one not in (_REQUEST, _ANSWER)]  # fmt: skip
    received: dict[str, float] = {}
    for _, target, amount in edges:
        received[target] = received.get(target, 0.0) + amount
    across = 6 if drawing.broad else 3
    wide, high, gap = min(190.0, drawing.width / across - 10), 54.0, 36.0
    letters = int((wide - 14.0) / 7.2)
    places: dict[str, tuple[float, float]] = {}
    top = 2.0
    for layer in layers(order, edges):
        for start in range(0, len(layer), across):
            line = layer[start : start + across]
            left = (drawing.width - len(line) * wide - (len(line) - 1) * 10) / 2
            for number, task in enumerate(line):
                places[task] = (left + number * (wide + 10), top)
            top += high + (8 if start + across < len(layer) else gap)
    for source, target, amount in edges:
        x1, y1 = places[source][0] + wide / 2, places[source][1] + high
        x2, y2 = places[target][0] + wide / 2, places[target][1]
        middle = (y1 + y2) / 2
        thick = 1.0 + 0.5 * math.log10(max(1.0, amount / 1e3)) if amount else 1.0
        curve = f"C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
        path = f"M{x1:.1f} {y1:.1f}{curve}"
        drawing.add("path", title=size(amount), class_="edge", stroke_width=thick, d=path)
    for task, (x, y) in places.items():
        box = boxes[task]
        colour = {"fusion": "fusion", "end": "rest"}.get(box["kind"], "compute")
        drawing.rect(x, y, wide, high, "box")
        drawing.rect(x, y, 4.0, high, colour)
        drawing.text(x + 11, y + 16, shortened(box["name"], letters), "strong")
        drawing.text(x + 11, y + 31, shortened(box["node"], letters))
        if received.get(task):
            drawing.text(x + 11, y + 46, f"{size(received[task])} in", "dim")
    drawing.height = top - gap + 4
