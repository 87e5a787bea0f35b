"""Scenarios and results as the small tables that notebooks show by themselves.

No colours of its own: it is read on light and on dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from edgesim.results.result import Result
from edgesim.results.summary import SUMMARY, section, value_at
from edgesim.scenario import Scenario
from edgesim.sweep import Table

_MOST_ROWS = 12


def scenario(what: Scenario) -> str:
    """Return a scenario: its model, nodes and traffic."""
    nodes: dict[str, int] = {}
    for node in what.cluster.nodes.values():
        nodes[node.device.name] = nodes.get(node.device.name, 0) + 1
    traffic = what.traffic
    offered = traffic.offered_per_s
    rate = "" if offered is None else f" at {offered:g}/s"
    rows = [
        ("model", what.placement.model.name),
        ("placement", what.strategy),
        ("nodes", ", ".join(f"{many} × {name}" for name, many in nodes.items())),
        ("traffic", f"{traffic.requests:,} requests, {traffic.arrivals}{rate}"),
        ("seed", str(what.seed)),
    ]
    return _table(what.name, (), rows)


def result(what: Result) -> str:
    """Return a result: latency, throughput, energy, nodes."""
    summary = what.summary
    rows = [
        (one.name if path[0] == "latency_s" else one.heading, one.text(value_at(summary, path)))
        for path, one in SUMMARY.singles("notebook")
        if summary[path[0]] is not None
    ]
    asked = summary["requests"]
    title = (
        f"{what.scenario.name}: {asked['completed'] + asked['degraded']:,} of "
        f"{asked['offered']:,} requests answered"
    )
    metrics = section("nodes").shown("notebook")
    nodes = [(name, *(one.cell(row) for one in metrics)) for name, row in summary["nodes"].items()]
    head = ("node", *(one.heading for one in metrics))
    return _table(title, (), rows) + _table("Nodes", head, nodes)


def table(what: Table) -> str:
    """Return the first rows of a study's table."""
    names = [one.name for one in what.columns]
    rows = [
        tuple("" if row[name] is None else _cell(row[name]) for name in names)
        for row in (what.row(index) for index in range(min(len(what), _MOST_ROWS)))
    ]
    return _table(f"{what.name}: {len(what):,} of {what.size:,} points", names, rows)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = list(rows[:_MOST_ROWS])
    lines = ["<table>", f"<caption>{escape(title)}</caption>"]
    if head:
        cells = "".join(f"<th>{escape(one)}</th>" for one in head)
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    for row in shown:
        first, *others = (escape(str(one)) for one in row)
        cells = "".join(f"<td>{one}</td>" for one in others)
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    if len(rows) > len(shown):
        width = max(1, len(head))
        lines.append(f'<tr><td colspan="{width}">… {len(rows) - len(shown):,} more</td></tr>')
    return "\n".join([*lines, "</table>"])
