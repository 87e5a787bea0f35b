"""The page of a run: one file that opens without a network, on a screen, a phone or paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from edgesim.common.text import duration, percent
from edgesim.report.page import assumptions, cluster, faults, latency, load, plan_graph, timeline
from edgesim.report.page.frame import document
from edgesim.report.page.markup import Section, figure_of, name
from edgesim.report.run_text import idle_share
from edgesim.results.accuracy import accuracy_text
from edgesim.results.summary import SUMMARY
from edgesim.results.tables_csv import Columns
from edgesim.simulate import Span


def page(
    summary: Mapping[str, Any],
    requests: Columns,
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
    intro = [f'<p class="dim">{_subtitle(summary)}</p>', _cards(summary)]
    intro += [f'<p class="warning">{escape(text)}</p>' for text in summary["warnings"]]
    versions = ", ".join(f"{key} {value}" for key, value in summary["versions"].items())
    return document(
        str(summary["name"]),
        "\n".join(intro),
        list(_sections(summary, requests, spans, plan, scenario)),
        f"seed {summary['seed']}, {escape(versions)}",
        ["timeline.js"] if spans else [],
    )


def _sections(
    summary: Mapping[str, Any],
    requests: Columns,
    spans: Sequence[Span],
    plan: Mapping[str, Any] | None,
    scenario: str,
) -> Iterator[Section]:
    chosen = latency.counted(requests, plan["warmup"] if plan else 0)
    if chosen.any() and summary["latency_s"]["mean"] is not None:
        found = requests.latency_s[chosen]
        drawn = latency.distribution(found, summary) + latency.percentiles(summary)
        yield Section("latency", "Latency", drawn)
        parts = latency.critical_path(summary, requests, chosen)
        yield Section("path", "Where a request’s time goes", parts)
    yield Section("plan", "The plan", plan_graph.plan(summary, plan))
    if spans:
        traced = len({span.request for span in spans})
        drawn = timeline.timeline(spans, timeline.routes_of(plan), traced)
        yield Section("timeline", "Timeline of nodes and links", drawn)
    else:
        told = (
            "No request was traced: `edgesim run --trace N` keeps the tasks and transfers of the "
            "first N requests."
        )
        yield Section("timeline", "Timeline of nodes and links", f'<p class="dim">{told}</p>')
    body = cluster.states(summary)
    if spans and plan:
        body += "<h3>Over time</h3>"
        body += load.over_time(requests, spans, plan, summary["simulated_s"])
    body += cluster.over_all(summary, "nodes")
    if summary["links"]:
        body += cluster.over_all(summary, "links")
    yield Section("nodes", "Nodes and links", body)
    if summary.get("faults") is not None:
        yield Section("faults", "Faults", faults.faults(summary))
    if summary["energy_j"]["total"] is not None:
        yield Section("energy", "Energy", cluster.energy(summary))
    else:
        told = '<p class="dim">Joules were not measured: real nodes tell times only.</p>'
        yield Section("energy", "Energy", told)
    yield Section("memory", "Memory", cluster.memory(summary))
    if summary["baselines"]:
        yield Section("baselines", "On one device instead", cluster.baselines(summary))
    if plan and plan["optics"]:
        yield Section("optics", "On light", assumptions.optics(plan))
    if plan:
        yield Section("assumptions", "Assumptions and sources", assumptions.assumed(plan))
    if scenario:
        yield Section("scenario", "Scenario", assumptions.scenario(scenario))


def _subtitle(summary: Mapping[str, Any]) -> str:
    plan, requests = summary["plan"], summary["requests"]

    def counted(key: str) -> str:
        return figure_of(summary, ("requests", key), lambda value: f"{value:,}")

    real = summary["mode"] == "real"
    told = [
        escape(str(plan["strategy"])),
        escape(str(plan["precision"])),
        f"{counted('completed')} of {counted('offered')} requests answered in full",
        f"{figure_of(summary, ('simulated_s',), duration)} "
        f"{'on real nodes' if real else 'simulated'}",
    ]
    if requests["degraded"]:
        told.append(f"{counted('degraded')} degraded")
    if requests["failed"]:
        told.append(f"{counted('failed')} failed")
    if summary["replications"] > 1:
        told.append(
            f"{summary['replications']} replications: requests of all, totals of a mean one"
        )
    return " · ".join(told)


def _cards(summary: Mapping[str, Any]) -> str:
    real = summary["mode"] == "real"
    labels = {"bottleneck": f"{'predicted ' if real else ''}bottleneck "
              f"{name(summary['plan']['bottleneck'])}"}  # fmt: skip
    if not real:
        labels["energy a request"] = f"energy a request, {percent(idle_share(summary))} idle"
    if summary["accuracy"] is not None:
        unsplit = accuracy_text(summary["accuracy"]["top1_unsplit"])
        labels["accuracy"] = f"accuracy; {unsplit} unsplit"
    cards = sorted((one.card, path, one) for path, one in SUMMARY.walk() if one.card)
    inside = "".join(
        f'<div class="card"><dt>{labels.get(one.heading, one.heading)}</dt>'
        f"<dd>{figure_of(summary, path, one.text)}</dd></div>"
        for _, path, one in cards
        if summary[path[0]] is not None and not (path[0] == "energy_j" and real)
    )
    return f'<dl class="cards">{inside}</dl>'
