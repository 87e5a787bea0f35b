"""The tables that ``edgesim run`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.text import duration, joules, percent, rate, size
from edgesim.report import energy_parts, fault_text
from edgesim.report.accuracy_text import sentence
from edgesim.report.comparison import (
    BASELINE_COLUMNS,
    baseline_notes,
    baseline_rows,
    half_widths,
    idle_share,
    interval_notes,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgesim.results.result import Result

_MOST_ROWS = 12
_QUANTILES = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")


def show(result: Result, console: Console) -> None:
    """Print a result: what happened, where the time and energy went, and the baselines."""
    summary = result.summary
    console.print(f"[bold]{escape(summary['name'])}[/]  {_headline(summary)}")
    console.print(_latency(summary))
    for note in interval_notes(summary):
        console.print(note, style="dim")
    console.print(_breakdown(summary))
    console.print(_totals(summary))
    right = sentence(summary)
    if right is not None:
        console.print(f"[bold]Accuracy[/] {escape(right)}")
    for number, told in enumerate(fault_text.sentences(summary)):
        console.print(f"[bold]Faults[/] {escape(told)}" if not number else f"  {escape(told)}")
    console.print(_nodes(summary))
    if summary.get("faults"):
        for title, key in (("Faults of nodes", "nodes"), ("Faults of links", "links")):
            if summary["faults"][key]:
                console.print(_failed(title, summary["faults"][key]))
    parts = energy_parts.devices(summary)
    if parts:
        console.print(_parts(parts))
    if summary["links"]:
        console.print(_links(summary))
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


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1))
    for index, column in enumerate(columns):
        if index:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            table.add_column(column, overflow="fold")
    return table


def _latency(summary: Mapping[str, Any]) -> Table:
    table = _table("Latency", "", *_QUANTILES)
    latency = summary["latency_s"]
    table.add_row("of all", *(duration(latency[name]) for name in _QUANTILES))
    if latency["mean"] is not None:
        table.add_row("± (95 %)", *half_widths(summary), style="dim")
    return table


def _breakdown(summary: Mapping[str, Any]) -> Table:
    table = _table("Mean latency by part", "", "queue", "compute", "transfer", "fusion")
    parts = summary["breakdown_s"]
    mean = summary["latency_s"]["mean"]
    table.add_row("time", *(duration(parts[name]) for name in parts))
    if mean:
        table.add_row("share", *(percent(parts[name] / mean) for name in parts), style="dim")
    return table


def _totals(summary: Mapping[str, Any]) -> str:
    energy, plan = summary["energy_j"], summary["plan"]
    if summary["mode"] == "real":
        return (
            f"[bold]Throughput[/] {rate(summary['throughput_per_s'])}, predicted at most "
            f"{rate(plan['capacity_per_s'])} (bounded by {escape(plan['bottleneck'])})\n"
            "[bold]Energy[/] not measured"
        )
    return (
        f"[bold]Throughput[/] {rate(summary['throughput_per_s'])} of at most "
        f"{rate(plan['capacity_per_s'])} (bounded by {escape(plan['bottleneck'])})\n"
        f"[bold]Energy[/] {joules(energy['total'])}, {joules(energy['per_request'])} a request, "
        f"{percent(idle_share(summary))} of it idle power"
    )


def _nodes(summary: Mapping[str, Any]) -> Table:
    table = _table("Nodes", "node", "device", "busy", "energy", "memory", "longest queue")
    nodes = summary["nodes"]
    shown = sorted(nodes.items(), key=lambda entry: -entry[1]["utilization"])
    shown = [(name, nodes[name]) for name in _first(nodes, shown)]
    for name, node in shown:
        capacity = node["memory_capacity_bytes"]
        held = size(node["memory_bytes"])
        table.add_row(
            name,
            node["device"],
            percent(node["utilization"]),
            joules(node["energy_j"]),
            held if capacity is None else f"{held} of {size(capacity)}",
            f"{node['max_queue']:,}",
        )
    _more(table, len(nodes) - len(shown), "nodes, less busy")
    return table


def _failed(title: str, section: Mapping[str, Any]) -> Table:
    kept = fault_text.columns(section)
    table = _table(title, *(fault_text.NODE_COLUMNS[index] for index in kept))
    rows = fault_text.rows(section)
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(row[index] for index in kept))
    _more(table, len(rows) - _MOST_ROWS, "like these")
    return table


def _parts(parts: Mapping[str, Mapping[str, float]]) -> Table:
    headings = [cell for name in parts for cell in (name, "share")]
    table = _table(energy_parts.TITLE, "", *headings)
    for row in energy_parts.rows(parts):
        table.add_row(*row)
    return table


def _first(everything: Mapping[str, Any], ranked: list[tuple[str, Any]]) -> list[str]:
    """Return all names in their own order where they are few, else the first of the ranking."""
    if len(everything) <= _MOST_ROWS:
        return list(everything)
    return [name for name, _ in ranked[: _MOST_ROWS - 2]]


def _more(table: Table, hidden: int, what: str) -> None:
    if hidden > 0:
        table.caption = f" … {hidden:,} more {what}"
        table.caption_justify = "left"
        table.caption_style = "dim"


def _links(summary: Mapping[str, Any]) -> Table:
    table = _table("Links", "link", "carried", "busy")
    links = summary["links"]
    ranked = sorted(links.items(), key=lambda entry: -entry[1]["utilization"])
    shown = _first(links, ranked)
    for name in shown:
        table.add_row(name, size(links[name]["bytes"]), percent(links[name]["utilization"]))
    _more(table, len(links) - len(shown), "links, less busy")
    return table


def _baselines(summary: Mapping[str, Any]) -> Table:
    title, *columns = BASELINE_COLUMNS
    table = _table(title, "", *columns)
    for row in baseline_rows(summary):
        table.add_row(*row.cells, style="dim" if row.aside else None)
    return table


def _mlperf(metrics: Mapping[str, Any]) -> str:
    value = metrics["value"]
    name = str(metrics["metric"]).removesuffix("_s").replace("_per", " per s").replace("_", " ")
    text = "-" if value is None else duration(value) if "latency" in name else f"{value:,.4g}"
    verdict = "valid" if metrics["valid"] else f"not valid: {'; '.join(metrics['reasons'])}"
    return f"MLPerf {metrics['scenario']}: {name} {text} ({verdict})"
