"""The tables of a study that the console and its page share, and what the console prints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.markup import escape

from edgesim import api
from edgesim.common.text import duration, in_unit
from edgesim.report import plan_tables
from edgesim.report.table import HEADING, Cell, Figure, Row
from edgesim.report.table import Table as Shown
from edgesim.sweep import store
from edgesim.sweep.aims import Bound
from edgesim.sweep.axes import ends
from edgesim.sweep.check import first_settings
from edgesim.sweep.reader import load
from edgesim.sweep.results import SETTLED
from edgesim.sweep.run import SweepResult
from edgesim.sweep.study import Study
from edgesim.sweep.table import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 20
"""Of a study with more points, the console shows the range of each column."""
MOST_BEST = 20
_MOST_ERRORS = 5
_MOST_NAMED = 3
"""Points whose error is the same."""
_LEADING = ("strategy", "kind", "name", "base")
"""Keys of a mapping whose value alone tells what it is."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A study's table, what was done, and the same as plain data for ``--json``."""

    table: Table
    swept: SweepResult
    document: dict[str, Any]


def examine(study: Study, swept: SweepResult) -> Examined:
    """Return the results of a study that was played."""
    table = store.table(swept.directory, study.meta())
    document = {
        "name": study.name,
        "directory": str(swept.directory),
        "table": None if swept.csv is None else str(swept.csv),
        "points": swept.points,
        "found": swept.found,
        "simulated": swept.simulated,
        "failed": swept.failed,
        "unsettled": int(table.unsettled.sum()),
        "wall_s": swept.wall_s,
        "interrupted": swept.interrupted,
        "columns": [
            {"name": one.name, "role": one.role, "unit": one.unit, **_extent(table, one)}
            for one in table.columns
        ],
        "errors": dict(errors(table).most_common(_MOST_ERRORS)),
    }
    if study.aims is not None:
        document["best"] = [table.row(int(index)) for index in np.flatnonzero(table.pareto())]
    elif len(table) <= MOST_ROWS:
        document["rows"] = table.rows()
    return Examined(table, swept, document)


@dataclass(frozen=True, slots=True)
class CheckedStudy:
    """A valid study, and the plan of its first scenario."""

    study: Study
    first: plan_tables.Checked

    def document(self) -> dict[str, Any]:
        """Return it as plain data, for ``--json``."""
        return {
            "study": self.study.name,
            "points": self.study.size,
            "axes": [
                {"name": one.column.name, "unit": one.column.unit, "values": len(one) or None,
                 "first": first, "last": last}
                for one, (first, last) in zip(self.study.points.axes, self._ends(), strict=True)
            ],
            "keep": [one.column.name for one in self.study.results],
            "first": self.first.document(),
        }  # fmt: skip

    def _ends(self) -> list[tuple[Any, Any]]:
        return [(first.cell, last.cell) for first, last in map(ends, self.study.points.axes)]

    def show(self, console: Console) -> None:
        """Print it."""
        points = "points" if self.study.size > 1 else "point"
        console.print(f"[bold]{escape(self.study.name)}[/]  is valid: {self.study.size:,} {points}")
        lines = []
        for one, cells in zip(self.study.points.axes, self._ends(), strict=True):
            texts = [
                cell if isinstance(cell, str) else axis_text(one.column, cell) for cell in cells
            ]
            lines.append([one.column.name, f"{len(one):,}" if len(one) else "any between", *texts])
        Shown("", ["axis", "values", "first", "last"], lines, folds=True).show(console)
        console.print("The first point:")
        plan_tables.show(self.first, console)


def check(path: Path, overrides: Sequence[str]) -> CheckedStudy:
    """Return what a study file holds.

    Raises:
        InputError: it or its first scenario is wrong.
        PlanError: the model of its first scenario does not fit the nodes.
    """
    study = load(path, overrides)
    scenario = study.base.scenario(first_settings(study))
    return CheckedStudy(study, plan_tables.examine(scenario, api.place(scenario)))


