"""The page of a study: its points in parallel coordinates, fronts, heat maps and a table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import in_unit, percent
from edgesim.report.chart import Bar, Chart, Drawing, Scale, bars, shortened
from edgesim.report.heat import levels, means
from edgesim.report.page.frame import Details, Section, Text, View, document
from edgesim.report.sweep_table import (
    MOST_BEST,
    best_title,
    errors,
    points,
    short_labels,
    shown_columns,
    writer,
)
from edgesim.report.table import Cell, Figure
from edgesim.report.table import Table as Shown
from edgesim.sweep.results import SETTLED
from edgesim.sweep.sensitivity import FORMULA, effects, meaning
from edgesim.sweep.table import Column, Table
from edgesim.version import __version__

MOST_ROWS = 2000
MOST_CELLS = 60_000
_MOST_MEANS = 60_000
"""Numbers of the heat maps of a study whose rows the page cannot hold."""
_MOST_FRONT = 60
_MOST_RESULTS = 8
_FIRST_ROWS = 25
_MOST_ERRORS = 8
_LONGEST = 80
"""Letters of a text in the page's data."""
_MOST_EFFECTS = 12
_WIDE = 50.0
"""Greatest over least, from which on a result is drawn by its logarithm."""


def page(study: Table, definition: Mapping[str, Any] | None = None) -> str:
    """Return the page of a study as HTML.

    Args:
        study: its rows so far.
        definition: the study as it was written; None where it is not known.
    """
    rows = page_rows(study)
    facts = [f"{len(study):,} of {study.size:,} points"]
    if study.failed:
        facts.append(f"{study.failed:,} failed")
    unsettled = int(study.unsettled.sum())
    if unsettled:
        facts.append(f"the queue of {unsettled:,} did not settle")
    facts.append(f"{len(study.axes)} axes, {len(study.results)} results")
    intro = [Text(" · ".join(facts), style="dim")]
    if len(rows) < len(study):
        intro.append(
            Text(
                f"This page holds {len(rows):,} of {len(study):,} rows: the least and the greatest "
                "of every result, the fronts of every two results, and of the others one in so "
                "many. Heat map and sensitivity are of all rows; table.csv has them all.",
                style="warning",
            )
        )
    if not study.complete:
        missing = study.size - len(study)
        text = f"Not finished: {missing:,} points have no row yet."
        intro.append(Text(text, style="warning"))
    sections = [*_sections(study, rows)]
    if definition is not None:
        text = json.dumps(definition, indent=2, ensure_ascii=False)
        sections.append(Section("study", "The study", [Details(Text("Show the study"), text)]))
    return document(study.name, intro, sections, f"edgesim {__version__}", ["study.js"])


def _sections(study: Table, rows: NDArray[np.int64]) -> Iterator[Section]:
    if any(one.aim for one in study.columns):
        yield Section("best", "Best points", [_best(study)])
    numeric = [one for one in study.results if one.kind == "number" and one.name != SETTLED]
    if len(study):
        yield Section("filter", "Filter", [View("filter", _data(study, rows))])
        yield Section("parallel", "Parallel coordinates", [View("parallel")])
        if numeric:
            front_view = View("front", still=_scatter(study, numeric))
            yield Section("front", "Two results, and their front", [front_view])
            if len(study.axes) >= 2:
                yield Section("heat", "Heat map of two axes", [View("heat")])
            yield Section("sensitivity", "Sensitivity", list(_sensitivity(study, numeric)))
        first = rows[:_FIRST_ROWS].tolist()
        shown = points(study, first, f"Points of the study, {len(first)} at first")
        yield Section("points", "Points", [shown, View("points")])
    if study.failed:
        lines = [
            [shortened(error, 300), f"{count:,}"]
            for error, count in errors(study).most_common(_MOST_ERRORS)
        ]
        shown = Shown("Why points failed", ["error", "points"], lines, words=True)
        yield Section("errors", "Errors", [shown])


