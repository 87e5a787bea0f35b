"""The page of a run: one file that opens without a network, on a screen, a phone or paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgesim.common.text import duration, joules, percent, size
from edgesim.report.chart import Bar, Chart, bars
from edgesim.report.page import latency, load, plan_graph, timeline
from edgesim.report.page.frame import (
    Block,
    Cards,
    Details,
    Heading,
    Image,
    Items,
    Name,
    Section,
    Text,
    document,
)
from edgesim.report.run_tables import (
    alone_of,
    alone_sentences,
    baselines,
    energy_by_part,
    fault_sentences,
    idle_share,
)
from edgesim.report.run_tables import latency as latency_table
from edgesim.report.run_tables import ranges as range_table
from edgesim.report.table import (
    NO_POWER,
    Cell,
    Figure,
    Table,
    busiest,
    figure,
    metrics_table,
    without_power,
)
from edgesim.results.accuracy import accuracy_text
from edgesim.results.summary import SUMMARY, section
from edgesim.results.tables_csv import Requests, answered_s
from edgesim.simulate import Span

MOST_ROWS = 50
_MOST_FAULTS = 40


def page(
    summary: Mapping[str, Any],
    requests: Requests,
    spans: Sequence[Span],
    plan: Mapping[str, Any] | None = None,
    scenario: str = "",
) -> str:
    """Return the page of a result as HTML.

    Args:
        summary: as in ``summary.json``.
        requests: of all replications.
        spans: tasks and transfers of the first requests.
        plan: as in ``plan.json``; None where it is not there.
        scenario: text of ``scenario.yaml``.
    """
    intro: list[Block] = [_subtitle(summary), _cards(summary)]
    intro += [Text(text, style="warning") for text in summary["warnings"]]
    placed = Section("plan", "The plan", plan_graph.plan(summary, plan))
    sections = [*_times(summary, requests, plan), placed]
    sections += [_timeline(spans, plan), _nodes(summary, requests, spans, plan)]
    sections += [*_resources(summary), *_assumptions(plan)]
    if scenario:
        note = Text("Runs again to the same numbers; also in scenario.yaml.")
        details = Details(Text("Show the scenario"), scenario)
        sections.append(Section("scenario", "Scenario", [note, details]))
    versions = ", ".join(f"{key} {value}" for key, value in summary["versions"].items())
    return document(
        str(summary["name"]),
        intro,
        sections,
        f"seed {summary['seed']}, {versions}",
        ["timeline.js"] if spans else [],
    )


def _subtitle(summary: Mapping[str, Any]) -> Text:
    plan, requests = summary["plan"], summary["requests"]

    def counted(key: str) -> Figure:
        return figure(summary, ("requests", key), lambda value: f"{value:,}")

    place = "on real nodes" if summary["mode"] == "real" else "simulated"
    parts: list[str | Figure | Name] = [
        f"{plan['strategy']} · {plan['precision']} · ",
        counted("completed"), " of ", counted("offered"), " requests answered in full · ",
        figure(summary, ("simulated_s",), duration), f" {place}",
    ]  # fmt: skip
    for key in ("degraded", "dropped", "failed", "late"):
        if requests.get(key):
            parts += [" · ", counted(key), f" {key}"]
    if summary["replications"] > 1:
        parts.append(
            f" · {summary['replications']} replications: requests of all, totals of the mean one"
        )
    return Text(*parts, style="dim")


def _cards(summary: Mapping[str, Any]) -> Cards:
    real = summary["mode"] == "real"
    bottleneck = Name(summary["plan"]["bottleneck"])
    labels = {"bottleneck": Text("predicted bottleneck " if real else "bottleneck ", bottleneck)}
    if not real:
        share = idle_share(summary)
        idle = "" if share is None else f", {percent(share)} of it idle"
        labels["energy a request"] = Text(f"energy per request{idle}")
    if summary["accuracy"] is not None:
        unsplit = accuracy_text(summary["accuracy"]["top1_unsplit"])
        labels["accuracy"] = Text(f"accuracy; {unsplit} unsplit")
    found = sorted((one.card, path, one) for path, one in SUMMARY.walk() if one.card)
    return Cards([
        (figure(summary, path, one.text), labels.get(one.heading, Text(one.heading)))
        for _, path, one in found
        if summary[path[0]] is not None and not (path[0] == "energy_j" and real)
    ])  # fmt: skip


def _times(
    summary: Mapping[str, Any], requests: Requests, plan: Mapping[str, Any] | None
) -> Iterator[Section]:
    warmup = plan["warmup"] if plan else 0
    latency_s = answered_s(requests, warmup)
    if not len(latency_s) or summary["latency_s"]["mean"] is None:
        return
    chart = latency.distribution(latency_s, summary)
    around = range_table(summary)
    tables = [latency_table(summary, ends=True), *([around] if around else [])]
    yield Section("latency", "Latency", [chart, *tables])
    parts = latency.critical_path(summary, requests, warmup, latency_s)
    yield Section("path", "Where a request’s time goes", parts)


def _timeline(spans: Sequence[Span], plan: Mapping[str, Any] | None) -> Section:
    title = "Timeline of nodes and links"
    if not spans:
        missing = (
            "No request was traced: `edgesim run --trace N` keeps the tasks and transfers of the "
            "first N requests."
        )
        return Section("timeline", title, [Text(missing, style="dim")])
    traced = len({span.request for span in spans})
    routes = {(source, target): links for source, target, links in plan["routes"]} if plan else {}
    return Section("timeline", title, timeline.timeline(spans, routes, traced))


def _nodes(
    summary: Mapping[str, Any],
    requests: Requests,
    spans: Sequence[Span],
    plan: Mapping[str, Any] | None,
) -> Section:
    blocks: list[Block] = [_states(summary)]
    drawn = spans and plan and load.over_time(requests, spans, plan, summary["simulated_s"])
    if drawn:
        blocks += [Heading("Over time"), drawn]
    for key in ("nodes", "links"):
        if summary[key]:
            title = f"{key.capitalize()} over the whole run"
            blocks.append(metrics_table(summary, (key,), title, key[:-1], "page", MOST_ROWS))
    return Section("nodes", "Nodes and links", blocks)


def _resources(summary: Mapping[str, Any]) -> Iterator[Section]:
    if summary.get("faults") is not None:
        yield Section("faults", "Faults", list(_faults(summary)))
    missing = ""
    if summary["energy_j"]["total"] is None:
        missing = "Energy was not measured: real nodes report times only."
    elif without_power(summary):
        missing = f"Energy is {NO_POWER}."
    blocks: list[Block] = [Text(missing, style="dim")] if missing else list(_energy(summary))
    yield Section("energy", "Energy", blocks)
    yield Section("memory", "Memory", list(_memory(summary)))
    if summary["baselines"]:
        yield Section("baselines", "On one device instead", [baselines(summary)])
    elif alone := alone_sentences(alone_of(summary)):
        yield Section("baselines", "On one device instead", [Text(one) for one in alone])


def _states(summary: Mapping[str, Any]) -> Chart:
    """Return how long nodes were busy, idle and down, as shares of the run."""
    whole, rows = summary["simulated_s"], []
    for key, node in busiest(summary["nodes"], MOST_ROWS).items():
        busy = min(1.0, node["utilization"] or 0.0)
        down = min(1.0 - busy, (node.get("down_s") or 0.0) / whole) if whole else 0.0
        pieces = [("work", busy), ("down", down), ("rest", 1.0 - busy - down)]
        rows.append(Bar(key, pieces, percent(node["utilization"])))
    fell = any(node.get("down_s") for node in summary["nodes"].values())
    legend = [("work", "busy"), *([("down", "down")] if fell else []), ("rest", "idle")]
    caption = "Shares of the run; the number is the busy share."
    return bars("Time of nodes by state", rows, 1.0, caption, legend)


def _faults(summary: Mapping[str, Any]) -> Iterator[Block]:
    """Yield how many requests were answered, by what, and what happened to nodes and links."""
    yield Items(fault_sentences(summary))
    lines: list[list[Cell]] = [
        [one.heading, figure(summary, ("faults", one.name), one.text)]
        for one in section("faults").shown("page")
    ]
    yield Table("In figures", ["", "value"], lines)
    for title, key in (("Nodes that failed", "nodes"), ("Links that failed", "links")):
        if summary["faults"][key]:
            yield metrics_table(summary, ("faults", key), title, "", "page", _MOST_FAULTS)
    yield Text("Every event, with its time, is in faults.csv of the result folder.", style="dim")


def _energy(summary: Mapping[str, Any]) -> Iterator[Block]:
    """Yield joules by node and state, and by part of devices that have parts."""
    shown = busiest(summary["nodes"], MOST_ROWS)
    rows: list[Bar] = []
    lines: list[list[Cell]] = []
    for key, node in shown.items():
        above = max(0.0, node["energy_j"] - node["idle_j"])
        pieces = [("idle", min(node["idle_j"], node["energy_j"])), ("work", above)]
        rows.append(Bar(key, pieces, joules(node["energy_j"])))
        both = (figure(summary, ("nodes", key, one), joules) for one in ("energy_j", "idle_j"))
        lines.append([key, *both, joules(above)])
    most = max((node["energy_j"] for node in shown.values()), default=0.0)
    legend = [("idle", "idle: drawn with or without work"), ("work", "above idle: drawn by work")]
    yield bars("Energy of nodes by state", rows, most, legend=legend)
    links = [key for key, value in summary["energy_j"]["links"].items() if value][:MOST_ROWS]
    others: list[tuple[str, tuple[str, ...]]] = [(key, ("links", key)) for key in links]
    others += [("all", ("total",)), ("per request", ("per_request",))]
    for label, path in others:
        lines.append([label, figure(summary, ("energy_j", *path), joules), "", ""])
    hidden = len(summary["nodes"]) - len(shown)
    more = f"… {hidden:,} more nodes, less busy; their energy is in the sum" if hidden else ""
    head = ["", "energy", "idle", "above idle"]
    yield Table("Energy over the whole run", head, lines, more)
    parts = energy_by_part(summary)
    if parts is not None:
        yield parts


def _memory(summary: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the memory that the plan takes on each node, and its share of the node's memory."""
    rows: list[Bar] = []
    lines: list[list[Cell]] = []
    for key, node in busiest(summary["nodes"], MOST_ROWS).items():
        if node["memory_capacity_bytes"]:
            share = node["memory_bytes"] / node["memory_capacity_bytes"]
            pieces = [("work", min(1.0, share)), ("rest", max(0.0, 1.0 - share))]
            rows.append(Bar(key, pieces, percent(share)))
        both = ("memory_bytes", "memory_capacity_bytes")
        lines.append([key, *(figure(summary, ("nodes", key, one), size) for one in both)])
    if rows:
        caption = "Share of a node's memory that weights and activations take."
        yield bars("Memory that the plan takes on each node", rows, 1.0, caption)
    yield Table("Memory of nodes", ["node", "taken", "of"], lines)


