"""Operators that a runtime runs as one kernel, and what such a kernel computes and moves."""

from __future__ import annotations

from collections import Counter
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
        bits: bits that the arithmetic needs, where they are not those of the model's precision.
    """

    kind: OpKind
    macs: int
    depth: float
    bits: int | None = None


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
        other_flop: floating-point operations that are no multiply-accumulate.
        weights_by_bits: (bits, elements) of those weights that have bits of their own.
        activations_by_bits: (bits, elements) of those activations that have bits of their own.
    """

    names: tuple[str, ...]
    kind: OpKind
    work: tuple[Work, ...]
    weight_elements: int
    activation_elements: int
    other_flop: int = 0
    weights_by_bits: tuple[tuple[int, int], ...] = ()
    activations_by_bits: tuple[tuple[int, int], ...] = ()

    def moved_bytes(self, width: float, batch: int) -> float:
        """Return the bytes that a batch moves from and to memory.

        Args:
            width: bytes of an element that has no bits of its own.
            batch: samples that are computed together.
        """
        moved = (self.weight_elements + batch * self.activation_elements) * width
        for bits, elements in self.weights_by_bits:
            moved += elements * (bits / 8 - width)
        for bits, elements in self.activations_by_bits:
            moved += batch * elements * (bits / 8 - width)
        return moved


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
    macs, depth = Counter[tuple[OpKind, int | None]](), dict[tuple[OpKind, int | None], float]()
    weights, moved = Counter[int | None](), Counter[int | None]()
    for name in names:
        op = graph[name]
        weights[op.weight_bits] += op.params
        if op.macs:
            key = op.kind, op.arithmetic_bits
            macs[key] += op.macs
            depth[key] = depth.get(key, 0.0) + op.macs / max(op.output_elements, 1)
        handed = sum(
            graph[source].output_elements for source in graph.predecessors(name) if source in inside
        )
        moved[op.activation_bits] += max(op.input_elements - handed, 0)
        readers = graph.successors(name)
        if not readers or any(reader not in inside for reader in readers):
            moved[op.activation_bits] += op.output_elements
    return Kernel(
        names=tuple(names),
        kind=graph[names[0]].kind,
        work=tuple(Work(kind, macs[kind, bits], depth[kind, bits], bits) for kind, bits in macs),
        weight_elements=weights.total(),
        activation_elements=moved.total(),
        other_flop=sum(graph[name].other_flop for name in names),
        weights_by_bits=_own(weights),
        activations_by_bits=_own(moved),
    )


def _own(elements: Counter[int | None]) -> tuple[tuple[int, int], ...]:
    """Return (bits, elements) of what has bits of its own."""
    return tuple((bits, number) for bits, number in elements.items() if bits is not None)
