"""What the console says of a study: its rows where they are few, else the range of each result."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.markup import escape
from rich.table import Table as Grid

from edgesim.common.text import duration, in_unit
from edgesim.sweep import store
from edgesim.sweep.aims import Bound
from edgesim.sweep.run import Swept
from edgesim.sweep.study import Study
from edgesim.sweep.table import Cell, Column, Table

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 20
"""A study with more points is told by ranges."""
_MOST_ERRORS = 5
_HEADING = 11
"""Letters of a line of a heading."""
_MOST_FRONT = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A study's table, what was done, and the same as plain data for ``--json``."""

    table: Table
    swept: Swept
    document: dict[str, Any]


def examine(study: Study, swept: Swept) -> Shown:
    """Return what there is to tell of a study that was played."""
    table = store.table(swept.directory, study.meta())
    document = {
        "name": study.name,
        "directory": str(swept.directory),
        "table": None if swept.csv is None else str(swept.csv),
        "points": swept.points,
        "found": swept.found,
        "played": swept.played,
        "failed": swept.failed,
        "wall_s": swept.wall_s,
        "interrupted": swept.interrupted,
        "columns": [
            {"name": one.name, "role": one.role, "unit": one.unit, **_extent(table, one)}
            for one in table.columns
        ],
        "errors": dict(_errors(table).most_common(_MOST_ERRORS)),
    }
    if study.aims is not None:
        document["best"] = [table.row(int(index)) for index in np.flatnonzero(table.pareto())]
    elif len(table) <= MOST_ROWS:
        document["rows"] = table.rows()
    return Shown(table, swept, document)


def show(shown: Shown, console: Console) -> None:
    """Print it."""
    table, swept = shown.table, shown.swept
    before = f", {swept.found:,} of them before" if swept.found else ""
    failed = f", {swept.failed:,} [red]failed[/]" if swept.failed else ""
    console.print(
        f"[bold]{escape(table.name)}[/]  {len(table):,} of {swept.points:,} points{before}"
        f"{failed}, {duration(swept.wall_s)}"
    )
    if any(one.aim for one in table.columns):
        _show_best(table, console)
    elif len(table) <= MOST_ROWS and len(table.columns) * _HEADING < console.width:
        console.print(_rows(table, range(len(table)), "Points"))
    else:
        console.print(_ranges(table))
    for error, count in _errors(table).most_common(_MOST_ERRORS):
        noun = "point" if count == 1 else "points"
        console.print(f"[red]{count:,} {noun}:[/] {escape(error)}")


def _show_best(table: Table, console: Console) -> None:
    best = table.best()
    aims = [one for one in table.columns if one.aim]
    told = ", ".join(f"{one.aim} {one.name}" for one in aims)
    bounds = ", ".join(_bound(one) for one in table.columns if one.bound)
    within = f" where {bounds}" if bounds else ""
    if not best:
        console.print(f"No point is within the bounds: {told}{escape(within)}")
        return
    title = "Best" if len(aims) == 1 else "Pareto front"
    console.print(f"[bold]{title}[/]: {escape(told + within)}")
    console.print(_rows(table, best[:_MOST_FRONT], ""))
    if len(best) > _MOST_FRONT:
        console.print(f" … {len(best) - _MOST_FRONT:,} more of them in the folder")


def _bound(column: Column) -> str:
    bound = Bound.parse(column.bound)
    return f"{column.name} {bound.sign} {written(column, bound.limit)}"


def _rows(table: Table, indices: Any, title: str) -> Grid:
    grid = _grid(title, "point", *(escape(_heading(one.name)) for one in table.columns))
    for index in indices:
        cells = [f"{table.point[index]:,}"]
        row = table.row(int(index))
        cells += [written(one, row[one.name]) for one in table.columns]
        failed = table.errors[index] is not None
        grid.add_row(*map(escape, cells), style="red" if failed else None)
    return grid


def _heading(name: str) -> str:
    """Return a name on several lines, broken where its parts are."""
    lines = [""]
    for part in re.findall(r".[^._]*[._]?", name):
        if len(lines[-1]) + len(part) > _HEADING:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines).strip()


def _ranges(table: Table) -> Grid:
    grid = _grid("Axes and results", "", "least", "at point", "median", "most", "at point")
    for one in table.columns:
        grid.add_row(*map(escape, _range(table, one)), style="dim" if one.role == "axis" else None)
    return grid


def _range(table: Table, column: Column) -> Iterator[str]:
    yield column.name
    values = table.values[column.name]
    if column.kind == "text":
        seen = Counter(value for value in values if value is not None)
        yield f"{len(seen):,} kinds"
        yield from [""] * 4
        return
    numbers = np.asarray(values, float)
    known = np.flatnonzero(np.isfinite(numbers))
    if not len(known):
        yield from ["-"] * 5
        return
    axis = column.role == "axis"
    least, most = known[np.argmin(numbers[known])], known[np.argmax(numbers[known])]
    yield written(column, float(numbers[least]))
    yield "" if axis else f"{table.point[least]:,}"
    yield written(column, float(np.median(numbers[known])))
    yield written(column, float(numbers[most]))
    yield "" if axis else f"{table.point[most]:,}"


def _extent(table: Table, column: Column) -> dict[str, Any]:
    values = table.values[column.name]
    if column.kind == "text":
        return {"values": sorted({str(value) for value in values if value is not None})[:100]}
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return {"least": None, "most": None}
    return {"least": float(numbers.min()), "most": float(numbers.max())}


def _errors(table: Table) -> Counter[str]:
    return Counter(error for error in table.errors if error is not None)


def written(column: Column, value: Cell) -> str:
    """Return a cell as people read it: a result with its unit, an axis as the study has it."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return _in_short(value) if column.role == "axis" else value
    if column.role == "axis":
        gap = "" if column.unit.startswith(("/", "%")) or not column.unit else " "
        return f"{value:.4g}{gap}{column.unit}"
    if column.integer:
        return f"{int(value):,}"
    return in_unit(value, column.unit)


def _in_short(text: str) -> str:
    """Return the keys of a mapping, which would fill a page; other text as it is."""
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return ", ".join(map(str, found)) or "nothing"


def _grid(title: str, *headings: str) -> Grid:
    grid = Grid(title=f"[bold]{title}[/]" if title else None, title_justify="left", box=None)
    for index, heading in enumerate(headings):
        left = index == 0 and not heading
        # A narrow window breaks names; it cuts nothing off.
        grid.add_column(heading, justify="left" if left else "right", overflow="fold")
    return grid
