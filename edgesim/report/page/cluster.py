"""Nodes, links, energy, memory and baselines: bars and tables of what the summary says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from edgesim.common.text import joules, percent, size
from edgesim.report.page.markup import (
    BROAD,
    Row,
    entries,
    figure_of,
    legend,
    name,
    notes,
    picture,
    shortened,
    table,
)
from edgesim.report.run_text import (
    BASELINE_COLUMNS,
    PARTS_TITLE,
    baseline_notes,
    baseline_rows,
    device_parts,
    part_rows,
)
from edgesim.results.summary import section

MOST_ROWS = 50
_MOST_BARS = 24

Bars = Sequence[tuple[str, Sequence[tuple[str, float]], str]]
"""Name, (class, length) of its pieces, and what stands beside it."""


def bars(label: str, rows: Bars, most: float, caption: str) -> str:
    """Return one bar a row, of pieces, with a text at its right."""

    def drawn(width: float) -> tuple[float, str]:
        left, right = (150.0, 120.0) if width >= BROAD else (88.0, 84.0)
        letters = 22 if width >= BROAD else 13
        scale = (width - left - right) / most if most > 0.0 else 0.0
        parts = []
        for number, (title, pieces, told) in enumerate(rows[:_MOST_BARS]):
            top, at = 24.0 * number, left
            parts.append(f'<text y="{top + 16:.0f}">{escape(shortened(title, letters))}</text>')
            for kind, value in pieces:
                long = value * scale
                if long > 0.0:
                    parts.append(
                        f'<rect class="{kind} cut" x="{at:.1f}" y="{top + 3:.0f}" '
                        f'width="{max(0.6, long):.1f}" height="17"/>'
                    )
                at += long
            parts.append(f'<text class="dim" x="{at + 6:.1f}" y="{top + 16:.0f}">{told}</text>')
        return 24.0 * min(len(rows), _MOST_BARS) + 4, "".join(parts)

    hidden = len(rows) - _MOST_BARS
    more = f" The first {_MOST_BARS} of {len(rows):,}." if hidden > 0 else ""
    return picture(label, drawn, caption + more)


def _shown(
    rows: Mapping[str, Mapping[str, Any]],
) -> tuple[list[tuple[str, Mapping[str, Any]]], int]:
    """Return all rows, or the busiest where there are many, and how many are left out."""
    if len(rows) <= MOST_ROWS:
        return list(rows.items()), 0
    ranked = sorted(rows.items(), key=lambda entry: -entry[1]["utilization"])
    return ranked[:MOST_ROWS], len(rows) - MOST_ROWS


def over_all(summary: Mapping[str, Any], key: str) -> str:
    """Return the table of ``nodes`` or of ``links``."""
    shown, hidden = _shown(summary[key])
    more = f"… {hidden:,} more {key}, less busy" if hidden else ""
    head, rows = entries(section(key), dict(shown), key[:-1], summary, (key,))
    return table(f"{key.capitalize()} over the whole run", head, rows, more=more)


def states(summary: Mapping[str, Any]) -> str:
    """Return how long nodes were busy, idle and down, as shares of the run."""
    whole = summary["simulated_s"]
    rows = []
    for key, node in _shown(summary["nodes"])[0]:
        busy = min(1.0, node["utilization"] or 0.0)
        down = min(1.0 - busy, (node.get("down_s") or 0.0) / whole) if whole else 0.0
        pieces = [("work", busy), ("down", down), ("rest", 1.0 - busy - down)]
        rows.append((key, pieces, percent(node["utilization"])))
    told = [("work", "busy"), ("rest", "idle")]
    if any(node.get("down_s") for node in summary["nodes"].values()):
        told.insert(1, ("down", "down"))
    return legend(told) + bars(
        "Time of nodes by state", rows, 1.0, "Shares of the run; the number is the busy share."
    )


def energy(summary: Mapping[str, Any]) -> str:
    """Return joules by node and state, and by part where devices tell parts apart."""
    shown = _shown(summary["nodes"])[0]
    pieces = []
    for key, node in shown:
        idle = min(node["idle_j"], node["energy_j"])
        pieces.append((
            key, [("idle", idle), ("work", node["energy_j"] - idle)], joules(node["energy_j"]),
        ))  # fmt: skip
    most = max((node["energy_j"] for _, node in shown), default=0.0)
    body = legend(
        [("idle", "idle: drawn whether or not it works"), ("work", "above idle: while it works")]
    )
    body += bars("Energy of nodes by state", pieces, most, "")
    rows = [
        [
            name(key),
            *(figure_of(summary, ("nodes", key, one), joules) for one in ("energy_j", "idle_j")),
            joules(max(0.0, node["energy_j"] - node["idle_j"])),
        ]
        for key, node in shown
    ]
    links = summary["energy_j"]["links"]
    drawn = {key: value for key, value in links.items() if value}
    rows += [
        [name(key), figure_of(summary, ("energy_j", "links", key), joules), "", ""]
        for key in list(drawn)[:MOST_ROWS]
    ]
    rows += [
        [label, figure_of(summary, ("energy_j", key), joules), "", ""]
        for label, key in (("all", "total"), ("a request", "per_request"))
    ]
    hidden = len(summary["nodes"]) - len(shown)
    more = f"… {hidden:,} more nodes, less busy; their joules are in the sum" if hidden else ""
    body += table("Energy over the whole run", ["", "energy", "idle", "above idle"], rows,
                  more=more)  # fmt: skip
    return body + _by_part(summary)


def _by_part(summary: Mapping[str, Any]) -> str:
    parts = device_parts(summary)
    if not parts:
        return ""
    head = ["", *(cell for device in parts for cell in (device, "share"))]
    rows = [[escape(row[0]), *row[1:]] for row in part_rows(parts)]
    return table(PARTS_TITLE, head, rows)


def memory(summary: Mapping[str, Any]) -> str:
    """Return what the plan holds on each node, of what the node has."""
    shown = _shown(summary["nodes"])[0]
    known = [(key, node) for key, node in shown if node["memory_capacity_bytes"]]
    body = ""
    if known:
        rows = []
        for key, node in known:
            share = node["memory_bytes"] / node["memory_capacity_bytes"]
            pieces = [("work", min(1.0, share)), ("rest", max(0.0, 1.0 - share))]
            rows.append((key, pieces, percent(share)))
        body = bars("Memory that the plan holds on each node", rows, 1.0,
                    "Share of a node's memory that weights and activations take.")  # fmt: skip
    lines = [
        [
            name(key),
            *(
                figure_of(summary, ("nodes", key, one), size)
                for one in ("memory_bytes", "memory_capacity_bytes")
            ),
        ]
        for key, _ in shown
    ]
    return body + table("Memory of nodes", ["node", "held", "of"], lines)


def baselines(summary: Mapping[str, Any]) -> str:
    """Return the whole model on one device, beside the cluster."""
    rows: Iterable[Row] = (
        Row([name(row.cells[0].strip()), *map(escape, row.cells[1:])], row.aside)
        for row in baseline_rows(summary)
    )
    head = ["", *BASELINE_COLUMNS[1:]]
    return table(BASELINE_COLUMNS[0], head, rows) + notes(baseline_notes(summary))
