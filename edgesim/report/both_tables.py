"""The tables that ``edgesim run --mode both`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.tables import text_table
from edgesim.common.text import duration
from edgesim.report import both_rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print a comparison: a table for every load, and the errors of all."""
    loads = document["loads"]
    told = (
        f"{both_rows.capacity(document)}, {document['arrivals']} arrivals, "
        f"seed {document['seed']}, {duration(document['wall_s'])} in all"
    )
    console.print(f"[bold]{escape(document['name'])}[/]  {escape(told)}")
    for load in loads:
        console.print(_table(load))
        console.print(both_rows.requests(load), style="dim")
    if len(loads) > 1:
        console.print(_errors(loads))
    for note in both_rows.notes(document):
        console.print(note, style="dim")
    for text in warnings(document):
        console.print(f"[yellow]warning:[/] {escape(text)}")


def warnings(document: Mapping[str, Any]) -> list[str]:
    """Return what was warned of: of the whole, then of each load, what several say only once."""
    found: dict[str, list[str]] = {text: [] for text in document["warnings"]}
    loads = document["loads"]
    for load in loads:
        for side, texts in load["warnings"].items():
            for text in texts:
                found.setdefault(f"{side}: {text}", []).append(both_rows.heading(load))
    return [
        f"{text} (at {', '.join(places)})" if 0 < len(places) < len(loads) else text
        for text, places in found.items()
    ]


def _table(load: Mapping[str, Any]) -> Table:
    table = text_table(*both_rows.COLUMNS, title=both_rows.title(load))
    for line in both_rows.lines(load):
        cells = [escape(cell) for cell in line.cells]
        # Intervals and parts of the mean stand back.
        for place in (2, 4):
            cells[place] = f"[dim]{cells[place]}[/]"
        table.add_row(*cells)
    return table


def _errors(loads: list[Mapping[str, Any]]) -> Table:
    table = text_table("", *map(both_rows.heading, loads), title="Errors by load")
    for row in both_rows.errors(loads):
        table.add_row(*row)
    return table
