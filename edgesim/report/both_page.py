"""The page of a comparison: self-contained, light and dark, no script and no network.

Its colours are blue and vermilion of Okabe and Ito (2008), which people tell apart however they see
colours; the predicted curve is dashed as well.
"""

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
from edgesim.report.page.frame import file

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
        f"<title>{name} · edgesim</title><style>{file('comparison.css').strip()}</style></head>"
        "<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _errors(loads: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in ["", *map(both_rows.heading, loads)])
    lines = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for row in both_rows.errors(loads)
    )
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
