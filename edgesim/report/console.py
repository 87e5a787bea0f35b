"""The tables that ``edgesim run`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgesim.report.text import count, duration, half_width, joules, percent, rate, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgesim.result import Result

_MOST_ROWS = 12
_QUANTILES = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")


def show(result: Result, console: Console) -> None:
    """Print a result: what happened, where the time and energy went, and the baselines."""
    from rich.markup import escape

    summary = result.summary
    console.print(f"[bold]{escape(summary['name'])}[/]  {_headline(summary)}")
    console.print(_latency(summary))
    console.print(_breakdown(summary))
    console.print(_totals(summary))
    console.print(_nodes(summary))
    if summary["links"]:
        console.print(_links(summary))
    if summary["baselines"]:
        console.print(_baselines(summary))
        console.print(
            "speed-up and energy: the device over the cluster, same traffic; "
            "above 1 the cluster is better", style="dim",
        )  # fmt: skip
    if summary["mlperf"]:
        console.print(_mlperf(summary["mlperf"]))
    for warning in summary["warnings"]:
        console.print(f"[yellow]warning:[/] {escape(warning)}")


def _headline(summary: Mapping[str, Any]) -> str:
    requests = summary["requests"]
    told = [f"{requests['completed']:,} of {requests['offered']:,} requests answered"]
    if requests["degraded"]:
        told.append(f"{requests['degraded']:,} degraded")
    if requests["failed"]:
        told.append(f"{requests['failed']:,} failed")
    if summary["replications"] > 1:
        told.append(f"{summary['replications']} replications")
    told.append(f"{duration(summary['simulated_s'])} simulated in {duration(summary['wall_s'])}")
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
    latency, intervals = summary["latency_s"], summary["confidence_95"]
    table.add_row("of all", *(duration(latency[name]) for name in _QUANTILES))
    halves = [intervals.get(name) for name in _QUANTILES]
    if any(halves):
        table.add_row(
            "± (95 %)",
            *("" if one is None else duration(half_width(one)) for one in halves),
            style="dim",
        )
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
    return (
        f"[bold]Throughput[/] {rate(summary['throughput_per_s'])} of at most "
        f"{rate(plan['capacity_per_s'])} (bounded by {plan['bottleneck']}); "
        f"[bold]energy[/] {joules(energy['total'])}, {joules(energy['per_request'])} a request"
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


def _first(everything: Mapping[str, Any], ranked: list[tuple[str, Any]]) -> list[str]:
    """Return all names in their own order where they are few, else the first of the ranking."""
    if len(everything) <= _MOST_ROWS:
        return list(everything)
    return [name for name, _ in ranked[: _MOST_ROWS - 2]]


def _more(table: Table, hidden: int, what: str) -> None:
    if hidden > 0:
        table.add_row(f"… {hidden:,} more {what}", style="dim")


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
    table = _table(
        "Beside the whole model on one device", "", "latency", "speed-up", "J/request", "energy",
        "at most",
    )  # fmt: skip
    energy = summary["energy_j"]["per_request"]
    capacity = summary["plan"]["capacity_per_s"]
    table.add_row(
        "this cluster",
        duration(summary["latency_s"]["mean"]),
        "1",
        joules(energy),
        "1",
        rate(capacity),
    )
    for name, row in summary["baselines"].items():
        if row.get("misfit_bytes"):
            table.add_row(name, f"lacks {size(row['misfit_bytes'])}", style="dim")
            continue
        unloaded = row["unloaded_latency_s"]
        table.add_row(
            f"{name}, {row['precision']}",
            duration(row["latency_s"]) if row["settled"] else "overloaded",
            _times(row["speedup"]) if row["settled"] else "-",
            joules(row["energy_j_per_request"]),
            _times(row["energy_ratio"]),
            rate(1.0 / unloaded if unloaded else None),
        )
        best = row.get("best_batch")
        if best and best["batch"] > 1:
            table.add_row(
                f"  batch {best['batch']}, always busy",
                duration(best["latency_s"]),
                "",
                joules(best["energy_j_per_request"]),
                "",
                rate(best["throughput_per_s"]),
                style="dim",
            )
    return table


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{count(ratio)}×".replace(" ×", "×")


def _mlperf(metrics: Mapping[str, Any]) -> str:
    value = metrics["value"]
    name = str(metrics["metric"]).removesuffix("_s").replace("_per", " per s").replace("_", " ")
    text = "-" if value is None else duration(value) if "latency" in name else f"{value:,.4g}"
    verdict = "valid" if metrics["valid"] else f"not valid: {'; '.join(metrics['reasons'])}"
    return f"MLPerf {metrics['scenario']}: {name} {text} ({verdict})"
