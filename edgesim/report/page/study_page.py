"""The page of a study: its points in parallel coordinates, fronts, heat maps and a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from edgesim.common.text import digits, duration, percent
from edgesim.report.page.frame import document, file
from edgesim.report.page.markup import BROAD, Section, data, name, picture, shortened, table
from edgesim.report.page.thinning import front, kept
from edgesim.sweep.sensitivity import FORMULA, effects, meaning
from edgesim.sweep.table import Column, Table
from edgesim.version import __version__

_FIRST_ROWS = 25
_MOST_BEST = 20
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
    rows = kept(study)
    told = [f"{len(study):,} of {study.size:,} points"]
    if study.failed:
        told.append(f"{study.failed:,} failed")
    told.append(f"{len(study.axes)} axes, {len(study.results)} results")
    intro = [f'<p class="dim">{escape(" · ".join(told))}</p>']
    if len(rows) < len(study):
        intro.append(
            f'<p class="warning" id="thinned">This page holds {len(rows):,} of {len(study):,} '
            "rows: the least and the greatest of every result, points of the fronts of every two "
            "results, and of the others one in so many. Sensitivity is of all rows; table.csv has "
            "them all.</p>"
        )
    if not study.complete:
        intro.append(
            f'<p class="warning">Not finished: {study.size - len(study):,} points have no row '
            "yet.</p>"
        )
    return document(
        study.name,
        "\n".join(intro),
        list(_sections(study, rows, definition)),
        f"edgesim {escape(__version__)}",
        ["study.js", "study_views.js"],
    )


def _sections(study: Table, rows: Any, definition: Mapping[str, Any] | None) -> Iterator[Section]:
    errors = Counter(error for error in study.errors if error is not None)
    if any(one.aim for one in study.columns):
        yield Section("best", "Best points", _best(study))
    numeric = [one for one in study.results if one.kind == "number"]
    if len(study):
        yield Section("filter", "Filter", _view("filter") + data("study-data", _held(study, rows)))
        yield Section("parallel", "Parallel coordinates", _view("parallel"))
        if numeric:
            yield Section(
                "front", "Two results, and their front", _view("front") + _still(study, numeric)
            )
            if len(study.axes) >= 2:
                yield Section("heat", "Heat map of two axes", _view("heat"))
            yield Section("sensitivity", "Sensitivity", _sensitivity(study))
        yield Section("points", "Points", _points(study, rows))
    if errors:
        lines = [[escape(shortened(error, 300)), f"{count:,}"]
                 for error, count in errors.most_common(_MOST_ERRORS)]  # fmt: skip
        shown = table("Why points failed", ["error", "points"], lines, text=True)
        yield Section("errors", "Errors", shown)
    if definition is not None:
        text = json.dumps(definition, indent=2, ensure_ascii=False)
        shown = f"<details><summary>Show the study</summary><pre>{escape(text)}</pre></details>"
        yield Section("study", "The study", shown)


def _view(name: str) -> str:
    """Return the HTML of a view that the page's script fills."""
    parts = file("study_views.html").split("<!-- ")
    return next(one for one in parts if one.startswith(f"{name} -->")).partition("\n")[2].strip()


def _title(column: Column) -> str:
    return f"{column.name} ({column.unit})" if column.unit else column.name


