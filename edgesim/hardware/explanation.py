"""What a model takes on a device, in one form for every kind of device."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgesim.common.errors import InputError, nearest
from edgesim.graph import Graph


class Picture(Protocol):
    """A drawing of how a device runs an operator."""

    @property
    def caption(self) -> str:
        """What it shows, in one line."""

    @property
    def figures(self) -> Mapping[str, Any]:
        """What else it shows, as plain data."""

    def text(self, width: int) -> list[str]:
        """Return it as lines of at most ``width`` characters."""

    def svg(self, title: str, most_rectangles: int = 4000) -> str:
        """Return it as an SVG document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one operator takes on a batch, or several that a device runs together.

    Attributes:
        operators: names, in execution order.
        bound: what its time is bound by.
        time_s: from its input to its output.
        energy_j: of that time.
        cells: text below the explanation's headings.
        figures: plain data of the kind's own.
        beside: whether it runs beside what the device is made for: such as on its host.
        picture: how it runs, where there is something to see.
    """

    operators: tuple[str, ...]
    bound: str
    time_s: float
    energy_j: float
    cells: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    beside: bool = False
    picture: Picture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One operator in full: sentences, and a table.

    Attributes:
        facts: sentences.
        title: of the table.
        headings: of its columns; those of ``numbers`` are numbers.
        numbers: columns to align at the right.
        rows: cells.
        strong: the row that matters most.
        remark: what is left to say.
    """

    facts: tuple[str, ...] = ()
    title: str = ""
    headings: tuple[str, ...]
    numbers: Collection[int]
    rows: tuple[tuple[str, ...], ...]
    strong: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a model, or one operator of it, takes on a device.

    Attributes:
        arithmetic: precision, and where it holds.
        headings: of what the kind tells of a row besides its time, what binds it, and its energy.
        rows: all operators in execution order, or the one asked for.
        totals: cells of all rows together.
        time_s: of all rows.
        energy_j: of all rows, and what the device draws meanwhile.
        by_part_j: joules by part, where the device tells parts apart.
        sample: what a batch is made of.
        time_note: how the time divides.
        notes: sentences on the energy.
        details: of the operator asked for.
        figures: plain data of the kind's own.
    """

    arithmetic: str = ""
    headings: tuple[str, ...] = ()
    rows: tuple[Row, ...]
    totals: tuple[str, ...] = ()
    time_s: float
    energy_j: float
    by_part_j: Mapping[str, float] = field(default_factory=dict)
    sample: str = "sample"
    time_note: str = ""
    notes: tuple[str, ...] = ()
    details: Details | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)


def unknown(graph: Graph, operator: str, known: Collection[str], what: str) -> InputError:
    """Return the error of an operator that is not there, or of which there is nothing to tell.

    Args:
        graph: of the model.
        operator: asked for.
        known: names of operators that could be asked for.
        what: those are.
    """
    there = any(op.name == operator for op in graph)
    is_no = f"is no {what}" if there else "is no operator"
    return InputError(f"'{operator}' {is_no} of {graph.name}{nearest(operator, list(known))}")
