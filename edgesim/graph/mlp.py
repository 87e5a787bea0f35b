"""Multi-layer perceptrons, such as the one that fuses the features of sub-models."""

from __future__ import annotations

from itertools import pairwise

from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.op import OpKind


def mlp(name: str, widths: tuple[int, ...]) -> Graph:
    """Return linear layers from each width to the next, with an activation between them."""
    build = Builder(name, (widths[0],))
    stream: tuple[str, ...] = ()
    last = len(widths) - 2
    for index, features in enumerate(pairwise(widths)):
        stream = (build.linear(f"fc{index}", stream, rows=1, features=features),)
        if index < last:
            stream = (build.pointwise(f"act{index}", OpKind.TRANSCENDENTAL, stream),)
    return build.graph()
