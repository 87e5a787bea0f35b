"""What a model takes on a device, layer by layer, of whichever kind the device is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError
from edgesim.common.files import write_text
from edgesim.common.text import duration, joules, percent
from edgesim.graph import Graph, zoo
from edgesim.hardware.explanation import Details, Explanation, Picture, Row
from edgesim.report.table import Row as Line
from edgesim.report.table import Table
from edgesim.scenario.named_files import find_device

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation with what it is of.

    Attributes:
        explanation: of the model, or of one operator.
        document: the same as plain data.
    """

    explanation: Explanation
    document: dict[str, Any]

    @property
    def picture(self) -> Picture | None:
        """Of one operator, where there is something to see."""
        return self.explanation.rows[0].picture if "layer" in self.document else None


def explain(
    name: str | None,
    model: Graph | str | None,
    operator: str | None,
    *,
    batch: int = 1,
    precision: str | None = None,
    out: Path | None = None,
) -> Explained:
    """Return what a model, or one layer of it, takes on a device.

    Args:
        name: of the device, or of its file.
        model: its operators, or its name in the catalog.
        operator: of the model; None for all of it.
        batch: samples at once.
        precision: of the device; its first unless given.
        out: where to draw the layer.

    Raises:
        InputError: what is needed was not named, or is not there; or the model does not run.
    """
    if name is None or model is None:
        raise InputError(
            "layers are of a model on a device: name both, as in "
            "`edgesim devices 4f-dmd-dlp7000 --model resnet18 --layer layer1.0.conv1`"
        )
    if operator is None and out is not None:
        raise InputError("pictures are of one layer: name it with --layer")
    if out is not None and out.suffix.lower() != ".svg":
        raise InputError(f"{out}: pictures of layers are SVG; name a file that ends in .svg")
    device = find_device(name)
    graph = zoo.build(model) if isinstance(model, str) else model
    chosen = precision or device.precisions()[0]
    found = device.explain(graph, chosen, batch, operator)
    document = {"device": name, "model": graph.name, "batch": batch, "precision": chosen}
    if operator is None:
        document["layers"] = [_plain(row) for row in found.rows]
    else:
        document |= {"layer": operator, **_plain(found.rows[0])}
    document |= {
        **found.figures,
        "time_s": found.time_s,
        "energy_j": found.energy_j,
        "energy_by_part_j": dict(found.by_part_j),
    }
    explained = Explained(found, document)
    if out is not None:
        if explained.picture is None:
            raise InputError(f"'{name}' has no planes to draw; leave out --out")
        write_text(out, explained.picture.svg(f"{operator} of {graph.name} on {name}: one frame"))
    return explained


def _plain(row: Row) -> dict[str, Any]:
    own = {"operators": list(row.operators), "limit": row.bound} | dict(row.figures)
    return {**own, "time_s": row.time_s, "energy_j": row.energy_j}


def show(explained: Explained, console: Console) -> None:
    """Print what `explain` returned."""
    document, found = explained.document, explained.explanation
    layer = f"[bold]{document['layer']}[/] of " if "layer" in document else ""
    arithmetic = f", {found.arithmetic}" if found.arithmetic else ""
    console.print(
        f"{layer}[bold]{document['model']}[/] on [bold]{document['device']}[/], batch "
        f"{document['batch']:,}{arithmetic}"
    )
    if found.details is not None:
        _show_details(found.details, explained.picture, console)
    else:
        _show_rows(found, console)
        each = duration(found.time_s / document["batch"])
        console.print(f"[bold]Time[/] {each} {_article(found)}{found.time_note}")
    parts = sorted(found.by_part_j.items(), key=lambda one: -one[1])
    divided = ", ".join(
        f"{part} {joules(joule)} ({percent(joule / found.energy_j)})"
        for part, joule in parts
        if joule
    )
    each = f"{joules(found.energy_j / document['batch'])} {_article(found)}"
    console.print(f"[bold]Energy[/] {each}" + (f"; of all: {divided}" if divided else ""))
    for line in found.notes:
        console.print(line)
    if found.details is not None and found.details.remark:
        console.print(found.details.remark, style="dim")


def _article(found: Explanation) -> str:
    return f"{'an' if found.sample[0] in 'aeiou' else 'a'} {found.sample}"


def _show_rows(found: Explanation, console: Console) -> None:
    lines = []
    for beside, run in groupby(found.rows, lambda row: row.beside):
        rows = list(run)
        for own in [rows] if beside else [[row] for row in rows]:
            first, names = own[0], sum(len(row.operators) for row in own)
            cells = list(first.cells) or [""] * len(found.headings)
            if beside and names > 1:
                cells[0] = f"and {names - 1} more"
            time_s = math.fsum(row.time_s for row in own)
            energy_j = math.fsum(row.energy_j for row in own)
            figures = (duration(time_s), first.bound, joules(energy_j))
            lines.append(Line((first.operators[0], *cells, *figures), aside=beside))
    totals = found.totals or ("",) * len(found.headings)
    figures = (duration(found.time_s), "", joules(found.energy_j))
    lines.append(Line(("all", *totals, *figures), strong=True))
    head = ["layer", *found.headings, "time", "limit", "energy"]
    Table("", head, lines, left=range(2 if found.headings else 1)).show(console)


def _show_details(details: Details, picture: Picture | None, console: Console) -> None:
    for line in details.facts:
        console.print(line)
    if picture is not None:
        console.print()
        for line in picture.text(min(100, console.width)):
            console.print(line, markup=False, highlight=False)
        console.print(picture.caption, style="dim")
        console.print()
    # Words before numbers.
    order = sorted(range(len(details.headings)), key=lambda at: at in details.numbers)
    lines = [
        Line([row[at] for at in order], strong=number == details.strong)
        for number, row in enumerate(details.rows)
    ]
    head = [details.headings[at] for at in order]
    Table(details.title, head, lines, left=range(len(head) - len(details.numbers))).show(console)