def page_rows(table: Table) -> NDArray[np.int64]:
    """Return the places of the rows that a page holds, ascending.

    All of them where they are few. Else the least and the greatest of every result, the fronts of
    every two results in each direction (at most 60 points of each, without those whose queue did
    not settle), those of the study's aims, and of the others every so many-th.
    """
    rows = len(table)
    most = max(50, min(MOST_ROWS, MOST_CELLS // (len(table.columns) + 1)))
    if rows <= most:
        return np.arange(rows)
    chosen = np.zeros(rows, bool)
    numbers = [
        np.asarray(table.values[one.name], float) for one in table.results if one.kind == "number"
    ][:_MOST_RESULTS]
    for values in numbers:
        if np.isfinite(values).any():
            chosen[[np.nanargmin(values), np.nanargmax(values)]] = True
    if any(one.aim for one in table.columns):
        chosen[_evenly(np.flatnonzero(table.pareto()), most // 4)] = True
    for one, other in itertools.combinations(numbers, 2):
        settled = np.where(table.unsettled, np.nan, one)
        for first, second in itertools.product((1.0, -1.0), repeat=2):
            if chosen.sum() < most // 2:
                chosen[_evenly(front(first * settled, second * other), _MOST_FRONT)] = True
    left = np.flatnonzero(~chosen)
    chosen[_evenly(left, most - int(chosen.sum()))] = True
    return np.flatnonzero(chosen)


def _evenly(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(places) <= most:
        return places
    steps = np.linspace(0, len(places) - 1, max(0, most)).round().astype(np.int64)
    return np.take(places, steps)


def front(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of rows that no other is below in one and not above in the other.

    Args:
        first: of shape (rows,), NaN where there is none.
        second: the same.
    """
    known = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    order = known[np.lexsort((second[known], first[known]))]
    if not len(order):
        return order
    least = np.minimum.accumulate(second[order])
    before = np.concatenate([[np.inf], least[:-1]])
    return order[second[order] < before]


def _data(study: Table, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return what the script draws: columns of the page's rows, numbers with all their digits."""
    columns = []
    for one in shown_columns(study):
        log = _is_log(one, study)
        column: dict[str, Any] = {
            "name": one.name, "title": one.name + (", log" if log else ""), "role": one.role,
            "unit": one.unit, "log": log, "aim": one.aim,
        }  # fmt: skip
        values = study.values[one.name]
        if isinstance(values, tuple):
            texts = sorted({text for row in rows if (text := values[row]) is not None})
            places = {text: place for place, text in enumerate(texts)}
            labels = short_labels(texts)
            column["labels"] = [shortened(labels[text], _LONGEST) for text in texts]
            column["values"] = [None if (text := values[row]) is None else places[text]
                                for row in rows]  # fmt: skip
        else:
            column["values"] = [
                None if not np.isfinite(value) else int(value) if value.is_integer() else value
                for value in values[rows].tolist()
            ]
        if one.role == "axis":
            found = levels(study, one)
            column["levels"] = {"names": found.names, "of": found.of[rows].tolist()}
        columns.append(column)
    feasible = None if study.feasible is None else study.feasible[rows].astype(int).tolist()
    return {
        "point": study.point[rows].tolist(),
        "columns": columns,
        "feasible": feasible,
        "settled": (~study.unsettled[rows]).astype(int).tolist(),
        "all": len(study),
        "means": _means(study) if len(rows) < len(study) else None,
    }


def _means(study: Table) -> dict[str, Any]:
    """Return the heat maps of all rows: by (x y) the levels' means of results and their points."""
    found: dict[str, Any] = {}
    columns = list(enumerate(shown_columns(study)))
    axes = [(number, levels(study, one)) for number, one in columns if one.role == "axis"]
    results = [(number, one.name) for number, one in columns
               if one.role == "result" and one.kind == "number"]  # fmt: skip
    left = _MOST_MEANS
    for (x, across), (y, up) in itertools.combinations(axes, 2):
        cells = len(across.names) * len(up.names)
        for result, name in results:
            left -= 2 * cells
            if left < 0:
                return found
            one = means(study, across, up, name)
            found[f"{x} {y} {result}"] = {
                "mean": [None if value != value else value for value in one.mean.ravel().tolist()],
                "count": one.count.ravel().tolist(),
            }
    return found


def _is_log(column: Column, study: Table) -> bool:
    """Return whether a column is drawn by its logarithm: as its axis says, or where it is wide."""
    if column.role == "axis" or column.kind == "text":
        return column.scale == "log"
    values = np.asarray(study.values[column.name], float)
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0.0 and known.max() > _WIDE * known.min())


def _best(study: Table) -> Text | Shown:
    best, (title, aims) = study.best(), best_title(study)
    if not best:
        return Text(f"No point is within the bounds: {aims}.")
    more = f"… {len(best) - MOST_BEST:,} more on the front" if len(best) > MOST_BEST else ""
    return points(study, best[:MOST_BEST], f"{title}: {aims}", more)


def _sensitivity(study: Table, numeric: Sequence[Column]) -> Iterator[Text | Chart | Shown]:
    found = effects(study)
    yield Text(
        f"S is the share of a result’s variance that lies between the values of an axis: {FORMULA}."
        f" {meaning(study)} Axes that go together count as one. The span is the greatest less the "
        "least mean over the values of the axis."
    )
    rows: list[Bar] = []
    lines: list[list[Cell]] = []
    axes = study.axes[:_MOST_EFFECTS]
    for result in numeric[:_MOST_EFFECTS]:
        rows.append(Bar(result.name, heading=True))
        shares = {axis.name: found[result.name, axis.name] for axis in axes}
        ranked = sorted(shares.items(), key=lambda entry: -np.nan_to_num(entry[1].share))
        for axis, one in ranked:
            share = float(np.nan_to_num(one.share))
            pieces = [("work", share), ("rest", 1.0 - share)]
            rows.append(Bar(axis, pieces, _share(one.share)))
        for axis, one in shares.items():
            span = "-" if _known(one.span) is None else in_unit(one.span, result.unit)
            figure = Figure(_share(one.share), f"{result.name}.{axis}", _known(one.share))
            lines.append([result.name, axis, figure, _share(one.total), span])
    caption = "Bars: S of each axis, from 0 to 100 %."
    yield bars("Share of each result's variance by axis", rows, 1.0, caption, limit=len(rows))
    hidden = len(numeric) - _MOST_EFFECTS
    more = f"… {hidden} more results" if hidden > 0 else ""
    head = ["result", "axis", "S", "T", "span"]
    yield Shown("Share of variance by result and axis", head, lines, more, left=range(2))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _share(value: float) -> str:
    """Return a share as text; what is within the rounding of sums is 0."""
    return "under 0.01 %" if 1e-9 < value < 1e-4 else percent(_known(round(value, 9)))


def _scatter(study: Table, numeric: Sequence[Column]) -> Chart | None:
    """Return the scatter of the first two results, for where no script runs."""
    if len(numeric) < 2:
        return None
    one, other = numeric[:2]
    x_all = np.asarray(study.values[one.name], float)
    y_all = np.asarray(study.values[other.name], float)
    known = np.flatnonzero(np.isfinite(x_all) & np.isfinite(y_all))
    if not len(known):
        return None
    shown = known if len(known) <= 400 else known[:: len(known) // 400]

    def draw(drawing: Drawing) -> None:
        drawing.height, right = 260.0, drawing.width - 10.0
        x = Scale(float(x_all[known].min()), float(x_all[known].max()), 10.0, right)
        y = Scale(float(y_all[known].min()), float(y_all[known].max()), 230.0, 24.0)
        best = front(np.where(study.unsettled, np.nan, x_all), y_all).tolist()
        drawing.line(((x(x_all[row]), y(y_all[row])) for row in best), "mark")
        for row in shown.tolist():
            drawing.dot(x(x_all[row]), y(y_all[row]), 2.5, "compute")
        for column, scale, at, side in (
            (other, y, 12.0, "upwards"),
            (one, x, 252.0, "to the right"),
        ):
            text = writer(study, column)
            ends = f"{text(scale.low)} to {text(scale.high)}"
            drawing.text(0.0, at, f"{column.name}, {ends}, {side}")

    return Chart("Scatter of two results", draw)
