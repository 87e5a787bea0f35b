"""Pieces of a page: escaped text, numbers that say which they are, tables, pictures, sections."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from edgesim.results.metrics import Section as Metrics

BROAD, NARROW = 960.0, 360.0
"""Widths that a picture is drawn in: of a screen, and of a phone."""


def name(text: object) -> str:
    """Return a name that someone chose; letters from right to left do not turn what is beside."""
    return f"<bdi>{escape(str(text))}</bdi>"


def figure_of(summary: Mapping[str, Any], path: Sequence[str], form: Callable[[Any], str]) -> str:
    """Return a number of the summary as people read it; attributes hold its key path and value.

    Args:
        summary: where it stands.
        path: keys, outermost first.
        form: that writes it.
    """
    value: Any = summary
    for key in path:
        value = value[key]
    text = "-" if value is None else form(value)
    return (
        f'<span data-key="{escape(".".join(path))}" data-value="{escape(json.dumps(value))}">'
        f"{escape(text)}</span>"
    )


def entries(
    of: Metrics[Any],
    rows: Mapping[str, Mapping[str, Any]],
    first: str,
    summary: Mapping[str, Any] | None = None,
    path: Sequence[str] = (),
) -> tuple[list[str], list[list[str]]]:
    """Return head and lines of a table of nodes or links.

    Args:
        of: section of the registry whose metrics stand in it.
        rows: entries by name.
        first: heading of the names.
        summary: in which the entries stand at ``path``; None for text that does not say so.
        path: of the section.
    """
    metrics = of.shown("page", rows)
    lines = []
    for key, row in rows.items():
        cells = [name(key)]
        for one in metrics:
            if one.kind == "text":
                cells.append(name(row[one.name]))
            elif summary is None:
                cells.append(escape(one.cell(row)))
            else:
                cells.append(figure_of(summary, (*path, key, one.name), one.text))
        lines.append(cells)
    return [first, *(one.heading for one in metrics)], lines


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table, as HTML; ``aside`` where it only explains the one above."""

    cells: Sequence[str]
    aside: bool = False


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Row | Sequence[str]],
    *,
    text: bool = False,
    more: str = "",
) -> str:
    """Return a table. Cells are HTML, the caption and the head are text.

    Args:
        caption: what it tells.
        head: of the columns.
        rows: lines; the first cell of each is its head.
        text: columns of words, which wrap.
        more: of what was left out.
    """
    top = "".join(f'<th scope="col">{_breakable(cell)}</th>' for cell in head)
    lines = []
    for row in rows:
        one = row if isinstance(row, Row) else Row(row)
        first, *rest = one.cells
        kind = ' class="aside"' if one.aside else ""
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        lines.append(f'<tr{kind}><th scope="row">{first}</th>{cells}</tr>')
    note = f'<p class="dim">{escape(more)}</p>' if more else ""
    kind = ' class="text"' if text else ""
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table{kind}><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>{note}"
    )


def _breakable(text: str) -> str:
    """Return a heading that may go on in a new line after a dot or an underscore."""
    return re.sub("[._]", lambda one: f"{one[0]}<wbr>", escape(text))


def picture(label: str, draw: Callable[[float], tuple[float, str]], caption: str = "") -> str:
    """Return a drawing for a screen and the same for a phone; style sheets choose.

    Args:
        label: read aloud in its place.
        draw: takes the width, and returns the height and what is inside the SVG.
        caption: HTML below it.
    """
    made = []
    for kind, width in (("broad", BROAD), ("narrow", NARROW)):
        height, inside = draw(width)
        made.append(
            f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
            f'aria-label="{escape(label)}">{inside}</svg>'
        )
    told = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{''.join(made)}{told}</figure>"


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Return what colours mean: (class, HTML)."""
    items = "".join(
        f'<li><svg viewBox="0 0 8 8" aria-hidden="true"><rect class="{kind}" width="8" height="8" '
        f'rx="1.5"/></svg>{text}</li>'
        for kind, text in entries
    )
    return f'<ul class="legend">{items}</ul>'


def notes(lines: Iterable[str]) -> str:
    """Return lines of text that explain what is above."""
    text = "<br>".join(map(escape, lines))
    return f'<p class="dim">{text}</p>' if text else ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: what links point to, its title, and its HTML."""

    anchor: str
    title: str
    body: str

    def html(self) -> str:
        """Return it as HTML."""
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">'
            f'<h2 id="{self.anchor}-title">{escape(self.title)}</h2>{self.body}</section>'
        )


def data(anchor: str, value: Any) -> str:
    """Return plain data for the page's script, which no text in it can end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return f'<script type="application/json" id="{anchor}">{text}</script>'


def shortened(text: str, letters: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= letters else text[: max(1, letters - 1)] + "…"
