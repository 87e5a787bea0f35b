"""What tells one graph of operators from another, whatever they are called."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple

from edgesim.graph.graph import Graph


def fingerprint(graph: Graph) -> str:
    """Return the SHA-256 of a graph's operators, their order and the data between them.

    Names do not count: two parts of equal shape have the same, as they take the same time.
    """
    position = {op.name: index for index, op in enumerate(graph.ops)}
    told = [
        [
            str(op.kind),
            op.macs,
            op.params,
            op.input_elements,
            op.output_elements,
            type(op.geometry).__name__,
            [] if op.geometry is None else astuple(op.geometry),
            [position[name] for name in graph.predecessors(op.name)],
        ]
        for op in graph.ops
    ]
    text = json.dumps([list(graph.input_shape), told], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
