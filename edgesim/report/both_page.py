"""The page of a comparison: self-contained, light and dark, no script and no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.report import both_rows
from edgesim.report.both_curves import curves
from edgesim.report.both_tables import warnings

# Blue and vermilion of Okabe and Ito (2008), which people tell apart however they see colours; the
# predicted curve is dashed as well.
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --paper: #ffffff;
  --line: #d9dee5; --predicted: #0072b2; --measured: #d55e00; --warn: #fff3d6;
  --warn-ink: #5c4300; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --dim: #9aa6b5; --paper: #14181f;
  --line: #323a46; --predicted: #56b4e9; --measured: #f0803c; --warn: #3a2f12;
  --warn-ink: #f0d994; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 58rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2.4rem 0 .4rem; font-size: 1.15rem; }
.dim { color: var(--dim); }
.warning { background: var(--warn); color: var(--warn-ink); border-radius: .5rem;
  padding: .6rem .9rem; margin-top: .7rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin-top: .6rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th { color: var(--dim); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr:first-child th { border-bottom: 1px solid var(--line); }
tr.first td { border-top: 1px solid var(--line); }
td.sub { padding-left: 1rem !important; color: var(--dim); }
svg { display: block; width: 100%; height: auto; margin-top: .4rem; }
svg text { fill: var(--dim); font: 13px system-ui, sans-serif; }
svg .axis { stroke: var(--line); }
polyline { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
polyline.predicted { stroke: var(--predicted); stroke-dasharray: 7 4; }
polyline.measured { stroke: var(--measured); }
circle { stroke: var(--paper); stroke-width: 1.5; }
circle.predicted { fill: var(--predicted); } circle.measured { fill: var(--measured); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .4rem 0 0; padding: 0;
  list-style: none; }
.legend i { display: inline-block; width: 1.6rem; margin-right: .4rem; vertical-align: .25rem;
  border-top: 3px solid var(--measured); }
.legend i.predicted { border-top: 3px dashed var(--predicted); }
@media (max-width: 40rem) { svg text { font-size: 22px; } polyline { stroke-width: 3.5; }
  circle { r: 8px; } th, td { padding: .25rem .35rem; font-size: .85rem; }
  th:first-child, td:first-child { white-space: normal; } .width { display: none; } }
""".strip()

_LEGEND = (
    '<ul class="legend"><li><i class="predicted"></i>predicted</li>'
    '<li><i class="measured"></i>measured</li>'
    '<li class="dim">share of requests that took at most so long; dots: p50, p90, p99</li></ul>'
)
_WIDTHS = (2, 4)
"""Columns of intervals, which a small screen has no room for."""


class Latencies(NamedTuple):
    """Latencies in seconds of the answered requests of one load."""

    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]


def page(document: Mapping[str, Any], latencies: Mapping[str, Latencies]) -> str:
    """Return the page of a comparison as HTML.

    Args:
        document: as in ``comparison.json``.
        latencies: of every load, by its folder.
    """
    name = escape(str(document["name"]))
    loads = document["loads"]
    told = (
        f"predicted and measured · {document['arrivals']} arrivals · "
        f"{both_rows.capacity(document)} · {duration(document['wall_s'])} in all"
    )
    body = [
        f"<h1>{name}</h1>",
        f'<div class="dim">{escape(told)}</div>',
        *(f'<div class="warning">{escape(text)}</div>' for text in warnings(document)),
    ]
    if len(loads) > 1:
        body += ["<h2>Errors by load</h2>", _errors(loads)]
    for load in loads:
        body.append(f"<h2>{escape(both_rows.title(load))}</h2>")
        body.append(f'<div class="dim">{escape(both_rows.requests(load))}</div>')
        drawn = curves(*latencies[load["folder"]])
        if drawn:
            body += [_LEGEND, drawn]
        body.append(_table(load))
    notes = "<br>".join(map(escape, both_rows.notes(document)))
    versions = ", ".join(f"{key} {value}" for key, value in document["versions"].items())
    body.append(f'<p class="dim">{notes}</p>')
    body.append(f'<p class="dim">seed {document["seed"]}, {escape(versions)}</p>')
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} · edgesim</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _errors(loads: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [name, *(both_rows.error(load["latency_s"][name]) for load in loads)]
        for name in both_rows.SUMMED_UP
    ]
    rows.append(["throughput", *(both_rows.error(load["throughput_per_s"]) for load in loads)])
    head = "".join(f"<th>{escape(cell)}</th>" for cell in ["", *map(both_rows.heading, loads)])
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'


def _table(load: Mapping[str, Any]) -> str:
    head = "".join(
        f"<th{_class(place)}>{escape(cell)}</th>" for place, cell in enumerate(both_rows.COLUMNS)
    )
    rows = []
    for line in both_rows.lines(load):
        kind = ' class="first"' if line.first else ""
        name = line.cells[0]
        sub = ' class="sub"' if name.startswith(" ") else ""
        cells = f"<td{sub}>{escape(name.strip())}</td>" + "".join(
            f"<td{_class(place)}>{escape(cell)}</td>"
            for place, cell in enumerate(line.cells[1:], start=1)
        )
        rows.append(f"<tr{kind}>{cells}</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _class(place: int) -> str:
    return ' class="width dim"' if place in _WIDTHS else ""
