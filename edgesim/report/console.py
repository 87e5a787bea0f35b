"""The tables that ``edgesim run`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.tables import text_table
from edgesim.common.text import duration, joules, percent, rate
from edgesim.report.run_text import (
    BASELINE_COLUMNS,
    PARTS_TITLE,
    accuracy_sentence,
    baseline_notes,
    baseline_rows,
    device_parts,
    fault_sentences,
    half_widths,
    idle_share,
    interval_notes,
    part_rows,
)
from edgesim.results.metrics import Section
from edgesim.results.summary import SUMMARY, section, value_at

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgesim.results.result import Result

_MOST_ROWS = 12


def show(result: Result, console: Console) -> None:
    """Print a result: what happened, where the time and energy went, and the baselines."""
    summary = result.summary
    console.print(f"[bold]{escape(summary['name'])}[/]  {_headline(summary)}")
    console.print(_latency(summary))
    for note in interval_notes(summary):
        console.print(note, style="dim")
    console.print(_breakdown(summary))
    console.print(_totals(summary))
    right = accuracy_sentence(summary)
    if right is not None:
        console.print(f"[bold]Accuracy[/] {escape(right)}")
    for number, told in enumerate(fault_sentences(summary)):
        console.print(f"[bold]Faults[/] {escape(told)}" if not number else f"  {escape(told)}")
    console.print(_entries("Nodes", "node", section("nodes"), summary["nodes"]))
    faults = summary.get("faults") or {}
    for title, key in (("Faults of nodes", "nodes"), ("Faults of links", "links")):
        if faults.get(key):
            console.print(_entries(title, "", section("faults", key), faults[key]))
    parts = device_parts(summary)
    if parts:
        console.print(_parts(parts))
    if summary["links"]:
        console.print(_entries("Links", "link", section("links"), summary["links"]))
    if summary["baselines"]:
        console.print(_baselines(summary))
        for note in baseline_notes(summary):
            console.print(note, style="dim")
    if summary["mlperf"]:
        console.print(_mlperf(summary["mlperf"]))
    for warning in summary["warnings"]:
        console.print(f"[yellow]warning:[/] {escape(warning)}")


def _headline(summary: Mapping[str, Any]) -> str:
    requests = summary["requests"]
    answered = requests["completed"] + requests["degraded"]
    told = [f"{answered:,} of {requests['offered']:,} requests answered"]
    if requests["degraded"]:
        told.append(f"{requests['degraded']:,} of them degraded")
    if requests["failed"]:
        told.append(f"{requests['failed']:,} failed")
    if summary["replications"] > 1:
        told.append(f"{summary['replications']} replications")
    span = duration(summary["simulated_s"])
    if summary["mode"] == "real":
        told.append(f"{span} on real nodes")
    else:
        told.append(f"{span} simulated in {duration(summary['wall_s'])}")
    told.append(f"seed {summary['seed']}")
    return ", ".join(told)


def _latency(summary: Mapping[str, Any]) -> Table:
    metrics = section("latency_s").shown("console")
    table = text_table("", *(one.name for one in metrics), title="Latency")
    table.add_row("of all", *(one.cell(summary["latency_s"]) for one in metrics))
    if summary["latency_s"]["mean"] is not None:
        table.add_row("± (95 %)", *half_widths(summary), style="dim")
    return table


def _breakdown(summary: Mapping[str, Any]) -> Table:
    parts = summary["breakdown_s"]
    table = text_table("", *parts, title="Mean latency by part")
    mean = summary["latency_s"]["mean"]
    table.add_row("time", *map(duration, parts.values()))
    if mean:
        table.add_row("share", *(percent(value / mean) for value in parts.values()), style="dim")
    return table


def _totals(summary: Mapping[str, Any]) -> str:
    real = summary["mode"] == "real"
    plan = summary["plan"]
    more = {
        "throughput": f"{', predicted' if real else ' of'} at most {rate(plan['capacity_per_s'])} "
        f"(bounded by {escape(plan['bottleneck'])})",
        "energy": "" if real else f", {joules(summary['energy_j']['per_request'])} a request, "
        f"{percent(idle_share(summary))} of it idle power",
    }  # fmt: skip
    lines = []
    for path, metric in SUMMARY.singles("console"):
        if path[0] == "latency_s":
            continue
        value = value_at(summary, path)
        text = "not measured" if real and value is None else metric.text(value)
        name = metric.heading
        lines.append(f"[bold]{name.capitalize()}[/] {text}{more.get(name, '')}")
    return "\n".join(lines)


def _entries(
    title: str, first: str, of: Section[Any], rows: Mapping[str, Mapping[str, Any]]
) -> Table:
    """Return the metrics of nodes or links; of many, the busiest, or the first that failed."""
    names, more = list(rows), "like these"
    if len(rows) > _MOST_ROWS:
        names = names[:_MOST_ROWS]
        if not title.startswith("Faults"):
            names = sorted(rows, key=lambda name: -rows[name]["utilization"])[: _MOST_ROWS - 2]
            more = f"{of.name}, less busy"
    metrics = of.shown("console", rows)
    table = text_table(first, *(one.heading for one in metrics), title=title)
    for name in names:
        table.add_row(name, *(one.cell(rows[name]) for one in metrics))
    if len(names) < len(rows):
        table.caption = f" … {len(rows) - len(names):,} more {more}"
        table.caption_justify = "left"
        table.caption_style = "dim"
    return table


def _parts(parts: Mapping[str, Mapping[str, float]]) -> Table:
    headings = [cell for name in parts for cell in (name, "share")]
    table = text_table("", *headings, title=PARTS_TITLE)
    for row in part_rows(parts):
        table.add_row(*row)
    return table


def _baselines(summary: Mapping[str, Any]) -> Table:
    title, *columns = BASELINE_COLUMNS
    table = text_table("", *columns, title=title)
    for row in baseline_rows(summary):
        table.add_row(*row.cells, style="dim" if row.aside else None)
    return table


def _mlperf(metrics: Mapping[str, Any]) -> str:
    value = metrics["value"]
    name = str(metrics["metric"]).removesuffix("_s").replace("_per", " per s").replace("_", " ")
    text = "-" if value is None else duration(value) if "latency" in name else f"{value:,.4g}"
    verdict = "valid" if metrics["valid"] else f"not valid: {'; '.join(metrics['reasons'])}"
    return f"MLPerf {metrics['scenario']}: {name} {text} ({verdict})"
