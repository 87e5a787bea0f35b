"""What ``edgesim run`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.text import duration, joules, percent, rate
from edgesim.report.run_tables import (
    accuracy_sentence,
    alone_of,
    alone_sentences,
    answered,
    baselines,
    breakdown,
    energy_by_part,
    fault_sentences,
    idle_share,
    latency,
    ranges,
)
from edgesim.report.table import NO_POWER, metrics_table, without_power
from edgesim.results.summary import SUMMARY, value_at

if TYPE_CHECKING:
    from rich.console import Console

    from edgesim.results.result import Result

_MOST_ROWS = 12


def show(result: Result, console: Console) -> None:
    """Print a result: what happened, where the time and energy went, and the baselines."""
    summary = result.summary
    console.print(f"[bold]{escape(summary['name'])}[/]  {_headline(summary)}")
    if summary["latency_s"]["mean"] is not None:
        latency(summary, ends=False).transposed().show(console)
        breakdown(summary).transposed().show(console)
    console.print(_totals(summary))
    around = ranges(summary)
    if around is not None:
        around.show(console)
    right = accuracy_sentence(summary)
    if right is not None:
        console.print(f"[bold]Accuracy[/] {escape(right)}")
    for number, sentence in enumerate(fault_sentences(summary)):
        console.print(f"{'  ' if number else '[bold]Faults[/] '}{escape(sentence)}")
    for title, first, path in (
        ("Sources", "source", ("sources",)),
        ("Nodes", "node", ("nodes",)),
        ("Faults of nodes", "", ("faults", "nodes")),
        ("Faults of links", "", ("faults", "links")),
        ("Links", "link", ("links",)),
    ):
        if summary.get(path[0]) and value_at(summary, path):
            metrics_table(summary, path, title, first, "console", _MOST_ROWS).show(console)
    parts = energy_by_part(summary)
    if parts is not None:
        parts.show(console)
    if summary["baselines"]:
        baselines(summary).show(console)
    else:
        for sentence in alone_sentences(alone_of(summary)):
            console.print(escape(sentence))
    if summary["mlperf"]:
        console.print(_mlperf(summary["mlperf"]))
    for warning in summary["warnings"]:
        label = "note:" if warning in result.scenario.notes else "[yellow]warning:[/]"
        console.print(f"{label} {escape(warning)}")


def _headline(summary: Mapping[str, Any]) -> str:
    requests, parts = summary["requests"], [answered(summary)]
    if requests["degraded"]:
        parts.append(f"{requests['degraded']:,} of them degraded")
    counted = [name for name in ("dropped", "failed", "late") if requests.get(name)]
    parts += [f"{requests[name]:,} {name}" for name in counted]
    if summary["replications"] > 1:
        parts.append(f"{summary['replications']} replications")
    span = duration(summary["simulated_s"])
    if summary["mode"] == "real":
        parts.append(f"{span} on real nodes")
    else:
        parts.append(f"{span} simulated in {duration(summary['wall_s'])}")
    parts.append(f"seed {summary['seed']}")
    return ", ".join(parts)


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
        if value is None and metric.optional:
            continue
        text = "not measured" if real and value is None else metric.text(value)
        name = metric.heading
        if name == "energy" and without_power(summary):
            text, more[name] = NO_POWER, ""
        lines.append(f"[bold]{name.capitalize()}[/] {text}{more.get(name, '')}")
    return "\n".join(lines)


def _mlperf(metrics: Mapping[str, Any]) -> str:
    value = metrics["value"]
    name = str(metrics["metric"]).removesuffix("_s").removesuffix("_per").replace("_", " ")
    text = "-" if value is None else duration(value) if "latency" in name else rate(value)
    if metrics.get("discarded") is not None:
        plain = duration(metrics["percentile_s"])
        text += f", the early-stopping estimate ({plain} without it)"
    verdict = "valid" if metrics["valid"] else f"not valid: {'; '.join(metrics['reasons'])}"
    return f"MLPerf {metrics['scenario']}: {name} {text} ({verdict})"
