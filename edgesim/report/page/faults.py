"""What failed in a run, on its page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import islice
from typing import Any

from edgesim.report.page.markup import entries, figure_of, table
from edgesim.report.run_text import fault_sentences
from edgesim.results.summary import section

_MOST_ROWS = 40


def faults(summary: Mapping[str, Any]) -> str:
    """Return how many requests were answered, by what, and what befell nodes and links."""
    told = "".join(f"<li>{escape(one)}</li>" for one in fault_sentences(summary))
    figures = [
        [one.heading, figure_of(summary, ("faults", one.name), one.text)]
        for one in section("faults").shown("page")
    ]
    body = f"<ul>{told}</ul>" + table("In figures", ["", "value"], figures)
    for title, key in (("Nodes that failed", "nodes"), ("Links that failed", "links")):
        found = summary["faults"][key]
        if found:
            head, rows = entries(section("faults", key), found, "")
            hidden = len(rows) - _MOST_ROWS
            more = f"… {hidden:,} more like these" if hidden > 0 else ""
            body += table(title, head, islice(rows, _MOST_ROWS), more=more)
    told_where = "Every event, with its time, is in <code>faults.csv</code> of the result folder."
    return body + f'<p class="dim">{told_where}</p>'
