"""What ``edgesim models`` prints: the catalog of models, and the operators of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgesim.common.text import count, size
from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, Op, zoo
from edgesim.report.model_notes import notes_on
from edgesim.report.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from edgesim.graph.sources import Source

NOTE = "One multiply-accumulate (MAC) is two operations (FLOP). Bytes are of one sample at fp32."


def every(classes: int) -> dict[str, Any]:
    """Return one row for each model of the catalog, of ``classes`` outputs where it takes them."""
    rows = []
    for name in zoo.names():
        free = "classes" in zoo.info(name).options
        graph = zoo.build(name, **({"classes": classes} if free else {}))
        rows.append({"name": name, **_totals(graph)})
    return {"classes": classes, "models": rows}


def one(source: Source) -> dict[str, Any]:
    """Return the totals and the operators of one model that was read."""
    graph = source.graph
    classes = {"classes": graph.output_elements} if source.kind == "name" else {}
    return {
        **_head(source),
        **classes,
        **_totals(graph),
        "operators": [
            {
                "name": op.name,
                "kind": op.kind.value,
                "shape": _shape(op),
                "macs": op.macs,
                "params": op.params,
                "weight_bytes": op.weight_bytes("fp32"),
                "input_bytes": op.input_bytes("fp32"),
                "output_bytes": op.output_bytes("fp32"),
            }
            for op in graph
        ],
    }


def _head(source: Source) -> dict[str, Any]:
    graph = source.graph
    about = {"source": graph.source, "how": source.how}
    return {
        "name": graph.name,
        **{key: text for key, text in about.items() if text},
        **({"notes": notes} if (notes := notes_on(source)) else {}),
        "input_shape": list(graph.input_shape),
        "output_elements": graph.output_elements,
    }


def traced(source: Source) -> dict[str, Any]:
    """Return the totals of a model, and those of each kind of operator."""
    graph = source.graph
    kinds: dict[str, dict[str, int]] = {}
    for op in graph:
        row = kinds.setdefault(op.kind.value, {"operators": 0, "macs": 0, "params": 0})
        row["operators"] += 1
        row["macs"] += op.macs
        row["params"] += op.params
    return {**_head(source), "operators": len(graph), **_totals(graph), "kinds": kinds}


def show_traced(document: dict[str, Any], console: Console) -> None:
    """Print what `traced` returned."""
    _show_head(document, console)
    kinds = sorted(document["kinds"].items(), key=lambda one: -one[1]["macs"])
    lines = [
        [kind, f"{row['operators']:,}", count(row["macs"]) if row["macs"] else "",
         count(row["params"]) if row["params"] else ""]
        for kind, row in kinds
    ]  # fmt: skip
    Table("", ["kind", "operators", "MAC", "parameters"], lines, notes=[NOTE]).show(console)


def _show_head(document: dict[str, Any], console: Console) -> None:
    edges = "×".join(str(edge) for edge in document["input_shape"])
    classes = document.get("classes")
    output = f"{classes} classes" if classes else f"output {document['output_elements']:,}"
    console.print(
        f"[bold]{document['name']}[/]  input {edges}, {output}: "
        f"{count(document['params'])} parameters ({size(document['weight_bytes'])}), "
        f"{count(document['macs'])} MAC = {count(document['flop'])} FLOP, "
        f"peak activations {size(document['peak_activation_bytes'])}"
    )
    about = ", ".join(document[key] for key in ("source", "how") if key in document)
    if about:
        console.print(about, style="dim", markup=False)
    for note in document.get("notes", ()):
        console.print(f"Note: {note}", markup=False)


def _totals(graph: Graph) -> dict[str, Any]:
    return {
        "params": graph.params,
        "weight_bytes": graph.weight_bytes("fp32"),
        "macs": graph.macs,
        "flop": graph.flop,
        "peak_activation_bytes": 4.0 * graph.peak_activation_elements,
    }


def _shape(op: Op) -> str:
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
        head = ["model", "parameters", "weights", "MAC", "FLOP"]
        lines = [
            [
                row["name"], count(row["params"]), size(row["weight_bytes"]), count(row["macs"]),
                count(row["flop"]),
            ]
            for row in document["models"]
        ]  # fmt: skip
        Table(f"Models, {document['classes']} classes", head, lines, notes=[NOTE]).show(console)
        return
    _show_head(document, console)
    words = ["kind", *(["shape"] if console.width >= 110 else [])]
    lines = [
        [
            op["name"], *(op[word] for word in words), count(op["macs"]) if op["macs"] else "",
            size(op["weight_bytes"]) if op["params"] else "", size(op["input_bytes"]),
            size(op["output_bytes"]),
        ]
        for op in document["operators"]
    ]  # fmt: skip
    head = ["operator", *words, "MAC", "weights", "in", "out"]
    Table("", head, lines, notes=[NOTE], left=range(1 + len(words))).show(console)