def show(examined: Examined, console: Console) -> None:
    """Print the results of a study."""
    table, swept = examined.table, examined.swept
    before = f", {swept.found:,} of them before" if swept.found else ""
    failed = f", {swept.failed:,} [red]failed[/]" if swept.failed else ""
    unsettled = int(table.unsettled.sum())
    console.print(
        f"[bold]{escape(table.name)}[/]  {len(table):,} of {swept.points:,} points{before}"
        f"{failed}, {duration(swept.wall_s)}"
    )
    excluded = ""
    if any(one.aim for one in table.columns):
        _show_best(table, console)
    elif len(table) <= MOST_ROWS and len(shown_columns(table)) * HEADING < console.width:
        points(table, range(len(table)), "Points").show(console)
        unsettled = 0  # The note below the table tells of them.
    else:
        _ranges(table).show(console)
        excluded = ", and are in no range or median"
    if unsettled:
        console.print(
            f"[yellow]{unsettled:,} of {len(table):,} points did not settle:[/] their latencies "
            f"grow with the length of the run{excluded}"
        )
    for error, count in errors(table).most_common(_MOST_ERRORS):
        noun = "point" if count == 1 else "points"
        places = [place for place, one in enumerate(table.errors) if one == error]
        numbers = ", ".join(f"{table.point[place]:,}" for place in places[:_MOST_NAMED])
        more = ", …" if count > _MOST_NAMED else ""
        console.print(f"[red]{count:,} {noun} ({numbers}{more}):[/] {escape(error)}")


def _show_best(table: Table, console: Console) -> None:
    best, (title, aims) = table.best(), best_title(table)
    if not best:
        console.print(f"No point is within the bounds: {escape(aims)}")
        return
    console.print(f"[bold]{title}[/]: {escape(aims)}")
    more = f"… {len(best) - MOST_BEST:,} more of them in the folder"
    points(table, best[:MOST_BEST], "", more if len(best) > MOST_BEST else "").show(console)


def best_title(table: Table) -> tuple[str, str]:
    """Return what the best points of a search are called, and what they are the best in."""
    aims = [f"{one.aim} {one.name}" for one in table.columns if one.aim]
    bounds = []
    for one in table.columns:
        if one.bound:
            bound = Bound.parse(one.bound)
            bounds.append(f"{one.name} {bound.sign} {writer(table, one)(bound.limit)}")
    within = f" where {', '.join(bounds)}" if bounds else ""
    return "Best point" if len(aims) == 1 else "Pareto front", ", ".join(aims) + within


def points(table: Table, places: Sequence[int], title: str, more: str = "") -> Shown:
    """Return rows of a study's table; an asterisk marks points whose queue did not settle.

    Args:
        table: of the study.
        places: of the rows.
        title: of what is returned.
        more: what was left out.
    """
    columns, unsettled, lines = shown_columns(table), table.unsettled, []
    writers = [writer(table, one) for one in columns]
    for place in places:
        row = table.row(place)
        cells: list[Cell] = [f"{row['point']:,}{' *' if unsettled[place] else ''}"]
        for one, text in zip(columns, writers, strict=True):
            value = row[one.name]
            cells.append(Figure(text(value), f"{row['point']}.{one.name}", value))
        lines.append(Row(cells, failed=row["error"] is not None))
    marked = bool(unsettled[list(places)].any()) if len(places) else False
    note = "*: the queue did not settle: latencies grow with the length of the run"
    head = ["point", *(one.name for one in columns)]
    left = [number for number, one in enumerate(columns, 1) if one.kind == "text"]
    return Shown(title, head, lines, more, [note] if marked else [], left=left, folds=True)


def shown_columns(table: Table) -> list[Column]:
    """Return the columns to show: `SETTLED` only where a point did not settle."""
    return [one for one in table.columns if one.name != SETTLED or table.unsettled.any()]


def _ranges(table: Table) -> Shown:
    lines = [_range(table, one) for one in shown_columns(table)]
    head = ["", "least", "at point", "median", "most", "at point"]
    return Shown("Axes and results", head, lines, folds=True)


