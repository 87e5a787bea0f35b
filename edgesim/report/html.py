"""The page of a result: self-contained, light and dark, no script and no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.report import energy_parts
from edgesim.report.accuracy_text import accuracy
from edgesim.report.comparison import (
    BASELINE_COLUMNS,
    baseline_notes,
    baseline_rows,
    half_widths,
    idle_share,
    interval_notes,
)
from edgesim.report.svg import distribution, shares, timeline
from edgesim.report.text import duration, joules, percent, rate, size
from edgesim.simulate import Span

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --paper: #ffffff;
  --line: #d9dee5; --card: #f5f7fa; --queue: #e0a526; --compute: #2f6fd0; --transfer: #2a9d78;
  --fusion: #a04bbd; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --dim: #9aa6b5; --paper: #14181f;
  --line: #323a46; --card: #1d232c; --queue: #e8b84a; --compute: #6ba1f0; --transfer: #4cc29b;
  --fusion: #c583dc; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
.dim { color: var(--dim); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem;
  margin-top: 1.2rem; }
.card { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.35rem; font-weight: 650; white-space: nowrap; }
.warning { background: #fff3d6; color: #5c4300; border-radius: .5rem; padding: .6rem .9rem;
  margin-top: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--dim); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .dim { fill: var(--dim); }
svg .axis { stroke: var(--line); }
.queue { fill: var(--queue); } .compute { fill: var(--compute); }
.transfer { fill: var(--transfer); } .fusion { fill: var(--fusion); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .4rem 0 0; padding: 0;
  list-style: none; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin-right: .4rem; vertical-align: -.05rem; }
""".strip()

_MOST_ROWS = 50


def page(summary: Mapping[str, Any], latency_s: NDArray[np.float64], spans: Sequence[Span]) -> str:
    """Return the page of a result as HTML.

    Args:
        summary: as in ``summary.json``.
        latency_s: of every answered request.
        spans: tasks and transfers of the first requests.
    """
    name = escape(str(summary["name"]))
    body = [
        f"<h1>{name}</h1>",
        f'<div class="dim">{_subtitle(summary)}</div>',
        _cards(summary),
        *(f'<div class="warning">{escape(text)}</div>' for text in summary["warnings"]),
    ]
    if len(latency_s) and summary["latency_s"]["mean"] is not None:
        body += [
            "<h2>Latency</h2>",
            distribution(latency_s, summary["latency_s"]),
            _latency_table(summary),
            "<h2>Where a request's time goes</h2>",
            shares(summary["breakdown_s"]),
            _legend(summary),
        ]
    body += ["<h2>Nodes</h2>", _node_table(summary)]
    parts = energy_parts.devices(summary)
    if parts:
        headings = [cell for name in parts for cell in (escape(name), "share")]
        body.append(f"<h2>{energy_parts.TITLE}</h2>")
        body.append(_table(["", *headings], energy_parts.rows(parts)))
    if summary["links"]:
        body += ["<h2>Links</h2>", _link_table(summary)]
    if summary["baselines"]:
        body += [f"<h2>{BASELINE_COLUMNS[0]}</h2>", _baseline_table(summary)]
    if spans:
        body += ["<h2>The first requests</h2>", timeline(spans)]
    versions = ", ".join(f"{key} {value}" for key, value in summary["versions"].items())
    body.append(f'<p class="dim">seed {summary["seed"]}, {escape(versions)}</p>')
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} · edgesim</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _subtitle(summary: Mapping[str, Any]) -> str:
    plan, requests = summary["plan"], summary["requests"]
    told = [
        escape(str(plan["strategy"])),
        escape(str(plan["precision"])),
        f"{requests['offered']:,} requests",
        f"{duration(summary['simulated_s'])} "
        f"{'on real nodes' if summary['mode'] == 'real' else 'simulated'}",
    ]
    if requests["degraded"]:
        told.append(f"{requests['degraded']:,} degraded")
    if requests["failed"]:
        told.append(f"{requests['failed']:,} failed")
    return " · ".join(told)