def _assumptions(plan: Mapping[str, Any] | None) -> Iterator[Section]:
    if plan and plan["optics"]:
        yield Section("optics", "On light", [_planes(one) for one in plan["optics"]])
    if plan:
        note = Text(
            "All figures of the devices in this run. An estimate is a figure that nobody measured "
            "or published."
        )
        devices = [_figures(device, rows) for device, rows in plan["devices"].items()]
        yield Section("assumptions", "Assumptions and sources", [note, *devices])


def _planes(one: Mapping[str, Any]) -> Image:
    """Return the planes of one layer on an optical node."""
    planes, (wide, high) = "; ".join(one["planes"]), one["plane"]
    return Image(
        one["svg"],
        f"Planes of one frame: {planes}",
        f"{one['node']}, layer {one['layer']} ({one['shape']}), which takes longest on light: "
        f"{one['frames']:,} frames, {duration(one['time_s'])}. One frame of {wide}×{high} pixels, "
        f"to scale and upright; {planes}; images cover {percent(one['use'])} of the plane.",
    )


def _figures(device: str, figures: Sequence[Sequence[str]]) -> Block:
    """Return every figure of a device with its source, estimates marked."""
    if not figures:
        return Text(Name(device), ": its figures are in no catalog and not in the scenario.")
    lines: list[list[Cell]] = [[name, value, text or "no source"] for name, value, text in figures]
    guessed = sum(text.lower().startswith("estimate") for _, _, text in figures)
    count = f"{len(figures)} figures"
    if guessed:
        count += f", {guessed} of them estimates" if guessed > 1 else ", one of them an estimate"
    table = Table(f"Figures of {device}", ["figure", "value", "source"], lines, words=True)
    return Details(Text(Name(device), f" {count}"), table)