def _range(table: Table, column: Column) -> list[str]:
    """Return the least, median and greatest value of a column, as text."""
    values = table.values[column.name]
    if column.kind == "text":
        kinds = len({value for value in values if value is not None})
        return [column.name, f"{kinds:,} {'kind' if kinds == 1 else 'kinds'}", *[""] * 4]
    numbers = np.asarray(values, float)
    axis = column.role == "axis"
    counted = np.isfinite(numbers) & (~table.unsettled | axis | (column.name == SETTLED))
    known = np.flatnonzero(counted)
    if not len(known):
        return [column.name, *["-"] * 5]
    least, most = known[np.argmin(numbers[known])], known[np.argmax(numbers[known])]
    at = ["" if column.role == "axis" else f"{table.point[one]:,}" for one in (least, most)]
    text = writer(table, column)
    low, middle, high = (
        text(float(one)) for one in (numbers[least], np.median(numbers[known]), numbers[most])
    )
    return [column.name, low, at[0], middle, high, at[1]]


def _extent(table: Table, column: Column) -> dict[str, Any]:
    values = table.values[column.name]
    if column.kind == "text":
        return {"values": sorted({str(value) for value in values if value is not None})[:100]}
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return {"least": None, "most": None}
    return {"least": float(numbers.min()), "most": float(numbers.max())}


def errors(table: Table) -> Counter[str]:
    """Return how many points failed with each error."""
    return Counter(error for error in table.errors if error is not None)


def writer(table: Table, column: Column) -> Callable[[Any], str]:
    """Return what writes a cell of a column for people: with its unit; a dash for None."""
    labels: Mapping[str, str] = {}
    if column.kind == "text":
        labels = short_labels([one for one in table.values[column.name] if isinstance(one, str)])

    def text(value: Any) -> str:
        if value is None:
            return "-"
        if isinstance(value, str):
            return labels.get(value, value)
        if column.role == "axis":
            return axis_text(column, value)
        if column.integer:
            return f"{int(value):,}"
        return in_unit(value, column.unit)

    return text


def axis_text(column: Column, value: float) -> str:
    """Return a number of an axis as people read it, with its unit."""
    gap = "" if column.unit.startswith(("/", "%")) or not column.unit else " "
    return f"{value:.4g}{gap}{column.unit}"


def short_labels(texts: Sequence[str]) -> dict[str, str]:
    """Return a short label for each text; of mappings as JSON, the fewest keys that differ.

    Three placements are ``single``, ``class-wise, submodels 3`` and ``class-wise, submodels 5``,
    whatever other keys they share. Text that is no mapping stays as it is.
    """
    found = {text: _mapping(text) for text in dict.fromkeys(texts)}
    mappings = {text: one for text, one in found.items() if one is not None}
    return {text: text for text in found} | dict(
        zip(mappings, _labels(list(mappings.values())), strict=True)
    )


def _labels(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a label for each mapping: its keys that differ, with values where these differ."""
    keys = dict.fromkeys(key for one in mappings for key in one)
    chosen: list[str] = []

    def kinds(keys: Sequence[str]) -> int:
        return len({tuple(_scalar(one.get(key)) for key in keys) for one in mappings})

    for key in sorted(keys, key=lambda key: key not in _LEADING):
        if not chosen or kinds([*chosen, key]) > kinds(chosen):
            chosen.append(key)
    parts = [[_part(key, one[key]) for key in chosen if key in one] for one in mappings]
    alike: dict[str, list[int]] = {}
    for place, part in enumerate(parts):
        alike.setdefault(", ".join(part), []).append(place)
    for places in alike.values():
        for key in keys if len(places) > 1 else ():
            nested = [one for place in places if isinstance(one := mappings[place].get(key), dict)]
            if len(nested) == len(places) and any(one != nested[0] for one in nested):
                for place, label in zip(places, _labels(nested), strict=True):
                    parts[place] = [one for one in parts[place] if one != key] + [f"{key} {label}"]
    return [", ".join(part) or "default" for part in parts]


def _scalar(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else json.dumps(value)


def _part(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return key
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return text if key in _LEADING else f"{key} {text}"


def _mapping(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