def _cards(summary: Mapping[str, Any]) -> str:
    latency, energy = summary["latency_s"], summary["energy_j"]
    cards = [
        ("median latency", duration(latency["p50"])),
        ("99th percentile", duration(latency["p99"])),
        ("throughput", rate(summary["throughput_per_s"])),
        (f"{'predicted ' if summary['mode'] == 'real' else ''}bottleneck "
         f"{escape(str(summary['plan']['bottleneck']))}",
         f"{rate(summary['plan']['capacity_per_s'])}"),
    ]  # fmt: skip
    if energy["total"] is not None:
        told = f"energy a request, {percent(idle_share(summary))} idle"
        cards.insert(3, (told, joules(energy["per_request"])))
    found = summary["accuracy"]
    if found is not None:
        label = f"accuracy; {accuracy(found['top1_unsplit'])} unsplit"
        cards.append((label, accuracy(found["top1"])))
    inside = "".join(f'<div class="card"><b>{value}</b>{label}</div>' for label, value in cards)
    return f'<div class="cards">{inside}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], more: str = "") -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    rest = f'<tr><td class="dim" colspan="{len(head)}">{more}</td></tr>' if more else ""
    return f'<div class="wide"><table><tr>{top}</tr>{lines}{rest}</table></div>'


def _latency_table(summary: Mapping[str, Any]) -> str:
    latency = summary["latency_s"]
    rows = [
        ["", *(duration(value) for value in latency.values())],
        ["± (95 %)", *half_widths(summary)],
    ]
    return _table(["", *latency], rows) + _notes(interval_notes(summary))


def _notes(notes: Iterable[str]) -> str:
    return f'<p class="dim">{"<br>".join(map(escape, notes))}</p>'


def _legend(summary: Mapping[str, Any]) -> str:
    mean = summary["latency_s"]["mean"]
    entries = "".join(
        f'<li><i style="background: var(--{part})"></i>{part} {duration(value)} '
        f'<span class="dim">{percent(value / mean if mean else None)}</span></li>'
        for part, value in summary["breakdown_s"].items()
    )
    return f'<ul class="legend">{entries}</ul>'


def _node_table(summary: Mapping[str, Any]) -> str:
    ranked = sorted(summary["nodes"].items(), key=lambda entry: -entry[1]["utilization"])
    shown = list(summary["nodes"].items()) if len(ranked) <= _MOST_ROWS else ranked[:_MOST_ROWS]
    rows = []
    for name, node in shown:
        capacity = node["memory_capacity_bytes"]
        held = size(node["memory_bytes"])
        rows.append([
            escape(name), escape(str(node["device"])), percent(node["utilization"]),
            joules(node["energy_j"]), held if capacity is None else f"{held} of {size(capacity)}",
            f"{node['max_queue']:,}",
        ])  # fmt: skip
    hidden = len(ranked) - len(shown)
    more = f"… {hidden:,} more nodes, less busy" if hidden else ""
    return _table(["node", "device", "busy", "energy", "memory", "longest queue"], rows, more)


def _link_table(summary: Mapping[str, Any]) -> str:
    ranked = sorted(summary["links"].items(), key=lambda entry: -entry[1]["utilization"])
    shown = list(summary["links"].items()) if len(ranked) <= _MOST_ROWS else ranked[:_MOST_ROWS]
    rows = [[escape(name), size(one["bytes"]), percent(one["utilization"])] for name, one in shown]
    hidden = len(ranked) - len(shown)
    more = f"… {hidden:,} more links, less busy" if hidden else ""
    return _table(["link", "carried", "busy"], rows, more)


def _baseline_table(summary: Mapping[str, Any]) -> str:
    rows = []
    for row in baseline_rows(summary):
        label = escape(row.cells[0].strip())
        shown = f'<span class="dim">&emsp;{label}</span>' if row.aside else label
        rows.append([shown, *row.cells[1:]])
    return _table(["", *BASELINE_COLUMNS[1:]], rows) + _notes(baseline_notes(summary))
