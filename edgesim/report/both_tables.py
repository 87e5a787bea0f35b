"""The tables of a comparison of predicted and measured, which the console and its page share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.text import duration, half_width, percent, rate, size
from edgesim.report.table import Row, Table
from edgesim.results.accuracy import accuracy_text
from edgesim.results.faults import availability_text
from edgesim.results.statistics import requests_for_interval

if TYPE_CHECKING:
    from rich.console import Console

SUMMED_UP = ("p50", "p90", "p99", "mean")
"""Latencies that the comparison of all loads shows."""
SIDES = ("predicted", "measured")
_MOST_ROWS = 12


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print a comparison: a table for every load, and the errors of all."""
    facts = (
        f"{capacity(document)}, {document['arrivals']} arrivals, seed {document['seed']}, "
        f"{duration(document['wall_s'])} in all"
    )
    console.print(f"[bold]{escape(document['name'])}[/]  {escape(facts)}")
    for load in document["loads"]:
        load_table(load).show(console)
        console.print(requests(load), style="dim")
    if len(document["loads"]) > 1:
        error_table(document["loads"]).show(console)
    for note in notes(document):
        console.print(note, style="dim")
    for text in warnings(document):
        console.print(f"[yellow]warning:[/] {escape(text)}")


def title(load: Mapping[str, Any]) -> str:
    """Return the name of a load."""
    speed = "" if load["rate_per_s"] is None else f", {rate(load['rate_per_s'])}"
    if load["share"] is None:
        return f"As written{speed}"
    return f"{heading(load)} of capacity{speed}"


def heading(load: Mapping[str, Any]) -> str:
    """Return a load in a few letters, for the head of a column."""
    return "as written" if load["share"] is None else f"{100.0 * load['share']:g} %"


def requests(load: Mapping[str, Any]) -> str:
    """Return how many requests were answered, degraded and failed, of each side."""
    sides = []
    for side, counts in load["requests"].items():
        answered = counts["completed"] + counts["degraded"]
        text = f"{side}: {answered:,} of {counts['offered']:,} answered"
        if counts["degraded"]:
            text += f", {counts['degraded']:,} degraded"
        for outcome in ("dropped", "failed"):
            if counts.get(outcome):
                text += f", {counts[outcome]:,} {outcome}"
        sides.append(text)
    if load["partial"]:
        sides.append("interrupted")
    return "; ".join(sides)


def load_table(load: Mapping[str, Any]) -> Table:
    """Return the table of a load: both sides of every metric, and the error of the prediction."""
    head = ["", "predicted", "± (95 %)", "measured", "± (95 %)", "error"]
    return Table(title(load), head, list(_rows(load)), aside=(2, 4))


def _rows(load: Mapping[str, Any]) -> Iterator[Row]:
    for name in SUMMED_UP:
        pair = load["latency_s"][name]
        intervals = [pair[f"{side}_95"] for side in SIDES]
        around = ["-" if one is None else duration(half_width(one)) for one in intervals]
        yield _row(name, pair, duration, around)
    for part, pair in load["breakdown_s"].items():
        yield _row(part, pair, duration, aside=True)
    yield _row("throughput", load["throughput_per_s"], rate)
    shares = load.get("availability", {})
    if any(pair[side] not in (1.0, None) for pair in shares.values() for side in SIDES):
        yield _row("answered", shares["answered"], availability_text)
        yield _row("in full", shares["whole"], availability_text, aside=True)
    yield from _outcomes(load.get("outcomes", {}))
    if load["accuracy"] is not None:
        top1 = load["accuracy"]["top1"]
        interval = top1["measured_95"]
        shown = "-" if interval is None else accuracy_text(half_width(interval))
        yield _row("accuracy", top1, accuracy_text, ("", shown))
    yield from _busiest("busy", load["nodes"], "utilization", percent)
    yield from _busiest("carried", load["links"], "bytes", _size)


def _outcomes(outcomes: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the shares of the outcomes that any request had, where not all were in time."""
    if all(pair[side] == (name == "in_time") for name, pair in outcomes.items() for side in SIDES):
        return
    for name, pair in outcomes.items():
        if any(pair[side] for side in SIDES):
            shares = [percent(pair[side]) for side in SIDES]
            points = f"{100.0 * pair['difference']:+.1f} points"
            yield Row((name.replace("_", " "), shares[0], "", shares[1], "", points))


def _busiest(
    what: str, rows: Mapping[str, Any], key: str, text: Callable[[Any], str]
) -> Iterator[Row]:
    ranked = sorted(rows, key=lambda name: -(rows[name][key]["measured"] or 0.0))
    shown = list(rows) if len(rows) <= _MOST_ROWS else ranked[: _MOST_ROWS - 2]
    for name in shown:
        yield _row(f"{what} {name}", rows[name][key], text)
    if len(shown) < len(rows):
        yield Row((f"… {len(rows) - len(shown):,} more, less {what}", *[""] * 5))


def _row(
    name: str,
    pair: Mapping[str, Any],
    text: Callable[[Any], str],
    around: Sequence[str] = ("", ""),
    *,
    aside: bool = False,
) -> Row:
    """Return both sides of a metric, each with a half width, and the error."""
    (predicted, measured), (one, other) = (text(pair[side]) for side in SIDES), around
    return Row((name, predicted, one, measured, other, error(pair)), aside)


def error(pair: Mapping[str, Any]) -> str:
    """Return an error such as ``-3.1 %``: of the measured, negative where less was predicted."""
    value = pair["error"]
    if value is None:
        return "-"
    text = f"{100.0 * value:+,.1f} %"
    return text[1:] if float(text[1:-2].replace(",", "")) == 0.0 else text


def error_table(loads: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of the errors of all loads."""
    lines = [[name, *(error(load["latency_s"][name]) for load in loads)] for name in SUMMED_UP]
    lines.append(["throughput", *(error(load["throughput_per_s"]) for load in loads)])
    return Table("Errors by load", ["", *map(heading, loads)], lines)


def warnings(document: Mapping[str, Any]) -> list[str]:
    """Return the warnings of the whole, then of each load; those of several loads only once."""
    found: dict[str, list[str]] = {text: [] for text in document["warnings"]}
    loads = document["loads"]
    for load in loads:
        for side, texts in load["warnings"].items():
            for text in texts:
                found.setdefault(f"{side}: {text}", []).append(heading(load))
    return [
        f"{text} (at {', '.join(places)})" if 0 < len(places) < len(loads) else text
        for text, places in found.items()
    ]


def notes(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader needs to know to understand the tables."""
    yield "error: (predicted - measured) / measured"
    loads = document["loads"]
    missing = [
        name
        for name in SUMMED_UP
        if any(load["latency_s"][name]["measured_95"] is None for load in loads)
        and all(load["latency_s"][name]["measured"] is not None for load in loads)
    ]
    if missing:
        needed = ", ".join(f"{requests_for_interval(name):,} for {name}" for name in missing)
        yield f"-: an interval needs more answered requests: {needed}"


def capacity(document: Mapping[str, Any]) -> str:
    """Return the predicted capacity of the nodes, and what bounds it."""
    return (
        f"predicted capacity {rate(document['capacity_per_s'])} (bounded by "
        f"{document['bounded_by']})"
    )


def _size(value: float | None) -> str:
    return "-" if value is None else size(value)
