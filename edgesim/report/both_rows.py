"""Predicted and measured as text: the lines that the console and the page both show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgesim.common.text import duration, half_width, percent, rate, size
from edgesim.results.accuracy import accuracy_text
from edgesim.results.faults import availability_text
from edgesim.results.statistics import requests_for_interval

COLUMNS = ("", "predicted", "± (95 %)", "measured", "± (95 %)", "error")
"""Headings of a load's table."""
SUMMED_UP = ("p50", "p90", "p99", "mean")
"""Latencies that the comparison of all loads shows."""
_MOST_ROWS = 12
_SIDES = ("predicted", "measured")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a load's table; ``first`` where another group of lines begins."""

    cells: tuple[str, ...]
    first: bool = False


def title(load: Mapping[str, Any]) -> str:
    """Return what a load is called."""
    speed = "" if load["rate_per_s"] is None else f", {rate(load['rate_per_s'])}"
    if load["share"] is None:
        return f"As written{speed}"
    return f"{heading(load)} of capacity{speed}"


def heading(load: Mapping[str, Any]) -> str:
    """Return a load in a few letters, for the head of a column."""
    return "as written" if load["share"] is None else f"{100.0 * load['share']:g} %"


def requests(load: Mapping[str, Any]) -> str:
    """Return what became of the requests."""
    told = []
    for side, counts in load["requests"].items():
        answered = counts["completed"] + counts["degraded"]
        text = f"{side}: {answered:,} of {counts['offered']:,} answered"
        if counts["degraded"]:
            text += f", {counts['degraded']:,} degraded"
        if counts["failed"]:
            text += f", {counts['failed']:,} failed"
        told.append(text)
    if load["partial"]:
        told.append("interrupted")
    return "; ".join(told)


def lines(load: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the lines of a load's table."""
    for number, name in enumerate(SUMMED_UP):
        pair = load["latency_s"][name]
        sides = [
            cell
            for side in ("predicted", "measured")
            for cell in (duration(pair[side]), _half_width(pair[f"{side}_95"]))
        ]
        yield Line((name, *sides, error(pair)), number == 0)
    for part, pair in load["breakdown_s"].items():
        yield _line(f"  {part}", pair, duration)
    yield _line("throughput", load["throughput_per_s"], rate, first=True)
    shares = load.get("availability", {})
    if any(pair[side] not in (1.0, None) for pair in shares.values() for side in _SIDES):
        yield _line("answered", shares["answered"], availability_text)
        yield _line("  in full", shares["whole"], availability_text)
    if load["accuracy"] is not None:
        top1 = load["accuracy"]["top1"]
        around = top1["measured_95"]
        shown = "-" if around is None else accuracy_text(half_width(around))
        predicted, measured = (accuracy_text(top1[side]) for side in _SIDES)
        yield Line(("accuracy", predicted, "", measured, shown, error(top1)))
    yield from _many("busy", load["nodes"], "utilization", percent)
    yield from _many("carried", load["links"], "bytes", _size)


def _many(what: str, rows: Mapping[str, Any], key: str, text: Any) -> Iterator[Line]:
    ranked = sorted(rows, key=lambda name: -(rows[name][key]["measured"] or 0.0))
    shown = list(rows) if len(rows) <= _MOST_ROWS else ranked[: _MOST_ROWS - 2]
    for number, name in enumerate(shown):
        yield _line(f"{what} {name}", rows[name][key], text, first=number == 0)
    if len(shown) < len(rows):
        yield Line((f"… {len(rows) - len(shown):,} more, less {what}", *[""] * 5))


def _line(name: str, pair: Mapping[str, Any], text: Any, *, first: bool = False) -> Line:
    return Line((name, text(pair["predicted"]), "", text(pair["measured"]), "", error(pair)), first)


def error(pair: Mapping[str, Any]) -> str:
    """Return an error such as ``-3.1 %``: of the measured, negative where less was predicted."""
    value = pair["error"]
    if value is None:
        return "-"
    text = f"{100.0 * value:+,.1f} %"
    return text[1:] if float(text[1:-2].replace(",", "")) == 0.0 else text


def errors(loads: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Yield the lines of the errors of all loads: a name, and an error for each load."""
    for name in SUMMED_UP:
        yield [name, *(error(load["latency_s"][name]) for load in loads)]
    yield ["throughput", *(error(load["throughput_per_s"]) for load in loads)]


def notes(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the tables need to be understood."""
    yield "error: (predicted - measured) / measured"
    loads = document["loads"]
    missing = [
        name
        for name in SUMMED_UP
        if any(load["latency_s"][name]["measured_95"] is None for load in loads)
        and all(load["latency_s"][name]["measured"] is not None for load in loads)
    ]
    if missing:
        told = ", ".join(f"{requests_for_interval(name):,} for {name}" for name in missing)
        yield f"-: an interval takes more answered requests: {told}"


def capacity(document: Mapping[str, Any]) -> str:
    """Return what the nodes can serve."""
    return (
        f"predicted capacity {rate(document['capacity_per_s'])} (bounded by "
        f"{document['bounded_by']})"
    )


def _half_width(interval: Any) -> str:
    return "-" if interval is None else duration(half_width(interval))


def _size(value: float | None) -> str:
    return "-" if value is None else size(value)
