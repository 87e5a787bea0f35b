"""A model on a 4f accelerator: a table of its layers, and one layer told in full."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError, nearest
from edgesim.common.files import write_text
from edgesim.common.text import digits, duration, joules, percent, size
from edgesim.graph import Graph, zoo
from edgesim.hardware import catalog
from edgesim.hardware.optical_4f import Layer, Optical4F
from edgesim.report import optical_planes
from optics.tiling import ConvShape, Layout
from optics.timing import LightBudget

if TYPE_CHECKING:
    from rich.console import Console

_DETAIL = ("light", "input", "filter", "camera", "link out", "link in", "host")
_STAGES = {
    "light": "settling and exposure",
    "input": "patterns of images",
    "filter": "patterns of kernels",
    "camera": "frames",
    "link out": "patterns, from the host",
    "link in": "frames, to the host",
    "host": "makes patterns and numbers",
}


def accelerator(name: str) -> Optical4F:
    """Return a 4f accelerator of the catalog.

    Raises:
        InputError: there is no such device, or it is of another kind.
    """
    device = catalog.device(name)
    if not isinstance(device, Optical4F):
        known = [*catalog.names("optical-4f"), *catalog.names("photonic-crossbar")]
        raise InputError(
            f"'{name}' is of kind {device.kind}; layers are told of 4f accelerators "
            f"and crossbars, such as {', '.join(known)}"
        )
    return device


def model(name: str, graph: Graph, batch: int, precision: str | None = None) -> dict[str, Any]:
    """Return what every layer of a model takes on an accelerator, and their sums.

    Raises:
        InputError: the device is none, or does not run the model.
    """
    device = accelerator(name)
    chosen = precision or device.precisions()[0]
    layers = device.layers(graph, chosen, batch)
    cost = device.graph_cost(graph, chosen, batch)
    lit = [layer.light for layer in layers if layer.light is not None]
    return {
        "device": name,
        "model": graph.name,
        "batch": batch,
        "precision": chosen,
        "layers": [_row(layer) for layer in layers],
        "frames": sum(timing.exposures for timing in lit),
        "time_s": cost.time_s,
        "light_s": math.fsum(layer.time_s for layer in layers if layer.light is not None),
        "host_s": math.fsum(layer.time_s for layer in layers if layer.light is None),
        "energy_j": cost.power_w * cost.time_s,
        "energy_by_part_j": dict(cost.by_part_j),
        "bytes": sum(t.traffic.out_bytes + t.traffic.in_bytes for t in lit),
    }


def _row(layer: Layer) -> dict[str, Any]:
    timing = layer.light
    return {
        "operators": list(layer.names),
        "where": "host" if timing is None else "light",
        "shape": "" if timing is None else written(timing.layout.shape),
        "frames": 0 if timing is None else timing.exposures,
        "time_s": layer.time_s,
        "limit": "" if timing is None else timing.bottleneck,
        "energy_j": math.fsum(layer.by_part_j.values()),
    }


def written(shape: ConvShape) -> str:
    """Return a convolution in a few words, without its batch."""
    (rows, columns), (down, right) = shape.kernel, shape.size
    groups = f" /{shape.groups}" if shape.groups > 1 else ""
    return f"{shape.in_channels}→{shape.out_channels} {rows}×{columns} on {down}×{right}{groups}"


def layer(
    name: str, graph: Graph, operator: str, batch: int, precision: str | None = None
) -> dict[str, Any]:
    """Return how an accelerator runs one layer.

    Raises:
        InputError: there is no such operator, it does not run on light, or it does not fit.
    """
    device = accelerator(name)
    known = [op.name for op in graph if op.kind in device.kinds]
    if operator not in known:
        there = any(op.name == operator for op in graph)
        what = "is no layer on light" if there else "is no operator"
        raise InputError(f"'{operator}' {what} of {graph.name}{nearest(operator, known)}")
    chosen = precision or device.precisions()[0]
    timing = device.timing(graph[operator], chosen, batch)
    energy = device.energy(timing, chosen)
    layout, shape = timing.layout, timing.layout.shape
    counts, rounds = layout.counts, layout.rounds
    budget = LightBudget.of(device.system)
    return {
        "device": name,
        "model": graph.name,
        "layer": operator,
        "batch": batch,
        "precision": chosen,
        "shape": written(shape),
        "images": shape.batch,
        "macs": shape.macs,
        "plane": list(layout.plane),
        "tile": list(shape.full),
        "side_by_side": dict(zip(_KINDS, counts, strict=True)),
        "rounds": dict(zip(_KINDS, rounds, strict=True)),
        "passes": layout.passes,
        "frames": timing.exposures,
        "use": layout.use,
        "input_patterns": timing.order.input_loads,
        "filter_patterns": timing.order.filter_loads,
        "out_bytes": timing.traffic.out_bytes,
        "in_bytes": timing.traffic.in_bytes,
        "host_flop": timing.traffic.host_flop,
        "alone_s": {stage: timing.limits_s[stage] for stage in _DETAIL},
        "limit": timing.bottleneck,
        "time_s": timing.total_s,
        "energy_j": math.fsum(energy.values()),
        "energy_by_part_j": dict(energy),
        "joules_per_mac": math.fsum(energy.values()) / shape.macs,
        "light": {
            "share": device.light,
            "brightest_electrons": budget.electrons * device.light,
            "full_well_electrons": _finite(device.system.camera.full_well_e),
        },
    }


_KINDS = ("groups", "channels", "images", "kernels")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to show of a model, or of one layer.

    Attributes:
        document: plain data.
        layout: of the layer, for pictures; None for a whole model.
    """

    document: dict[str, Any]
    layout: Layout | None = None


