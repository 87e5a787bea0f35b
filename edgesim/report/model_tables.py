"""What ``edgesim models`` prints: the catalog of models, and the operators of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgesim.common.tables import text_table
from edgesim.common.text import count, size
from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, Op, zoo

if TYPE_CHECKING:
    from rich.console import Console

NOTE = "One multiply-accumulate (MAC) is two operations (FLOP). Bytes are of one sample at fp32."


def every(classes: int) -> dict[str, Any]:
    """Return one row for each model of the catalog, with ``classes`` outputs."""
    rows = []
    for name in zoo.names():
        graph = zoo.build(name, classes=classes)
        rows.append({"name": name, **_totals(graph)})
    return {"classes": classes, "models": rows}


def one(name: str, classes: int) -> dict[str, Any]:
    """Return the totals and the operators of one model.

    Raises:
        InputError: no model has this name.
    """
    graph = zoo.build(name, classes=classes)
    return {
        "name": name,
        "classes": classes,
        "input_shape": list(graph.input_shape),
        **_totals(graph),
        "operators": [_operator(op) for op in graph],
    }


def _totals(graph: Graph) -> dict[str, Any]:
    return {
        "params": graph.params,
        "weight_bytes": graph.weight_bytes("fp32"),
        "macs": graph.macs,
        "flop": graph.flop,
        "peak_activation_bytes": 4.0 * graph.peak_activation_elements,
    }


def _operator(op: Op) -> dict[str, Any]:
    return {
        "name": op.name,
        "kind": op.kind.value,
        "shape": shape(op),
        "macs": op.macs,
        "params": op.params,
        "weight_bytes": op.weight_bytes("fp32"),
        "input_bytes": op.input_bytes("fp32"),
        "output_bytes": op.output_bytes("fp32"),
    }


def shape(op: Op) -> str:
    """Return the geometry of an operator as text; empty where it has none."""
    match op.geometry:
        case ConvGeometry() as conv:
            height, width = conv.kernel
            groups = f" /{conv.groups} groups" if conv.groups > 1 else ""
            times = f"{conv.images} × " if conv.images > 1 else ""
            return (
                f"{times}{conv.in_channels}→{conv.out_channels} {height}×{width} "
                f"on {conv.in_size[0]}×{conv.in_size[1]}{groups}"
            )
        case MatmulGeometry() as product:
            text = f"{product.rows}×{product.inner} @ {product.inner}×{product.columns}"
            return f"{product.count} of {text}" if product.count > 1 else text
        case _:
            return ""


def show(document: dict[str, Any], console: Console) -> None:
    """Print what `every` or `one` returned."""
    if "models" in document:
        _show_every(document, console)
    else:
        _show_one(document, console)


def _show_every(document: dict[str, Any], console: Console) -> None:
    headings = ("model", "parameters", "weights", "MAC", "FLOP")
    table = text_table(*headings, title=f"Models, {document['classes']} classes", folds=False)
    for row in document["models"]:
        weights = size(row["weight_bytes"])
        table.add_row(
            row["name"], count(row["params"]), weights, count(row["macs"]), count(row["flop"])
        )
    console.print(table)
    console.print(NOTE, style="dim")


def _show_one(document: dict[str, Any], console: Console) -> None:
    shape_ = "×".join(str(edge) for edge in document["input_shape"])
    console.print(
        f"[bold]{document['name']}[/]  input {shape_}, {document['classes']} classes: "
        f"{count(document['params'])} parameters ({size(document['weight_bytes'])}), "
        f"{count(document['macs'])} MAC = {count(document['flop'])} FLOP, "
        f"peak activations {size(document['peak_activation_bytes'])}"
    )
    wide = console.width >= 110
    words = ["operator", "kind", *(["shape"] if wide else [])]
    table = text_table(*words, "MAC", "weights", "in", "out", left=len(words), folds=False)
    for op in document["operators"]:
        table.add_row(
            op["name"],
            op["kind"],
            *([op["shape"]] if wide else []),
            count(op["macs"]) if op["macs"] else "",
            size(op["weight_bytes"]) if op["params"] else "",
            size(op["input_bytes"]),
            size(op["output_bytes"]),
        )
    console.print(table)
    console.print(NOTE, style="dim")
