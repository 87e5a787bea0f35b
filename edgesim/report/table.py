"""Tables as data, which the console, the pages and notebooks show alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.tables import console_table
from edgesim.results.metrics import Metric, Place
from edgesim.results.summary import section, value_at

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console


HEADING = 11
"""Letters of a line of a heading that has several."""
_NARROW = 8
"""Letters of a column of text that a narrow window breaks."""
NO_POWER = "not known: no power is given for the devices"
"""What energy is where no device has a power (`without_power`)."""


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
        strong: whether it is the sum of all lines, or the one that matters most; bold.
    """

    cells: Sequence[Cell]
    aside: bool = False
    failed: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        title: what it shows.
        head: headings of the columns; all empty where it has none.
        lines: from top to bottom.
        more: what was left out.
        notes: what a reader needs to know to understand it.
        words: whether its cells are sentences, which break, and not numbers.
        left: numbers of the columns of text, which begin at the left; the others are of numbers,
            at the right.
        aside: numbers of the columns that are dim, and that a phone leaves out.
        folds: whether a narrow window breaks numbers too, and headings have several lines.
    """

    title: str
    head: Sequence[str]
    lines: Sequence[Row | Sequence[Cell]]
    more: str = ""
    notes: Sequence[str] = ()
    words: bool = False
    left: Collection[int] = (0,)
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

    def on_console(self, columns: int) -> rich.table.Table:
        """Return it for a terminal of so many columns."""
        head = [_broken(one) if self.folds else one for one in self.head]
        grid = console_table(*map(escape, head), title=escape(self.title), left=self.left)
        grid.show_header = any(self.head)
        for number in self.aside:
            grid.columns[number].style = "dim"
        for number, column in enumerate(grid.columns if self.folds else ()):
            column.no_wrap = number not in self.left and self._numbers_fit(head, columns)
            column.overflow = "fold"
        for row in self.rows:
            first, *others = (escape(str(cell)) for cell in row.cells)
            marks = {"red": row.failed, "dim": row.aside, "bold": row.strong}
            style = next((style for style, marked in marks.items() if marked), None)
            grid.add_row(f"  {first}" if row.aside and first else first, *others, style=style)
        if self.more:
            grid.caption, grid.caption_justify, grid.caption_style = f" {self.more}", "left", "dim"
        return grid

    def _numbers_fit(self, head: Sequence[str], columns: int) -> bool:
        """Return whether columns of numbers need not break where those of text are narrow."""
        lines = [[heading.split("\n") for heading in head]]
        lines += [[[str(cell)] for cell in row.cells] for row in self.rows]
        widths = [
            _NARROW if number in self.left else max(len(part) for cell in cells for part in cell)
            for number, cells in enumerate(zip(*lines, strict=True))
        ]
        return sum(widths) + 2 * len(widths) <= columns

    def show(self, console: Console) -> None:
        """Print it with its notes."""
        console.print(self.on_console(console.width))
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
    names, more, of = list(rows)[:most], "", section(*path)
    if len(rows) > most:
        more = f"… {len(rows) - most:,} more like these"
        if any(one.name == "utilization" for one in of.metrics):
            names = list(busiest(rows, most))
            more = f"… {len(rows) - most:,} more {of.name}, less busy"
    metrics = of.shown(place, rows)
    lines = [[name, *(_entry(summary, (*path, name), one) for one in metrics)] for name in names]
    left = [0, *(number for number, one in enumerate(metrics, 1) if one.kind == "text")]
    return Table(title, [first, *(one.heading for one in metrics)], lines, more, left=left)


def busiest(rows: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return the nodes or links of a summary; of more than ``most``, the busiest first."""
    if len(rows) <= most:
        return dict(rows)
    return dict(sorted(rows.items(), key=lambda row: -row[1]["utilization"])[:most])


def _entry(summary: Mapping[str, Any], path: tuple[str, ...], metric: Metric[Any]) -> Cell:
    row = value_at(summary, path)
    if metric.kind == "text":
        return metric.text(row.get(metric.name))
    return figure(summary, (*path, metric.name), lambda _: metric.cell(row))


def without_power(summary: Mapping[str, Any]) -> bool:
    """Return whether no device has a power: nodes in service drew nothing."""
    whole, nodes = summary["simulated_s"], summary["nodes"].values()
    in_service = any((node.get("down_s") or 0.0) < whole for node in nodes)
    return summary["energy_j"]["total"] == 0.0 and in_service


def figure(summary: Mapping[str, Any], path: Sequence[str], form: Callable[[Any], str]) -> Figure:
    """Return a number of a summary: a dash where there is none; of energy without power, that.

    Args:
        summary: as in ``summary.json``.
        path: keys, outermost first.
        form: that writes the number for people.
    """
    value = value_at(summary, path)
    text = "-" if value is None else form(value)
    joules = any(key.endswith("_j") for key in path)
    if joules and value == 0.0 and without_power(summary):
        text = "not known"
    return Figure(text, ".".join(path), value)
