"""What ``edgesim devices`` prints: the catalog, or the figures, sources and errors of one."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgesim.calibrate.predict import predictions
from edgesim.common.tables import text_table
from edgesim.common.text import count, duration, joules, percent, size
from edgesim.hardware import Device, catalog
from edgesim.hardware.processor import Processor
from edgesim.scenario.named_files import find_device, names_file, read_mapping

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def every() -> dict[str, Any]:
    """Return one row for each device of the catalog."""
    rows = []
    for name in catalog.names():
        device, entry = catalog.device(name), catalog.entry(name)
        known = [abs(one.error) for one in predictions(name) if one.error is not None]
        rows.append(
            {
                "name": name,
                "description": entry.get("description", ""),
                "kind": device.kind,
                "peak_flop_s": dict(device.peak_flop_s) if isinstance(device, Processor) else {},
                "pace": device.pace,
                "memory_bytes": device.memory_capacity_bytes
                if isfinite(device.memory_capacity_bytes)
                else None,
                "idle_w": device.power.idle_w,
                "busy_w": device.power.busy_w,
                "published_rows": len(known),
                "median_error": median(known) if known else None,
            }
        )
    return {"devices": rows}


def one(name: str) -> dict[str, Any]:
    """Return a device's figures with their sources, and every published figure with a prediction.

    Args:
        name: of the catalog, or of a file such as ``edgesim profile`` writes.

    Raises:
        InputError: no device has this name, or the file describes none.
    """
    in_file = names_file(name)
    entry = read_mapping(Path(name)) if in_file else catalog.entry(name)
    device = find_device(name)
    rows = []
    for prediction in predictions(device if in_file else name):
        published = prediction.published
        rows.append(
            {
                "model": published.model,
                "precision": published.precision,
                "batch": published.batch,
                "runtime": published.runtime,
                "published_s": published.latency_s,
                "predicted_s": prediction.predicted_s,
                "error": prediction.error,
                "published_j": published.energy_j,
                "predicted_j": prediction.predicted_j,
                "fitted": published.fit,
                "note": published.note,
                "source": published.source,
            }
        )
    return {
        "name": name,
        "description": entry.get("description", ""),
        "figures": figures(entry, device),
        "published": rows,
    }


def figures(entry: Mapping[str, Any], device: Device) -> list[dict[str, Any]]:
    """Return every figure of a device's entry with its source, by key path.

    Args:
        entry: as the catalog or a file has it.
        device: that was made of it.
    """
    sources = dict(entry.get("source", {}))
    found = []
    for path, value in _leaves({key: entry[key] for key in entry if key not in _NOT_FIGURES}):
        source = next((sources[key] for key in _prefixes(path) if key in sources), "")
        found.append({"figure": path, "value": value, "source": source})
    found += [
        {"figure": path, "value": value, "source": source}
        for path, value, source in device.figures()
    ]
    return found


_NOT_FIGURES = ("kind", "description", "source", "published")


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [
            leaf
            for key, inside in value.items()
            for leaf in _leaves(inside, f"{path}.{key}" if path else str(key))
        ]
    return [(path, value)]


def _prefixes(path: str) -> list[str]:
    """Return a key path and the paths around it, the nearest first."""
    keys = path.split(".")
    return [".".join(keys[:length]) for length in range(len(keys), 0, -1)]


def show(document: dict[str, Any], console: Console) -> None:
    """Print what `every` or `one` returned."""
    if "devices" in document:
        _show_every(document, console)
    else:
        _show_one(document, console)


def _show_every(document: dict[str, Any], console: Console) -> None:
    for first, heading in (("processor", "fp32 FLOP/s"), ("accelerator", "light")):
        rows = [
            row
            for row in document["devices"]
            if (row["kind"] == "processor") is (first == "processor")
        ]
        if not rows:
            continue
        table = text_table(first, heading, "memory", "idle", "busy", "rows", "error", folds=False)
        for row in rows:
            peak, memory = row["peak_flop_s"].get("fp32"), row["memory_bytes"]
            error = row["median_error"]
            table.add_row(
                row["name"], row["pace"] if peak is None else count(peak),
                "" if memory is None else size(memory),
                _watts(row["idle_w"]), _watts(row["busy_w"]), str(row["published_rows"]),
                "" if error is None else percent(error),
            )  # fmt: skip
        console.print(table)
    console.print(
        "rows: published times that the model predicts, most of which it was fitted to; "
        "`python -m edgesim.calibrate` tells the error on models that it was not fitted to. "
        "One MAC is two FLOP.",
        style="dim",
    )


def _watts(value: float) -> str:
    """Return three digits at most: 8 W, 191 W, 0.792 W."""
    return f"{float(f'{value:.3g}'):g} W"


def _show_one(document: dict[str, Any], console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    # Sources are numbers in the tables; each is listed once below them.
    numbers: dict[str, str] = {"": ""}
    console.print(f"[bold]{document['name']}[/]  {escape(document['description'])}")
    table = Table(box=None)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("source", justify="right", no_wrap=True)
    for one in document["figures"]:
        source = numbers.setdefault(one["source"], str(len(numbers)))
        table.add_row(one["figure"], figure_text(one["figure"], one["value"]), source)
    console.print(table)
    if document["published"]:
        console.print(_predictions(document, numbers))
        known = [abs(row["error"]) for row in document["published"] if row["error"] is not None]
        if known:
            console.print(
                f"Median error {percent(median(known))} of {len(known)} times; * was not fitted to."
            )
    else:
        console.print("No published latency or throughput of this device is known.")
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for source, number in numbers.items():
        if source:
            table.add_row(number, escape(source))
    console.print("[bold]Sources[/]")
    console.print(table)


def _predictions(document: dict[str, Any], numbers: dict[str, str]) -> Table:
    energies = any(row["published_j"] is not None for row in document["published"])
    columns = ("published", "predicted", "error")
    table = text_table(
        "model", "precision", "batch", *columns, *(columns if energies else ()), "source",
        title=f"Published and predicted time{' and energy' if energies else ''} of a batch",
    )  # fmt: skip
    table.columns[1].justify = "left"
    for row in document["published"]:
        source = "; ".join(one for one in (row["runtime"], row["source"], row["note"]) if one)
        cells = [
            row["model"] if row["fitted"] else f"{row['model']} *",
            row["precision"], str(row["batch"]), duration(row["published_s"]),
            "no builder" if row["error"] is None else duration(row["predicted_s"]),
            _error(row["error"]),
        ]  # fmt: skip
        if energies:
            published, predicted = row["published_j"], row["predicted_j"]
            known = published is not None and predicted is not None
            cells += ["" if one is None else joules(one) for one in (published, predicted)]
            cells.append(_error(predicted / published - 1.0 if known else None))
        table.add_row(*cells, numbers.setdefault(source, str(len(numbers))))
    return table


def _error(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def figure_text(path: str, value: Any) -> str:
    """Return a figure of an entry as text."""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, float) and path == "memory.bandwidth":
        return f"{value / 1e9:.3g} GB/s"
    if isinstance(value, float) and path == "launch_overhead":
        return duration(value)
    return str(value)