def explain(
    name: str | None,
    model_name: str | None,
    operator: str | None,
    *,
    batch: int = 1,
    classes: int = 1000,
    precision: str | None = None,
    out: Path | None = None,
) -> Told:
    """Return what a model of the catalog, or one layer of it, takes; draw the layer to ``out``.

    Raises:
        InputError: what is needed was not named, or is not there; or the model does not run.
    """
    if name is None or model_name is None:
        raise InputError(
            "layers are of a model on a device: name both, as in "
            "`edgesim devices 4f-dmd-dlp7000 --model resnet18 --layer layer1.0.conv1`"
        )
    if operator is None and out is not None:
        raise InputError("pictures are of one layer: name it with --layer")
    if out is not None and out.suffix.lower() != ".svg":
        raise InputError(f"{out}: pictures of layers are SVG; name a file that ends in .svg")
    graph = zoo.build(model_name, classes=classes)
    if operator is None:
        return Told(model(name, graph, batch, precision))
    document = layer(name, graph, operator, batch, precision)
    device = accelerator(name)
    layout = device.timing(graph[operator], document["precision"], batch).layout
    if out is not None:
        title = f"{operator} of {model_name} on {name}: one frame"
        write_text(out, optical_planes.svg(layout, title))
    return Told(document, layout)


def show(told: Told, console: Console) -> None:
    """Print what `explain` returned."""
    if told.layout is None:
        _show_model(told.document, console)
    else:
        _show_layer(told.document, console, told.layout)


