"""The part of a model up to a module or an operator."""

from __future__ import annotations

from edgesim.common.errors import InputError, nearest
from edgesim.graph.graph import Graph


def up_to(graph: Graph, name: str) -> Graph:
    """Return the operators that the output of a module or operator needs, and no others.

    What leaves the model is what operators of ``name`` hand to others, or out of the model.

    Args:
        graph: whole model.
        name: operator, or module: the operators whose names begin with ``name.``.

    Raises:
        InputError: no operator is of that name; the message names the nearest.
    """
    inside = [op.name for op in graph if op.name == name or op.name.startswith(f"{name}.")]
    if not inside:
        known: dict[str, None] = {}
        for op in graph:
            parts = op.name.split(".")
            known |= dict.fromkeys(".".join(parts[:count]) for count in range(1, len(parts) + 1))
        raise InputError(
            f"model '{graph.name}' has no module or operator '{name}'{nearest(name, list(known))}; "
            "`edgesim models SPEC` lists its operators"
        )
    own, outputs = set(inside), set(graph.outputs)
    ends = [
        key
        for key in inside
        if key in outputs or any(after not in own for after in graph.successors(key))
    ]
    needed: set[str] = set()
    pending = list(ends)
    while pending:
        key = pending.pop()
        if key not in needed:
            needed.add(key)
            pending.extend(graph.predecessors(key))
    return Graph(
        f"{graph.name} up to {name}",
        [op for op in graph if op.name in needed],
        [
            (source, op.name)
            for op in graph
            if op.name in needed
            for source in graph.predecessors(op.name)
        ],
        graph.input_shape,
        input_readers=[key for key in graph.input_readers if key in needed],
        outputs=ends,
        source=graph.source,
    )
