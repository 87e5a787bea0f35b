"""Token reduction: a graph whose later blocks see fewer tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil

from edgesim.common.errors import InputError
from edgesim.graph.compress.spec import Tokens
from edgesim.graph.graph import Graph
from edgesim.graph.op import MatmulGeometry, Op, OpKind

_BLOCK = re.compile(r"^blocks\.(\d+)\.")


def evit(tokens: int, keep: float) -> int:
    """Return how many of some tokens EViT leaves, the class token among both."""
    return ceil(keep * (tokens - 1)) + 1


METHODS: Mapping[str, Callable[[int, float], int]] = {"evit": evit}
"""How many tokens a method leaves, by its name."""


def reduce_tokens(graph: Graph, how: Tokens) -> Graph:
    """Return a Vision Transformer that leaves tokens out in some of its blocks.

    Choosing them is an operator of kind ``memory`` behind the attention of each of those blocks,
    which reads all tokens and writes those that stay. All that follows, to where a token is
    selected or tokens are averaged, has fewer rows; a product of two activations fewer rows and
    columns.

    Raises:
        InputError: the graph has no blocks ``blocks.0``, ``blocks.1``, … with attention, or not so
            many.
    """
    ends = _ends_of_attention(graph)
    missing = [block for block in how.at if block - 1 not in ends]
    if missing:
        raise InputError(
            f"compress.tokens.at: '{graph.name}' has no block {missing[0]} with attention; "
            "expected a Vision Transformer with operators blocks.0.…, and a block of 1 to "
            f"{len(ends)}"
        )
    first, width = _tokens_of(graph, ends)
    counts = {ends[block - 1]: block - 1 for block in sorted(set(how.at))}
    now, selected = first, False
    ops: list[Op] = []
    source: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for op in graph.ops:
        changed, selected = (op, True) if selected else _with_tokens(op, first, now)
        ops.append(changed)
        edges += [(source.get(one, one), op.name) for one in graph.predecessors(op.name)]
        if op.name in counts:
            left = METHODS[how.method](now, how.keep)
            chosen = Op(
                name=f"blocks.{counts[op.name]}.tokens", kind=OpKind.MEMORY,
                input_elements=now * width, output_elements=left * width,
            )  # fmt: skip
            ops.append(chosen)
            edges.append((op.name, chosen.name))
            source[op.name], now = chosen.name, left
    return Graph(
        graph.name, ops, edges, graph.input_shape, input_readers=graph.input_readers,
        outputs=graph.outputs, source=graph.source,
    )  # fmt: skip


def _ends_of_attention(graph: Graph) -> dict[int, str]:
    """Return the residual sum behind the attention of each block, by the block's number."""
    ends: dict[int, str] = {}
    inside: int | None = None
    for op in graph.ops:
        found = _BLOCK.match(op.name)
        block = int(found[1]) if found else None
        if block is not None and ".attn." in op.name:
            inside = block
        elif inside is not None and block == inside and op.kind is OpKind.ELEMENTWISE:
            if inside not in ends and len(graph.predecessors(op.name)) == 2:
                ends[inside] = op.name
            inside = None
    return ends


def _tokens_of(graph: Graph, ends: Mapping[int, str]) -> tuple[int, int]:
    """Return the tokens of a graph, and the channels of each."""
    for op in graph.ops:
        if op.kind is OpKind.LINEAR and isinstance(op.geometry, MatmulGeometry):
            rows = op.geometry.rows
            return rows, graph[ends[min(ends)]].output_elements // rows
    raise InputError(f"compress.tokens: '{graph.name}' has no products of tokens with weights")


def _with_tokens(op: Op, before: int, now: int) -> tuple[Op, bool]:
    """Return an operator of so many tokens, and whether it hands on no more than some of them."""
    if now == before:
        return op, False
    reads, writes = op.input_elements, op.output_elements
    ends = writes % before != 0
    shape = op.geometry
    if not isinstance(shape, MatmulGeometry):
        # The matrix of attention has the tokens twice.
        times = 2 if op.kind is OpKind.SOFTMAX else 1
        made = replace(
            op,
            input_elements=_scaled(reads, before, now, times),
            output_elements=writes if ends else _scaled(writes, before, now, times),
        )
        return made, ends
    if shape.rows != before:
        return op, ends
    mine = replace(shape, rows=now)
    if op.kind is OpKind.ATTENTION:
        if shape.inner == before:
            mine = replace(mine, inner=now)
        elif shape.columns == before:
            mine = replace(mine, columns=now)
    square = mine.columns == now != shape.columns
    reads = _scaled(reads, before, now, 1)
    if mine.inner == now != shape.inner:
        # Rows and inner edge of the attention matrix, and the values.
        reads = mine.count * (now * now + now * mine.columns)
    return replace(
        op,
        macs=mine.count * mine.rows * mine.inner * mine.columns,
        input_elements=reads,
        output_elements=_scaled(writes, before, now, 2 if square else 1),
        geometry=mine,
    ), False


def _scaled(elements: int, before: int, now: int, times: int) -> int:
    factor, whole = (now, before) if times == 1 else (now * now, before * before)
    return elements * factor // whole