def written(column: Column, value: Any) -> str:
    """Return a cell as people read it."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if column.role == "result" and column.unit == "s":
        return duration(value)
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value):,}"
    return digits(float(value), 4)


def _held(study: Table, rows: Any) -> dict[str, Any]:
    """Return what the script draws: columns of the kept rows, numbers with all their digits."""
    columns = []
    for one in study.columns:
        log = _is_log(one, study)
        title = _title(one) + (", log" if log else "")
        column: dict[str, Any] = {
            "name": one.name, "title": title, "role": one.role, "unit": one.unit,
            "log": log, "aim": one.aim,
        }  # fmt: skip
        values = study.values[one.name]
        if one.kind == "text":
            labels = sorted({values[row] for row in rows} - {None})
            places = {label: place for place, label in enumerate(labels)}
            column["labels"] = [shortened(str(label), _LONGEST) for label in labels]
            column["values"] = [places.get(values[row]) for row in rows]
        else:
            numbers = np.asarray(values, float)[rows]
            column["values"] = [
                None if not np.isfinite(value) else int(value) if value.is_integer() else value
                for value in numbers.tolist()
            ]
        columns.append(column)
    feasible = None if study.feasible is None else study.feasible[rows].astype(int).tolist()
    return {"point": study.point[rows].tolist(), "columns": columns, "feasible": feasible}


def _is_log(column: Column, study: Table) -> bool:
    """Return whether a column is drawn by its logarithm: as its axis says, or where it is wide."""
    if column.role == "axis" or column.kind == "text":
        return column.scale == "log"
    values = np.asarray(study.values[column.name], float)
    known = values[np.isfinite(values)]
    return bool(len(known) and known.min() > 0.0 and known.max() > _WIDE * known.min())


def _share(value: float | None) -> str:
    return "under 0.01 %" if value is not None and 0.0 < value < 1e-4 else percent(value)


def _best(study: Table) -> str:
    aims = [one for one in study.columns if one.aim]
    told = ", ".join(f"{one.aim} {one.name}" for one in aims)
    bounds = ", ".join(f"{one.name} {one.bound}" for one in study.columns if one.bound)
    title = f"{told}{' where ' if bounds else ''}{bounds}"
    best = study.best()
    if not best:
        return f"<p>No point is within the bounds: {escape(title)}.</p>"
    more = f"… {len(best) - _MOST_BEST:,} more on the front" if len(best) > _MOST_BEST else ""
    what = "Best point" if len(aims) == 1 else "Pareto front"
    return _table(study, best[:_MOST_BEST], f"{what}: {title}", more)


def _table(study: Table, rows: Sequence[int], caption: str, more: str = "") -> str:
    lines = []
    for row in rows:
        found = study.row(row)
        cells = [str(found["point"])]
        for one in study.columns:
            value = found[one.name]
            key = escape(f"{found['point']}.{one.name}")
            held = escape(json.dumps(value))
            text = escape(written(one, value))
            cells.append(f'<span data-key="{key}" data-value="{held}">{text}</span>')
        lines.append(cells)
    return table(caption, ["point", *map(_title, study.columns)], lines, more=more)


def _points(study: Table, rows: Any) -> str:
    first = rows[:_FIRST_ROWS].tolist()
    shown = _table(study, first, f"Points of the study, {len(first)} at first")
    return (
        f'<div id="points-table">{shown}</div>'
        '<p class="needs-script"><button type="button" id="more-rows">Show more rows</button></p>'
    )


def _sensitivity(study: Table) -> str:
    found = effects(study)
    body = (
        f"<p>S is the share of a result’s variance that lies between the values of an axis: "
        f"<code>{escape(FORMULA)}</code>. {escape(meaning(study))} Axes that go together count as "
        "one. The span is the greatest less the least mean over the values of the axis.</p>"
    )
    results = [one for one in study.results if one.kind == "number"][:_MOST_EFFECTS]
    axes = study.axes[:_MOST_EFFECTS]
    ranked = {}
    for result in results:
        shares = {axis.name: found[result.name, axis.name].share for axis in axes}
        ranked[result.name] = {key: 0.0 if share != share else share
                               for key, share in shares.items()}  # fmt: skip
    body += picture(
        "Share of each result's variance by axis",
        lambda width: _share_bars(ranked, width),
        "Bars: S of each axis, from 0 to 100 %.",
    )
    rows = []
    for result in results:
        for axis in axes:
            one = found[result.name, axis.name]
            share = None if one.share != one.share else one.share
            key = escape(f"{result.name}.{axis.name}")
            span = "-" if one.span != one.span else written(result, one.span)
            rows.append([
                name(result.name), name(axis.name),
                f'<span data-key="{key}" data-value="{json.dumps(share)}">{_share(share)}</span>',
                _share(None if one.total != one.total else one.total), escape(span),
            ])  # fmt: skip
    head = ["result", "axis", "S", "T", "span"]
    hidden = len([one for one in study.results if one.kind == "number"]) - len(results)
    more = f"… {hidden} more results" if hidden > 0 else ""
    return body + table("Share of variance by result and axis", head, rows, more=more)


def _share_bars(ranked: Mapping[str, Mapping[str, float]], width: float) -> tuple[float, str]:
    left, right = (260.0, 64.0) if width >= BROAD else (130.0, 54.0)
    letters = 38 if width >= BROAD else 19
    parts: list[str] = []
    top = 0.0
    for result, shares in ranked.items():
        parts.append(
            f'<text class="strong" y="{top + 14:.0f}">{escape(shortened(result, letters))}</text>'
        )
        top += 20
        for axis, share in sorted(shares.items(), key=lambda one: -one[1]):
            long = share * (width - left - right)
            parts.append(
                f'<text x="8" y="{top + 13:.0f}">{escape(shortened(axis, letters))}</text>'
                f'<rect class="rest" x="{left}" y="{top + 3:.0f}" width="{width - left - right}" '
                f'height="12"/><rect class="compute" x="{left}" y="{top + 3:.0f}" '
                f'width="{long:.1f}" height="12"/><text class="dim" x="{width - right + 6}" '
                f'y="{top + 13:.0f}">{percent(round(share, 4))}</text>'
            )
            top += 18
        top += 8
    return max(10.0, top), "".join(parts)


def _still(study: Table, numeric: Sequence[Column]) -> str:
    """Return the scatter of the first two results, for where no script runs."""
    if len(numeric) < 2:
        return ""
    one, other = numeric[:2]
    x_all = np.asarray(study.values[one.name], float)
    y_all = np.asarray(study.values[other.name], float)
    known = np.flatnonzero(np.isfinite(x_all) & np.isfinite(y_all))
    if not len(known):
        return ""
    best = front(x_all, y_all)
    places = known if len(known) <= 400 else known[:: len(known) // 400]

    def drawn(width: float) -> tuple[float, str]:
        height, left, bottom = 260.0, 10.0, 30.0
        low_x, high_x = float(x_all[known].min()), float(x_all[known].max())
        low_y, high_y = float(y_all[known].min()), float(y_all[known].max())

        def at(row: int) -> tuple[float, float]:
            x = (x_all[row] - low_x) / ((high_x - low_x) or 1.0)
            y = (y_all[row] - low_y) / ((high_y - low_y) or 1.0)
            return left + x * (width - 2 * left), height - bottom - y * (height - bottom - 24)

        dots = "".join(
            f'<circle class="compute" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
            for x, y in map(at, places.tolist())
        )
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, best.tolist()))
        return height, (
            f'<polyline class="mark" points="{line}"/>{dots}'
            f'<text y="12">{escape(_title(other))}, {escape(written(other, low_y))} to '
            f"{escape(written(other, high_y))}, upwards</text>"
            f'<text y="{height - 8}">{escape(_title(one))}, {escape(written(one, low_x))} to '
            f"{escape(written(one, high_x))}, to the right</text>"
        )

    return f'<div class="static">{picture("Scatter of two results", drawn)}</div>'
