"""Transforms of a graph that compress its model: one function for each, by the key that asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from edgesim.common.errors import InputError
from edgesim.graph.compress.methods import METHODS
from edgesim.graph.compress.spec import Arithmetic, BitWidths, Compression, Sparsity
from edgesim.graph.compress.tokens import reduce_tokens
from edgesim.graph.graph import Graph
from edgesim.graph.op import ConvGeometry, MatmulGeometry, Op, OpKind

Transform = Callable[[Graph, Any], Graph]

_SHIFTS: Mapping[OpKind, OpKind] = {kind.fitted_as: kind for kind in OpKind if kind.is_shift_add}


def compress(graph: Graph, how: Compression) -> Graph:
    """Return a compressed graph; the given one stays.

    Raises:
        InputError: a pattern names no operator that the transform holds for, or the graph is no
            Vision Transformer whose tokens can be left out.
    """
    for key, transform in TRANSFORMS.items():
        one = getattr(how, key)
        if one is not None:
            graph = transform(graph, one)
    return graph


def _changed(
    graph: Graph, key: str, only: str, change: Callable[[Op], Op | None], what: str
) -> Graph:
    """Return the graph with those operators changed that a pattern names.

    Args:
        graph: graph.
        key: key of the transform, for the message.
        only: pattern of names.
        change: returns the changed operator; None where it holds for none of its kind.
        what: operators that it holds for, in words.
    """
    ops, number = [], 0
    for op in graph.ops:
        made = change(op) if fnmatchcase(op.name, only) else None
        number += made is not None
        ops.append(made or op)
    if not number:
        raise InputError(
            f"compress.{key}.only: '{only}' names no {what} of '{graph.name}'; its operators have "
            f"names such as {', '.join(repr(op.name) for op in graph.ops[:3])}"
        )
    return graph.with_ops(ops)


def _bits(graph: Graph, how: BitWidths) -> Graph:
    if how.weights is None and how.activations is None:
        raise InputError("compress.bits: expected `weights`, `activations` or both")

    def change(op: Op) -> Op:
        weights = how.weights if op.params else op.weight_bits
        return replace(
            op, weight_bits=weights or op.weight_bits,
            activation_bits=how.activations or op.activation_bits,
        )  # fmt: skip

    return _changed(graph, "bits", how.only, change, "operator")


def _sparsity(graph: Graph, how: Sparsity) -> Graph:
    def change(op: Op) -> Op | None:
        shape = _matrix(op)
        if shape is None or not op.kind.has_weights:
            return None
        rows, columns, count = shape
        height, width = how.blocks
        blocks = count * -(-rows // height) * -(-columns // width)
        zero = min(round(how.share * blocks), blocks - 1)
        return replace(op, density=1.0 - zero / blocks, block=how.blocks)

    return _changed(graph, "sparsity", how.only, change, "product with weights")


def _matrix(op: Op) -> tuple[int, int, int] | None:
    """Return rows, columns and number of an operator's weight matrices; None without a shape."""
    match op.geometry:
        case MatmulGeometry(inner=inner, columns=columns, count=count):
            return inner, columns, count
        case ConvGeometry() as conv:
            inner = conv.in_channels // conv.groups * conv.kernel[0] * conv.kernel[1]
            return inner, conv.out_channels // conv.groups, conv.groups
    return None


def _arithmetic(graph: Graph, how: Arithmetic) -> Graph:
    def change(op: Op) -> Op | None:
        kind = _SHIFTS.get(op.kind)
        return None if kind is None else replace(op, kind=kind)

    return _changed(graph, "arithmetic", how.only, change, "product with weights")


TRANSFORMS: Mapping[str, Transform] = {
    "tokens": partial(reduce_tokens, methods=METHODS),
    "sparsity": _sparsity,
    "bits": _bits,
    "arithmetic": _arithmetic,
}
"""The transforms by the field of `Compression` that asks for them, in the order they are made."""