def _show_model(document: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    console.print(
        f"[bold]{document['model']}[/] on [bold]{document['device']}[/], batch "
        f"{document['batch']:,}, {document['precision']} on the host"
    )
    table = Table(box=None, padding=(0, 1))
    table.add_column("layer", overflow="fold")
    table.add_column("as a convolution", no_wrap=True)
    for heading in ("frames", "time", "limit", "energy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in document["layers"]:
        names = row["operators"]
        if row["where"] == "host":
            more = f"and {len(names) - 1} more" if len(names) > 1 else ""
            cells = [names[0], more, "", duration(row["time_s"]), "host"]
            table.add_row(*cells, joules(row["energy_j"]), style="dim")
            continue
        table.add_row(
            names[0], row["shape"], f"{row['frames']:,}", duration(row["time_s"]), row["limit"],
            joules(row["energy_j"]),
        )  # fmt: skip
    table.add_row(
        "all", "", f"{document['frames']:,}", duration(document["time_s"]), "",
        joules(document["energy_j"]), style="bold",
    )  # fmt: skip
    console.print(table)
    time_s, batch = document["time_s"], document["batch"]
    console.print(
        f"[bold]Time[/] {duration(time_s / batch)} an image: "
        f"{_share(document['light_s'], time_s)} in layers on light, "
        f"{_share(document['host_s'], time_s)} on the host between them; "
        f"{size(document['bytes'])} over the link"
    )
    _show_energy(document, console)


def _share(value: float, whole: float) -> str:
    return percent(value / whole) if whole else "nothing"


def _show_energy(document: dict[str, Any], console: Console) -> None:
    total = document["energy_j"]
    parts = sorted(document["energy_by_part_j"].items(), key=lambda one: -one[1])
    told = ", ".join(
        f"{part} {joules(value)} ({_share(value, total)})" for part, value in parts if value
    )
    each = f"{joules(total / document['batch'])} an image"
    console.print(f"[bold]Energy[/] {each}; of all: {told or 'nothing'}")


def _show_layer(document: dict[str, Any], console: Console, layout: Layout) -> None:
    from rich.table import Table

    console.print(
        f"[bold]{document['layer']}[/] of [bold]{document['model']}[/] on "
        f"[bold]{document['device']}[/], batch {document['batch']:,}"
    )
    for line in _facts(document):
        console.print(line)
    console.print()
    for line in optical_planes.text(layout, min(100, console.width)):
        console.print(line, markup=False, highlight=False)
    console.print("One frame, upright; the darker, the more of it is covered.", style="dim")
    console.print()
    table = Table(box=None, padding=(0, 1), title="Time by stage, each alone",
                  title_justify="left", title_style="bold")  # fmt: skip
    table.add_column("stage", no_wrap=True)
    table.add_column("what", overflow="fold")
    for heading in ("time", "of the whole"):
        table.add_column(heading, justify="right", no_wrap=True)
    alone = sorted(document["alone_s"].items(), key=lambda one: -one[1])
    for stage, value in alone:
        if value:
            style = "bold" if stage == document["limit"] else None
            share = _share(value, document["time_s"])
            table.add_row(stage, _STAGES[stage], duration(value), share, style=style)
    table.add_row("all", "with what overlaps", duration(document["time_s"]), "")
    console.print(table)
    _show_energy(document, console)
    console.print(
        f"{document['macs']:,} multiply-accumulates, {joules_each(document['joules_per_mac'])} each"
    )


def joules_each(value: float) -> str:
    """Return an energy down to femtojoules."""
    for factor, unit in ((1e-9, "nJ"), (1e-12, "pJ")):
        if value >= factor:
            return f"{digits(value / factor)} {unit}" if value < 1e-6 else joules(value)
    return f"{digits(value / 1e-15)} fJ"


def _facts(document: dict[str, Any]) -> list[str]:
    rows, columns = document["plane"]
    (down, right), side, rounds = document["tile"], document["side_by_side"], document["rounds"]
    together = [f"{count} {_noun(kind, count)}" for kind, count in side.items() if count > 1]
    times = [
        f"{count:,} of {kind}" for kind, count in rounds.items() if count > 1
    ] or ["1"]  # fmt: skip
    well = document["light"]["full_well_electrons"]
    filled = "no limit" if well is None else f"{well:,.0f} in a full well"
    return [
        f"{document['shape']}: {document['images']:,} images on a plane of {rows}×{columns} "
        f"pixels, in tiles of {down}×{right}",
        f"Side by side: {', '.join(together) or 'nothing'}. Rounds: {' × '.join(times)}, "
        f"× {document['passes']} passes = {document['frames']:,} frames; images cover "
        f"{percent(document['use'])} of the plane",
        f"{document['input_patterns']:,} patterns of the input and "
        f"{document['filter_patterns']:,} of the filter; {size(document['out_bytes'])} out, "
        f"{size(document['in_bytes'])} in",
        f"{percent(document['light']['share'])} of the light of a clear filter; "
        f"{document['light']['brightest_electrons']:,.0f} electrons in the brightest pixel, "
        f"{filled}",
    ]


def _noun(kind: str, count: int) -> str:
    return kind if count > 1 else kind.removesuffix("s")
