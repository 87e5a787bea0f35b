"""A model on a photonic crossbar: a table of its operators, and one product told in full."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError, nearest
from edgesim.common.text import duration, joules, percent
from edgesim.graph import Graph
from edgesim.hardware.crossbar import Layer, PhotonicCrossbar
from edgesim.report.optical_layers import joules_each

if TYPE_CHECKING:
    from rich.console import Console

_EVENTS = {
    "shots": "blocks, each by one core in one cycle",
    "cycles": "of the clock, all cores at work",
    "modulations": "elements encoded in light",
    "detections": "partial dot products on detectors",
    "readouts": "partial sums converted and added",
    "staged": "elements from the global buffer to local ones",
    "results": "elements written, and read where sums take several loads",
    "weights": "elements from memory",
}


def model(
    device: PhotonicCrossbar, graph: Graph, batch: int, precision: str | None = None
) -> dict[str, Any]:
    """Return what every operator of a model takes on a crossbar, and their sums.

    Raises:
        InputError: the device does not run the model.
    """
    chosen = precision or device.precisions()[0]
    cost = device.graph_cost(graph, chosen, batch)
    layers = device.layers(graph, chosen, batch)
    products = [layer for layer in layers if layer.counts is not None]
    cycles = sum(layer.counts.cycles for layer in products if layer.counts is not None)
    return {
        "device": device.name,
        "model": graph.name,
        "batch": batch,
        "precision": chosen,
        "layers": [_row(device, layer) for layer in layers],
        "cycles": cycles,
        "use": _use(device, graph.macs * batch, cost.time_s),
        "time_s": cost.time_s,
        "products_s": math.fsum(layer.time_s for layer in products),
        "energy_j": cost.power_w * cost.time_s,
        "energy_by_part_j": dict(cost.by_part_j),
        "joules_per_mac": cost.power_w * cost.time_s / (graph.macs * batch) if graph.macs else None,
    }


def layer(
    device: PhotonicCrossbar,
    graph: Graph,
    operator: str,
    batch: int,
    precision: str | None = None,
) -> dict[str, Any]:
    """Return how a crossbar multiplies one layer's matrices.

    Raises:
        InputError: there is no such operator, or it is no product.
    """
    chosen = precision or device.precisions()[0]
    found = {one.name: one for one in device.layers(graph, chosen, batch) if one.product}
    if operator not in found:
        there = any(op.name == operator for op in graph)
        what = "is no matrix product" if there else "is no operator"
        raise InputError(f"'{operator}' {what} of {graph.name}{nearest(operator, list(found))}")
    one = found[operator]
    assert one.counts is not None
    macs = _macs(one)
    return {
        "device": device.name,
        "model": graph.name,
        "layer": operator,
        "batch": batch,
        "precision": chosen,
        **_row(device, one),
        "macs": macs,
        "events": {event: getattr(one.counts, event) for event in _EVENTS},
        "energy_by_part_j": dict(one.by_part_j),
        "joules_per_mac": math.fsum(one.by_part_j.values()) / macs,
    }


def _row(device: PhotonicCrossbar, layer: Layer) -> dict[str, Any]:
    of = layer.product
    return {
        "operator": layer.name,
        "kind": None if layer.kind is None else layer.kind.value,
        "product": None if of is None else [of.rows, of.inner, of.columns, of.count],
        "cycles": 0 if layer.counts is None else layer.counts.cycles,
        "use": None if of is None else _use(device, _macs(layer), layer.time_s),
        "limit": layer.bound,
        "time_s": layer.time_s,
        "energy_j": math.fsum(layer.by_part_j.values()),
    }


def _macs(layer: Layer) -> int:
    of = layer.product
    return 0 if of is None else of.rows * of.inner * of.columns * of.count


def _use(device: PhotonicCrossbar, macs: int, time_s: float) -> float:
    """Return the share of the cells' work in a time that was asked for."""
    return macs / (time_s * device.array.mac_s) if time_s else 0.0


def show(document: dict[str, Any], console: Console) -> None:
    """Print what `model` or `layer` returned."""
    if "layers" in document:
        _show_model(document, console)
    else:
        _show_layer(document, console)


def _shape(product: list[int]) -> str:
    rows, inner, columns, times = product
    many = f"{times} × " if times > 1 else ""
    return f"{many}({rows}, {inner}) @ ({inner}, {columns})"


def _show_model(document: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    console.print(
        f"[bold]{document['model']}[/] on [bold]{document['device']}[/], batch "
        f"{document['batch']:,}, {document['precision']}"
    )
    table = Table(box=None, padding=(0, 1))
    table.add_column("layer", overflow="fold")
    table.add_column("product", no_wrap=True)
    for heading in ("cycles", "use", "time", "limit", "energy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for multiplied, run in groupby(document["layers"], lambda row: row["product"] is not None):
        rows = list(run)
        if not multiplied:
            more = f"and {len(rows) - 1} more" if len(rows) > 1 else ""
            time_s, energy_j = (
                math.fsum(row[key] for row in rows) for key in ("time_s", "energy_j")
            )
            cells = [rows[0]["operator"], more, "", "", duration(time_s), rows[0]["limit"]]
            table.add_row(*cells, joules(energy_j), style="dim")
            continue
        for row in rows:
            table.add_row(
                row["operator"], _shape(row["product"]), f"{row['cycles']:,}", percent(row["use"]),
                duration(row["time_s"]), row["limit"], joules(row["energy_j"]),
            )  # fmt: skip
    table.add_row(
        "all", "", f"{document['cycles']:,}", percent(document["use"]),
        duration(document["time_s"]), "", joules(document["energy_j"]), style="bold",
    )  # fmt: skip
    console.print(table)
    time_s, batch = document["time_s"], document["batch"]
    share = percent(document["products_s"] / time_s) if time_s else "nothing"
    console.print(f"[bold]Time[/] {duration(time_s / batch)} a sample, {share} of it in products")
    _show_energy(document, console)


def _show_energy(document: dict[str, Any], console: Console) -> None:
    total = math.fsum(document["energy_by_part_j"].values())
    parts = sorted(document["energy_by_part_j"].items(), key=lambda one: -one[1])
    told = ", ".join(
        f"{part} {joules(value)} ({percent(value / total)})" for part, value in parts if value
    )
    console.print(
        f"[bold]Energy[/] {joules(total / document['batch'])} a sample; of all: {told or 'nothing'}"
    )
    if document["joules_per_mac"] is not None:
        console.print(f"{joules_each(document['joules_per_mac'])} a multiply-accumulate")


def _show_layer(document: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    console.print(
        f"[bold]{document['layer']}[/] of [bold]{document['model']}[/] on "
        f"[bold]{document['device']}[/], batch {document['batch']:,}, {document['precision']}"
    )
    console.print(
        f"{_shape(document['product'])}: {document['macs']:,} multiply-accumulates in "
        f"{duration(document['time_s'])}, bound by the {document['limit']}; "
        f"{percent(document['use'])} of the cells' work is asked for"
    )
    table = Table(box=None, padding=(0, 1))
    table.add_column("events", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for event, what in _EVENTS.items():
        table.add_row(event, f"{document['events'][event]:,.0f}", what)
    console.print(table)
    _show_energy(document, console)
    console.print("Rings, which draw power at all times, are not in it.", style="dim")
