"""Operators that exporters write as several simpler ones, found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def gelus(nodes: Sequence[Any]) -> Mapping[str, tuple[str, Sequence[str]]]:
    """Return the GELUs that are written out: x (1 + erf(x / √2)) / 2.

    Operator sets before 20 have no GELU.

    Returns:
        Input and the outputs of the steps between, by the name of what each GELU gives.
    """
    makers = {name: node for node in nodes for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = {}
    for node in nodes:
        if node.op_type != "Erf":
            continue
        scaled = makers.get(node.input[0])
        plus = _only(readers, node.output[0], "Add")
        if scaled is None or scaled.op_type not in ("Div", "Mul") or plus is None:
            continue
        times = _only(readers, plus.output[0], "Mul")
        if times is None:
            continue
        source = scaled.input[0]
        other = next(name for name in times.input if name != plus.output[0])
        steps = [scaled.output[0], node.output[0], plus.output[0]]
        if other == source:  # x (1 + erf) first, then the half
            half = _only(readers, times.output[0], "Mul")
            if half is not None:
                found[half.output[0]] = source, [*steps, times.output[0]]
        elif (
            (first := makers.get(other)) is not None
            and source in first.input
            and first.op_type in ("Mul", "Div")
            and len(readers[other]) == 1
        ):
            found[times.output[0]] = source, [*steps, other]
    return found


def _only(readers: Mapping[str, Sequence[Any]], name: str, kind: str) -> Any:
    """Return the only node that reads a tensor, if it is of a kind."""
    some = readers.get(name, ())
    return some[0] if len(some) == 1 and some[0].op_type == kind else None
