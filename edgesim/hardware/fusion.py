"""Operators that a runtime runs as one kernel, and what such a kernel computes and moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from edgesim.graph import Graph, OpKind


@dataclass(frozen=True, slots=True)
class Kernel:
    """One or more operators launched together, counted for one sample.

    Attributes:
        macs: multiply-accumulates by operator kind.
        weight_elements: read once for a batch.
        activation_elements: read from and written to memory for each sample; what passes between
            operators of the kernel stays inside.
    """

    macs: tuple[tuple[OpKind, int], ...]
    weight_elements: int
    activation_elements: int


@lru_cache(maxsize=512)
def kernels(graph: Graph, fused: frozenset[OpKind]) -> tuple[Kernel, ...]:
    """Return the kernels of a graph in execution order.

    An operator whose kind is in ``fused`` joins the kernel that makes its first input, if nobody
    else reads that input in between. A product of activations joins only after a softmax: fused
    attention, which never writes the attention matrix.
    """
    owner: dict[str, int] = {}
    members: list[list[str]] = []
    for op in graph:
        sources = graph.predecessors(op.name)
        joined = None
        if op.kind in fused and sources:
            first = sources[0]
            fits = op.kind is not OpKind.ATTENTION or graph[first].kind is OpKind.SOFTMAX
            # Joining an earlier kernel must not make it wait for a later one.
            later = any(owner[source] > owner[first] for source in sources[1:])
            if fits and not later:
                joined = owner[first]
        if joined is None:
            joined = len(members)
            members.append([])
        owner[op.name] = joined
        members[joined].append(op.name)
    return tuple(_kernel(graph, names) for names in members)


def _kernel(graph: Graph, names: list[str]) -> Kernel:
    inside = set(names)
    macs: dict[OpKind, int] = {}
    weights = moved = 0
    read: set[str] = set()
    for name in names:
        op = graph[name]
        weights += op.params
        if op.macs:
            macs[op.kind] = macs.get(op.kind, 0) + op.macs
        sources = graph.predecessors(name)
        if not any(source in inside for source in sources):
            moved += op.input_elements
            read.update(sources)
        else:
            for source in sources:
                if source not in inside and source not in read:
                    read.add(source)
                    moved += graph[source].output_elements
        readers = graph.successors(name)
        if not readers or any(reader not in inside for reader in readers):
            moved += op.output_elements
    return Kernel(tuple(macs.items()), weights, moved)
