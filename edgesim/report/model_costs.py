"""What ``edgesim models --on DEVICE`` prints: what every model of the catalog takes on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesim.common.errors import InputError
from edgesim.common.files import write_text
from edgesim.common.tables import csv_cell
from edgesim.common.text import count, duration, joules
from edgesim.graph import zoo
from edgesim.report.table import Row, Table
from edgesim.scenario.named_files import find_device
from edgesim.sweep.table import non_dominated

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

COLUMNS = (
    "name", "top1", "weights", "macs", "params", "time_s", "per_s", "energy_j", "fits", "pareto",
)  # fmt: skip
"""Columns of the CSV file, and keys of a model in the document."""


def on_device(name: str, *, precision: str | None = None, batch: int = 1) -> dict[str, Any]:
    """Return one row for each model of the catalog: the fastest first.

    Time and energy are of one sample of a batch. A model is on the Pareto front if its accuracy is
    published, it fits, and no other such model has less time, less energy and more accuracy (or
    the same in some of these).

    Args:
        name: of the device, or of its file.
        precision: number format; the first of the device unless given.
        batch: samples at once.

    Raises:
        InputError: there is no such device, or it does not compute in ``precision``.
    """
    device = find_device(name)
    chosen = precision or device.precisions()[0]
    rows: list[dict[str, Any]] = []
    for model in zoo.names():
        graph, info = zoo.build(model), zoo.info(model)
        cost = device.graph_cost(graph, chosen, batch)
        energy_j = cost.power_w * cost.time_s / batch
        rows.append(
            {
                "name": model,
                "top1": info.top1,
                "weights": info.weights,
                "macs": graph.macs,
                "params": graph.params,
                "time_s": cost.time_s / batch,
                "per_s": batch / cost.time_s,
                "energy_j": energy_j or None,
                "fits": graph.memory_bytes(chosen, batch) <= device.memory_capacity_bytes,
            }
        )
    rows.sort(key=lambda row: row["time_s"])
    for row, best in zip(rows, _front(rows), strict=True):
        row["pareto"] = bool(best)
    return {
        "device": name,
        "precision": chosen,
        "batch": batch,
        "top1_source": zoo.TOP1_SOURCE,
        "models": rows,
    }


def _front(rows: Sequence[dict[str, Any]]) -> list[bool]:
    """Return which rows are on the Pareto front of time, energy and accuracy."""
    known = [index for index, row in enumerate(rows) if row["top1"] is not None and row["fits"]]
    costs = np.array(
        [[rows[i]["time_s"], rows[i]["energy_j"] or 0.0, -rows[i]["top1"]] for i in known]
    )
    found = [False] * len(rows)
    if known:
        for index, best in zip(known, non_dominated(costs), strict=True):
            found[index] = bool(best)
    return found


def to_csv(document: dict[str, Any]) -> str:
    """Return the rows of `on_device` as CSV; empty where something is not known."""
    lines = [",".join(COLUMNS)]
    lines += [
        ",".join("" if row[key] is None else csv_cell(str(row[key])) for key in COLUMNS)
        for row in document["models"]
    ]
    return "\n".join(lines) + "\n"


def write(document: dict[str, Any], path: Path) -> Path:
    """Write the rows of `on_device` to a CSV file; return its path."""
    write_text(path, to_csv(document))
    return path


def out_file(path: Path) -> Path:
    """Return the path of a CSV file.

    Raises:
        InputError: it is named otherwise.
    """
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path}: the table is CSV; name a file that ends in .csv")
    return path


def show(document: dict[str, Any], console: Console) -> None:
    """Print what `on_device` returned."""
    lines = [
        Row(
            [
                f"{'*' if row['pareto'] else ' '} {row['name']}",
                "" if row["top1"] is None else f"{row['top1']:.1f} %",
                count(row["macs"]),
                duration(row["time_s"]) if row["fits"] else "no room",
                f"{count(row['per_s'])}/s" if row["fits"] else "",
                "" if row["energy_j"] is None or not row["fits"] else joules(row["energy_j"]),
            ],
            strong=row["pareto"],
        )
        for row in document["models"]
    ]
    many = f", batch {document['batch']:,}" if document["batch"] > 1 else ""
    notes = [
        "Time and energy of one image. *: on the Pareto front, no other model here is as accurate "
        "in as little time and energy.",
        "Top-1 on ImageNet-1k of the best weights at the model's image size (their names: --out, "
        f"--json): {document['top1_source']}.",
    ]
    title = f"Models on {document['device']}, {document['precision']}{many}"
    head = ["  model", "top-1", "MAC", "time", "rate", "energy"]
    Table(title, head, lines, notes=notes).show(console)
