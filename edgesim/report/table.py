"""Tables as data, which the console, the pages and notebooks show alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

from edgesim.common.tables import text_table
from edgesim.results.metrics import Place
from edgesim.results.summary import section, value_at

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console


HEADING = 11
"""Letters of a line of a heading that has several."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as people read it.

    Attributes:
        text: with three significant digits and a unit.
        key: path of the number in its document, which a page keeps beside the text.
        value: the number with all its digits; None where there is none.
    """

    text: str
    key: str
    value: Any

    def __str__(self) -> str:
        return self.text


Cell = str | Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        cells: from left to right; the first names the line.
        aside: whether it is a part of the line above, or explains it; indented and dim.
        failed: whether it tells of something that failed.
    """

    cells: Sequence[Cell]
    aside: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        title: what it shows.
        head: headings of the columns.
        lines: from top to bottom.
        more: what was left out.
        notes: what a reader needs to know to understand it.
        words: whether its cells are sentences, which break, and not numbers.
        left: how many columns begin at the left; the others are of numbers, at the right.
        aside: numbers of the columns that are dim, and that a phone leaves out.
        folds: whether a narrow window breaks numbers too, and headings have several lines.
    """

    kind: ClassVar[str] = "table"

    title: str
    head: Sequence[str]
    lines: Sequence[Row | Sequence[Cell]]
    more: str = ""
    notes: Sequence[str] = ()
    words: bool = False
    left: int = 1
    aside: Collection[int] = ()
    folds: bool = False

    @property
    def rows(self) -> Iterator[Row]:
        """Its lines, each as a row."""
        for one in self.lines:
            yield one if isinstance(one, Row) else Row(one)

    def transposed(self) -> Table:
        """Return it with rows as columns."""
        first, *others = zip_longest(self.head, *(row.cells for row in self.rows), fillvalue="")
        asides = {number - 1 for number in self.aside}
        lines = [Row(cells, aside=number in asides) for number, cells in enumerate(others)]
        return replace(self, head=[str(cell) for cell in first], lines=lines, aside=())

    def on_console(self) -> rich.table.Table:
        """Return it for a terminal."""
        from rich.markup import escape

        head = [_broken(one) if self.folds else one for one in self.head]
        grid = text_table(*map(escape, head), title=escape(self.title), left=self.left)
        for number in self.aside:
            grid.columns[number].style = "dim"
        for column in grid.columns if self.folds else ():
            column.no_wrap, column.overflow = False, "fold"
        for row in self.rows:
            first, *others = (escape(str(cell)) for cell in row.cells)
            style = "red" if row.failed else "dim" if row.aside else None
            grid.add_row(f"  {first}" if row.aside and first else first, *others, style=style)
        if self.more:
            grid.caption, grid.caption_justify, grid.caption_style = f" {self.more}", "left", "dim"
        return grid

    def show(self, console: Console) -> None:
        """Print it with its notes."""
        from rich.markup import escape

        console.print(self.on_console())
        for note in self.notes:
            console.print(escape(note), style="dim")


def _broken(name: str) -> str:
    """Return a heading on several lines, broken where its parts are."""
    lines = [""]
    for part in re.findall(r".[^._]*[._]?", name):
        if len(lines[-1]) + len(part) > HEADING:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines).strip()


def metrics_table(
    summary: Mapping[str, Any],
    path: tuple[str, ...],
    title: str,
    first: str,
    place: Place,
    most: int,
) -> Table:
    """Return the table of the nodes or links of a summary.

    Args:
        summary: as in ``summary.json``.
        path: of a section of the registry that has an entry for each node or link.
        title: of the table.
        first: heading of the names.
        place: where it is shown; the registry says which metrics stand there.
        most: rows; of more, the busiest are shown, or the first where nothing is busy.
    """
    rows: Mapping[str, Any] = value_at(summary, path)
    names, more, of = list(rows), "", section(*path)
    if len(rows) > most:
        busy = any(one.name == "utilization" for one in of.metrics)
        if busy:
            names.sort(key=lambda name: -rows[name]["utilization"])
        names = names[:most]
        more = f"… {len(rows) - most:,} more {f'{of.name}, less busy' if busy else 'like these'}"
    metrics = of.shown(place, rows)
    lines = []
    for name in names:
        cells: list[Cell] = [name]
        for one in metrics:
            key, value = ".".join((*path, name, one.name)), rows[name][one.name]
            text = one.cell(rows[name])
            cells.append(text if one.kind == "text" else Figure(text, key, value))
        lines.append(cells)
    words = 1 + sum(one.kind == "text" for one in metrics)
    return Table(title, [first, *(one.heading for one in metrics)], lines, more, left=words)


def figure(summary: Mapping[str, Any], path: Sequence[str], form: Callable[[Any], str]) -> Figure:
    """Return a number of a document; a dash where there is none.

    Args:
        summary: the document.
        path: keys, outermost first.
        form: that writes the number for people.
    """
    value = value_at(summary, path)
    return Figure("-" if value is None else form(value), ".".join(path), value)
