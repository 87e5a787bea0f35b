"""What ``edgesim profile`` prints: what was measured, and how well the fits agree with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesim.calibrate.profile.device_yaml import mapping
from edgesim.calibrate.profile.profile import Profile
from edgesim.common.tables import console_table
from edgesim.common.text import count, digits, duration, percent, size

if TYPE_CHECKING:
    from rich.console import Console

_WORST = 3
_ERRORS = ("median", "nine_in_ten", "held_out_median", "held_out_nine_in_ten")


def document(profile: Profile) -> dict[str, Any]:
    """Return what is printed, as plain data."""
    fit, roofline = profile.messages, profile.roofline.device
    errors, held = abs(profile.roofline.errors), abs(profile.roofline.held_out)
    kinds = {}
    for kind in dict.fromkeys(one.kind for one in profile.operators):
        own = [index for index, one in enumerate(profile.operators) if one.kind is kind]
        kinds[kind.value] = {"operators": len(own), **_two(errors[own], held[own])}
    worst = np.argsort(-np.abs(np.log1p(profile.roofline.errors)))[:_WORST]
    models = []
    for one, mean_s in zip(profile.timed, profile.cooled.hot_s, strict=True):
        roofline_s = roofline.graph_cost(one.graph, "fp32", one.batch).time_s
        low, middle, high = np.quantile(one.times_s, (0.05, 0.5, 0.95))
        models.append(
            {
                "model": one.model,
                "batch": one.batch,
                "runs": len(one.times_s),
                "time_s": mean_s,
                "p5_s": float(low),
                "p50_s": float(middle),
                "p95_s": float(high),
                "roofline_s": roofline_s,
                "error": roofline_s / mean_s - 1.0,
            }
        )
    return {
        "file": str(profile.options.out),
        "processor": profile.machine.processor,
        "cores": profile.machine.cores,
        "threads": profile.options.threads,
        "wall_s": profile.wall_s,
        "precision": profile.options.precision,
        "peak_flop_s": profile.limits.peak_flop_s,
        "memory_byte_s": profile.limits.bandwidth_byte_s,
        "memory_bytes": profile.machine.memory_bytes,
        "launch_overhead_s": roofline.launch_overhead_s,
        "kinds": kinds,
        "all": {"operators": len(errors), **_two(errors, held)},
        "worst": [
            {
                "operator": profile.operators[index].name,
                "time_s": float(profile.times_s[index]),
                "error": float(profile.roofline.errors[index]),
            }
            for index in worst
        ],
        "models": models,
        "cooling": asdict(profile.cooled.cooling),
        "messages": [
            {
                "parts": row.parts,
                "rate_per_s": 1.0 / row.rest_s,
                "bytes": row.bytes,
                "node_s": row.node_s,
                "coordinator_s": row.coordinator_s,
                "wall_s": row.wall_s,
            }
            for row in fit.rows
        ],
        "messaging": {
            "node_r2": fit.node_r2,
            "node_error": fit.node_error,
            "coordinator_r2": fit.coordinator_r2,
            "coordinator_error": fit.coordinator_error,
            "on_no_processor_s": fit.left_s,
            "cooling": asdict(fit.messaging.cooling),
        },
        "power": None
        if profile.watts is None
        else {"idle_w": profile.watts.idle_w, "busy_w": profile.watts.busy_w},
        "device": mapping(profile),
    }


def _two(errors: Any, held: Any) -> dict[str, float]:
    found = [np.quantile(values, share) for values in (errors, held) for share in (0.5, 0.9)]
    return dict(zip(_ERRORS, map(float, found), strict=True))


def show(document: dict[str, Any], console: Console) -> None:
    """Print what `document` returned."""
    from rich.markup import escape

    console.print(
        f"[bold]{escape(document['processor'])}[/]  {document['threads']} thread(s), of "
        f"{document['cores']} processors; measured in {duration(document['wall_s'])}"
    )
    console.print(
        f"Peak {count(document['peak_flop_s'])}FLOP/s in {document['precision']}, memory "
        f"{count(document['memory_byte_s'])}B/s of {size(document['memory_bytes'])}, "
        f"launch {duration(document['launch_overhead_s'])}"
    )
    _show_kinds(document, console)
    if document["models"]:
        _show_models(document, console)
    _show_messages(document, console)
    if document["power"] is None:
        console.print(
            "No meter of this system tells its draw: power is left out; "
            "tell it with --power idle=2.7W,busy=6.4W"
        )
    else:
        console.print(
            f"Draw {digits(document['power']['idle_w'])} W idle, "
            f"{digits(document['power']['busy_w'])} W busy"
        )


def _show_kinds(document: dict[str, Any], console: Console) -> None:
    from rich.markup import escape

    table = console_table(
        "operators", "", "error", "9 in 10", "not seen", "9 in 10", "efficiency", folds=False
    )
    efficiency = document["device"]["efficiency"][document["precision"]]
    for kind, row in (*document["kinds"].items(), ("all", document["all"])):
        table.add_row(
            kind,
            str(row["operators"]),
            *(percent(row[key]) for key in _ERRORS),
            digits(efficiency[kind]) if kind in efficiency else "",
        )
    console.print("[bold]Operators: time that the fitted roofline tells, against measured[/]")
    console.print(table)
    worst = "; ".join(
        f"{escape(one['operator'])} {duration(one['time_s'])} ({100 * one['error']:+.0f} %)"
        for one in document["worst"]
    )
    console.print(f"not seen: left out of the fit, a fifth at a time. Worst: {worst}", style="dim")


def _show_models(document: dict[str, Any], console: Console) -> None:
    table = console_table(
        "model", "batch", "runs", "mean", "p5", "p50", "p95", "roofline", "error", folds=False
    )
    for row in document["models"]:
        table.add_row(
            row["model"],
            str(row["batch"]),
            str(row["runs"]),
            *(duration(row[key]) for key in ("time_s", "p5_s", "p50_s", "p95_s", "roofline_s")),
            f"{100 * row['error']:+.1f} %",
        )
    console.print("[bold]Models on a node: the device takes the measured mean, not the roofline[/]")
    console.print(table)
    cooling = document["cooling"]
    console.print(
        f"mean: without idle periods. After one, a run takes up to {percent(cooling['share'])} "
        f"longer, two thirds of that after {duration(cooling['time_s'])}; p5 to p95: as measured, "
        "after 1 ms to 100 ms idle",
        style="dim",
    )


def _show_messages(document: dict[str, Any], console: Console) -> None:
    costs, fit = document["device"]["messaging"], document["messaging"]
    table = console_table(
        "messages", "a request", "a message", "a byte", "R²", "median error", folds=False
    )
    for side, cost in (("node", costs), ("coordinator", costs["asking"])):
        table.add_row(
            side,
            *(cost.get(key, "") for key in ("per_request", "per_message", "per_byte")),
            f"{fit[f'{side}_r2']:.3f}",
            percent(fit[f"{side}_error"]),
        )
    console.print("[bold]Messages: processor time, fitted to requests of several shapes[/]")
    console.print(table)
    left_s = fit["on_no_processor_s"]
    delay = (
        f"Message delay outside the processor: {costs['delay']}"
        if left_s > 0
        else f"No message delay outside the processor: both sides work {duration(-left_s)} of a "
        "request at the same time"
    )
    rest = fit["cooling"]
    console.print(
        f"{delay}; a message takes up to {digits(1.0 + rest['share'], 2)}x longer after an idle "
        f"period, two thirds of that after {duration(rest['time_s'])}",
        style="dim",
    )
