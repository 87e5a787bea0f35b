"""A graph cut where work passes from electronics to light and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from edgesim.graph import Graph, Op, OpKind

_CONVOLUTIONS = frozenset({OpKind.CONV, OpKind.DEPTHWISE})
_FOLDABLE = frozenset({OpKind.BATCHNORM, OpKind.ACTIVATION})


@dataclass(frozen=True, slots=True)
class OnLight:
    """A layer on light.

    Attributes:
        op: the operator.
        folded: names of operators that come with it at no cost of their own: a batch normalisation
            folds into kernels and bias, a comparison into the loop over detected values.
    """

    op: Op
    folded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnHost:
    """Operators that electronics run one after another, between two layers on light.

    Attributes:
        graph: of these operators alone.
    """

    graph: Graph


Segment = OnLight | OnHost


@lru_cache(maxsize=512)
def segments(
    graph: Graph, kinds: frozenset[OpKind], fused: frozenset[OpKind], kept: frozenset[str]
) -> tuple[Segment, ...]:
    """Return the segments of a graph in execution order.

    Args:
        graph: of the model.
        kinds: of operators that run on light.
        fused: kinds that the host's runtime fuses; of these, batch normalisations and comparisons
            fold into a convolution on light, as they do into one on a processor.
        kept: names of operators that run on the host all the same.
    """
    found: list[OnLight | list[Op]] = []
    owner: dict[str, int] = {}
    for op in graph:
        if op.kind in kinds and op.name not in kept:
            owner[op.name] = len(found)
            found.append(OnLight(op))
            continue
        sources = graph.predecessors(op.name)
        alone = len(sources) == 1 and graph.successors(sources[0]) == [op.name]
        if op.kind in fused & _FOLDABLE and alone and sources[0] in owner:
            light = found[owner[sources[0]]]
            assert isinstance(light, OnLight)
            if light.op.kind in _CONVOLUTIONS:
                found[owner[sources[0]]] = OnLight(light.op, (*light.folded, op.name))
                owner[op.name] = owner[sources[0]]
                continue
        if not found or isinstance(found[-1], OnLight):
            found.append([])
        run = found[-1]
        assert isinstance(run, list)
        run.append(op)
    return tuple(
        part if isinstance(part, OnLight) else OnHost(_alone(graph, part)) for part in found
    )


def _alone(graph: Graph, ops: Sequence[Op]) -> Graph:
    """Return some operators of a graph as a graph of their own."""
    names = {op.name for op in ops}
    edges = [
        (source, op.name) for op in ops for source in graph.predecessors(op.name) if source in names
    ]
    first, last = ops[0].name, ops[-1].name
    return Graph(f"{graph.name}: {first}" + (f" to {last}" if first != last else ""), ops, edges)
