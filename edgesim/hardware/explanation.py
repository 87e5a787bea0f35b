"""Time and energy of a model on a device, operator by operator, for every kind of device."""

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
        """Caption, in one line."""

    @property
    def figures(self) -> Mapping[str, Any]:
        """Further figures, as plain data."""

    def text(self, width: int) -> list[str]:
        """Return it as lines of at most ``width`` characters."""

    def svg(self, title: str, most_rectangles: int = 4000) -> str:
        """Return it as an SVG document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Time and energy of one operator on a batch, or of several that a device runs together.

    Attributes:
        operators: names, in execution order.
        bound: resource that bounds its time.
        time_s: seconds from its input to its output.
        energy_j: joules in that time.
        cells: text below the explanation's headings.
        figures: plain data of the kind's own.
        beside: whether it runs outside the accelerator, such as on its host.
        picture: drawing of how it runs; None without one.
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
        title: title of the table.
        headings: headings of its columns.
        numbers: columns to align at the right.
        rows: cells.
        strong: index of the row that matters most.
        remark: further remark.
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
    """Time and energy of a model, or of one operator of it, on a device.

    Attributes:
        arithmetic: precision, and where it holds.
        headings: headings of the cells that the kind adds to a row.
        rows: all operators in execution order, or the one asked for.
        totals: cells of all rows together.
        time_s: seconds of all rows.
        energy_j: joules of all rows, and of the device in that time.
        by_part_j: joules by part, where the device has parts.
        sample: name of one item of a batch.
        time_note: sentence on how the time divides.
        notes: sentences on the energy.
        details: details of the operator asked for.
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
    """Return the error of an operator that does not exist, or that cannot be explained.

    Args:
        graph: graph of the model.
        operator: name that was asked for.
        known: names of operators that can be explained.
        what: what these operators are called.
    """
    there = any(op.name == operator for op in graph)
    is_no = f"is no {what}" if there else "is no operator"
    return InputError(f"'{operator}' {is_no} of {graph.name}{nearest(operator, list(known))}")
