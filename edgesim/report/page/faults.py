"""What failed in a run, on its page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from edgesim.common.text import duration, joules
from edgesim.report import fault_text
from edgesim.report.page.markup import figure_of, name, table

_MOST_ROWS = 40


def faults(summary: Mapping[str, Any]) -> str:
    """Return how many requests were answered, by what, and what befell nodes and links."""
    found = summary["faults"]
    told = "".join(f"<li>{escape(one)}</li>" for one in fault_text.sentences(summary))
    figures = [
        ["answered, of all", figure_of(summary, ("faults", "availability"), fault_text.share)],
        ["in full, of all", figure_of(summary, ("faults", "whole"), fault_text.share)],
        ["tries of parts", figure_of(summary, ("faults", "attempts"), _count)],
        [
            "mean time until the next whole answer",
            figure_of(summary, ("faults", "recover_mean_s"), duration),
        ],
        ["joules of used work", figure_of(summary, ("faults", "used_j"), joules)],
        ["joules of lost work", figure_of(summary, ("faults", "lost_j"), joules)],
    ]
    body = f"<ul>{told}</ul>" + table("In figures", ["", "value"], figures)
    for title, key in (("Nodes that failed", "nodes"), ("Links that failed", "links")):
        if found[key]:
            body += _targets(title, found[key])
    told_where = "Every event, with its time, is in <code>faults.csv</code> of the result folder."
    return body + f'<p class="dim">{told_where}</p>'


def _count(value: int) -> str:
    return f"{value:,}"


def _targets(title: str, section: Mapping[str, Any]) -> str:
    kept = fault_text.columns(section)
    rows = [
        [name(row[0]), *(escape(row[index]) for index in kept[1:])]
        for row in fault_text.rows(section)
    ]
    head = [fault_text.NODE_COLUMNS[index] for index in kept]
    hidden = len(rows) - _MOST_ROWS
    more = f"… {hidden:,} more like these" if hidden > 0 else ""
    return table(title, head, rows[:_MOST_ROWS], more=more)
