"""What ``edgesim devices`` prints: the catalog, or the figures, sources and errors of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.calibrate.outside import is_outside
from edgesim.calibrate.predict import predictions
from edgesim.common.text import count, duration, joules, percent, size
from edgesim.hardware import Device, catalog
from edgesim.hardware.processor import Processor
from edgesim.report.table import Cell, Row, Table
from edgesim.scenario.named_files import find_device, names_file, read_mapping

if TYPE_CHECKING:
    from rich.console import Console


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
    clock_hz = None if in_file else catalog.clock_hz(name)
    for prediction in predictions(device):
        published = prediction.published
        rows.append(
            {
                "model": published.model,
                "precision": published.precision,
                "image_size": prediction.image_size,
                "batch": published.batch,
                "runtime": published.runtime,
                "clock_hz": None if clock_hz is None else clock_hz * published.clock_ratio,
                "published_s": published.latency_s,
                "predicted_s": prediction.predicted_s,
                "missing": prediction.missing,
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
    written = {key: entry[key] for key in entry if key not in _NOT_FIGURES}
    leaves = _leaves(written, dict(entry.get("source", {})))
    return [
        {"figure": path, "value": value, "source": source}
        for path, value, source in (*leaves, *device.figures())
    ]


_NOT_FIGURES = ("kind", "description", "source", "published")


def _leaves(
    value: Any, sources: Mapping[str, str], path: str = "", source: str = ""
) -> Iterator[tuple[str, Any, str]]:
    """Yield key path, value and source of every figure; a source is of all below its key."""
    source = sources.get(path, source)
    if not isinstance(value, dict):
        yield path, value, source
        return
    if path.startswith("runtimes.") and path.count(".") == 3:
        # The factors of one precision belong together.
        yield path, ", ".join(f"{key} {one:g}" for key, one in value.items()), source
        return
    for key, inside in value.items():
        yield from _leaves(inside, sources, f"{path}.{key}" if path else str(key), source)


def show(document: dict[str, Any], console: Console) -> None:
    """Print what `every` or `one` returned."""
    if "devices" in document:
        for table in _catalog(document["devices"]):
            table.show(console)
        return
    # Sources are numbers in the tables; each is listed once below them.
    numbers: dict[str, str] = {"": ""}
    console.print(f"[bold]{escape(document['name'])}[/]  {escape(document['description'])}")
    lines = []
    for one in document["figures"]:
        source = numbers.setdefault(one["source"], str(len(numbers)))
        lines.append([one["figure"], figure_text(one["figure"], one["value"]), source])
    Table("", ["figure", "value", "source"], lines, left=range(2)).show(console)
    if document["published"]:
        _predictions(document["published"], numbers).show(console)
    else:
        console.print("No published latency or throughput of this device is known.")
    wide = len(str(len(numbers) - 1))
    lines = [[number.rjust(wide), source] for source, number in numbers.items() if source]
    Table("Sources", ["", ""], lines, left=range(2)).show(console)


def _catalog(devices: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    for first, heading in (("processor", "fp32 FLOP/s"), ("accelerator", "light")):
        lines = []
        for row in devices:
            if (row["kind"] == "processor") is not (first == "processor"):
                continue
            peak, memory = row["peak_flop_s"].get("fp32"), row["memory_bytes"]
            error = row["median_error"]
            lines.append([
                row["name"], row["pace"] if peak is None else count(peak),
                "" if memory is None else size(memory),
                _watts(row["idle_w"]), _watts(row["busy_w"]), str(row["published_rows"]),
                "" if error is None else percent(error),
            ])  # fmt: skip
        notes = [] if first == "processor" else [_ROWS]
        yield Table(
            "", [first, heading, "memory", "idle", "busy", "rows", "error"], lines, notes=notes
        )


_ROWS = (
    "rows: published times that the model predicts, most of which it was fitted to; "
    "`python -m edgesim.calibrate` tells the error on models that it was not fitted to. "
    "One MAC is two FLOP."
)


def _watts(value: float) -> str:
    """Return three digits at most: 8 W, 191 W, 0.792 W."""
    return f"{float(f'{value:.3g}'):g} W"


def _predictions(published: Sequence[Mapping[str, Any]], numbers: dict[str, str]) -> Table:
    energies = any(row["published_j"] is not None for row in published)
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in published:
        groups.setdefault(_conditions(row), []).append(row)
    lines: list[Row | list[Cell]] = []
    for conditions, rows in groups.items():
        lines.append(Row((conditions,), strong=True))
        lines += [_prediction(row, energies, numbers) for row in rows]
    known = [abs(row["error"]) for row in published if row["error"] is not None]
    note = f"Median error {percent(median(known))} of {len(known)} times; * was not fitted to."
    if any(_mark(row) == " †" for row in published):
        note += " † counts little in the fit: far from what the other times say."
    columns = ["published", "predicted", "error"] * (2 if energies else 1)
    return Table(
        f"Published and predicted time{' and energy' if energies else ''} of a batch, by runtime",
        ["model", "image", "batch", *columns, "source"],
        lines,
        notes=[note] if known else [],
        left=range(1),
    )


def _conditions(row: Mapping[str, Any]) -> str:
    """Return what a row was measured with: ``ncnn, fp32, 1.8 GHz``."""
    clock = "" if row["clock_hz"] is None else f"{row['clock_hz'] / 1e9:.3g} GHz"
    return ", ".join(one for one in (row["runtime"], row["precision"], clock) if one)


def _prediction(row: Mapping[str, Any], energies: bool, numbers: dict[str, str]) -> list[Cell]:
    """Return the cells of a published time; sources that are new get numbers."""
    source = "; ".join(one for one in (row["source"], row["note"]) if one)
    cells: list[Cell] = [
        row["model"] + _mark(row),
        "" if row["image_size"] is None else str(row["image_size"]),
        str(row["batch"]), duration(row["published_s"]),
        row["missing"] if row["error"] is None else duration(row["predicted_s"]),
        _error(row["error"]),
    ]  # fmt: skip
    if energies:
        told, predicted = row["published_j"], row["predicted_j"]
        both = told is not None and predicted is not None
        cells += ["" if one is None else joules(one) for one in (told, predicted)]
        cells.append(_error(predicted / told - 1.0 if both else None))
    return [*cells, numbers.setdefault(source, str(len(numbers)))]


def _mark(row: Mapping[str, Any]) -> str:
    """Return the mark of a row that the fit does not see, or that counts little in it."""
    if not row["fitted"]:
        return " *"
    return " †" if row["error"] is not None and is_outside(row["error"]) else ""


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
