"""Operators that a runtime runs as one kernel, and what such a kernel computes and moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgesim.graph import Graph, OpKind, once_per_graph


@dataclass(frozen=True, slots=True)
class Work:
    """Products of one operator kind in a kernel, counted for one sample.

    Attributes:
        kind: kind of the operators.
        macs: multiply-accumulates.
        depth: multiply-accumulates behind each output element, summed over the operators: how long
            a kernel runs however many lanes the device has.
    """

    kind: OpKind
    macs: int
    depth: float


@dataclass(frozen=True, slots=True)
class Kernel:
    """One or more operators launched together, counted for one sample.

    Attributes:
        names: names of its operators.
        kind: kind of its first operator.
        work: products by operator kind; empty where the kernel only moves data.
        weight_elements: weights that are read once for a batch.
        activation_elements: activations that are read from and written to memory for each sample;
            those between operators of the kernel are not moved.
    """

    names: tuple[str, ...]
    kind: OpKind
    work: tuple[Work, ...]
    weight_elements: int
    activation_elements: int


@once_per_graph
def kernels(graph: Graph, fused: frozenset[OpKind]) -> tuple[Kernel, ...]:
    """Return the kernels of a graph in execution order.

    An operator whose kind is in ``fused`` joins the kernel that makes the last of its inputs, if
    their kinds go together:

    - a batch normalisation or an activation only to a convolution: the one folds into its weights,
      the other into its loop;
    - a transcendental function only to products;
    - a layer normalisation, which needs whole rows first, only to a kernel without products;
    - a product of activations only to a softmax: fused attention, which never writes the matrix.
    """
    owner: dict[str, int] = {}
    members: list[list[str]] = []
    for op in graph:
        sources = graph.predecessors(op.name)
        joined = None
        if op.kind in fused and sources:
            last = max(owner[source] for source in sources)
            if _fits(graph, op.kind, members[last]):
                joined = last
        if joined is None:
            joined = len(members)
            members.append([])
        owner[op.name] = joined
        members[joined].append(op.name)
    return tuple(_kernel(graph, names) for names in members)


def _fits(graph: Graph, kind: OpKind, members: Sequence[str]) -> bool:
    if kind in (OpKind.BATCHNORM, OpKind.ACTIVATION):
        return graph[members[0]].kind.is_convolution
    if kind is OpKind.TRANSCENDENTAL:
        return any(graph[name].macs for name in members)
    if kind is OpKind.NORM:
        return not any(graph[name].macs for name in members)
    if kind is OpKind.ATTENTION:
        return graph[members[-1]].kind is OpKind.SOFTMAX
    return True


def _kernel(graph: Graph, names: Sequence[str]) -> Kernel:
    inside = set(names)
    macs: dict[OpKind, int] = {}
    depth: dict[OpKind, float] = {}
    weights = moved = 0
    for name in names:
        op = graph[name]
        weights += op.params
        if op.macs:
            macs[op.kind] = macs.get(op.kind, 0) + op.macs
            depth[op.kind] = depth.get(op.kind, 0.0) + op.macs / max(op.output_elements, 1)
        handed = sum(
            graph[source].output_elements for source in graph.predecessors(name) if source in inside
        )
        moved += max(op.input_elements - handed, 0)
        readers = graph.successors(name)
        if not readers or any(reader not in inside for reader in readers):
            moved += op.output_elements
    work = tuple(Work(kind, macs[kind], depth[kind]) for kind in macs)
    return Kernel(tuple(names), graph[names[0]].kind, work, weights, moved)
