"""Token reduction: a graph whose later blocks see fewer tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgesim.common.errors import InputError
from edgesim.graph.compress.spec import Tokens
from edgesim.graph.graph import Graph
from edgesim.graph.op import MatmulGeometry, Op, OpKind

_BLOCK = re.compile(r"^blocks\.(\d+)\.")


class Reduction:
    """A Vision Transformer that grows operator by operator, with fewer tokens behind some.

    Args:
        graph: the whole model.
        how: how many tokens are left out, and where.
        first: tokens of the whole model.
        width: channels of a token.

    Attributes:
        now: tokens at the operator that comes next.
        made: how often tokens were left out so far.
    """

    def __init__(self, graph: Graph, how: Tokens, first: int, width: int) -> None:
        self.graph, self.how, self.first, self.width = graph, how, first, width
        self.now, self.made = first, 0
        self._ops: dict[str, Op] = {}
        self._edges: list[tuple[str, str]] = []
        self._instead: dict[str, str] = {}

    def grow(self, places: Mapping[str, int], reduce: Reduce) -> Graph:
        """Return the reduced graph.

        Args:
            places: operators behind which tokens are left out, each with its block.
            reduce: adds the operators that leave them out.
        """
        selected = False
        for op in self.graph.ops:
            changed, selected = (op, True) if selected else _with_tokens(op, self.first, self.now)
            before = self.graph.predecessors(op.name)
            self.add(changed, [self._instead.get(one, one) for one in before])
            if op.name in places:
                self.made += 1
                reduce(self, changed, places[op.name])
        return Graph(
            self.graph.name, self._ops.values(), self._edges, self.graph.input_shape,
            input_readers=self.graph.input_readers, outputs=self.graph.outputs,
            source=self.graph.source,
        )  # fmt: skip

    def add(self, op: Op, before: Sequence[str]) -> str:
        """Add an operator that reads others; return its name."""
        self._ops[op.name] = op
        self._edges += [(one, op.name) for one in before]
        return op.name

    def change(self, op: Op) -> None:
        """Put an operator in the place of the one of its name."""
        self._ops[op.name] = op

    def read_instead(self, old: str, new: str) -> None:
        """Let all that comes read ``new`` where it reads ``old``."""
        self._instead[old] = new

    def source_of(self, name: str) -> str:
        """Return what is read now where an operator of the whole model is read."""
        return self._instead.get(name, name)


Reduce = Callable[[Reduction, Op, int], None]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to leave tokens out.

    Attributes:
        places: returns the operator of each block behind which it does so.
        reduce: adds the operators that do so.
        takes: keys that say how many tokens stay, of which one is given.
    """

    places: Callable[[Graph], Mapping[int, str]]
    reduce: Reduce
    takes: tuple[str, ...] = ("keep",)


def reduce_tokens(graph: Graph, how: Tokens, methods: Mapping[str, Method]) -> Graph:
    """Return a Vision Transformer that leaves tokens out in some of its blocks.

    All that follows, to where a token is selected or tokens are averaged, has fewer rows; a product
    of two activations fewer rows and columns.

    Raises:
        InputError: the graph has no blocks ``blocks.0``, ``blocks.1``, … with attention, or not so
            many; or the method does not go with the keys or the graph.
    """
    method = methods[how.method]
    for key in ("keep", "remove"):
        if getattr(how, key) is not None and key not in method.takes:
            raise InputError(f"compress.tokens.{key}: '{how.method}' takes no '{key}'")
    given = [key for key in method.takes if getattr(how, key) is not None]
    if len(given) != 1:
        expected = " or ".join(f"'{key}'" for key in method.takes)
        raise InputError(f"compress.tokens: '{how.method}' needs {expected}")
    places = method.places(graph)
    missing = [block for block in how.at if block - 1 not in places]
    if missing:
        raise InputError(
            f"compress.tokens.at: '{graph.name}' has no block {missing[0]} with attention; "
            "expected a Vision Transformer with operators blocks.0.…, and a block of 1 to "
            f"{len(places)}"
        )
    first, width = _tokens_of(graph)
    chosen = {places[block - 1]: block - 1 for block in sorted(set(how.at))}
    return Reduction(graph, how, first, width).grow(chosen, method.reduce)


def ends_of_attention(graph: Graph) -> dict[int, str]:
    """Return the residual sum behind the attention of each block, by the block's number."""
    ends: dict[int, str] = {}
    inside: int | None = None
    for op in graph.ops:
        block = _block_of(op)
        if block is not None and ".attn." in op.name:
            inside = block
        elif inside is not None and block == inside and op.kind is OpKind.ELEMENTWISE:
            if inside not in ends and len(graph.predecessors(op.name)) == 2:
                ends[inside] = op.name
            inside = None
    return ends


def ends_of_blocks(graph: Graph) -> dict[int, str]:
    """Return the last operator of each block with attention, by the block's number."""
    attending = ends_of_attention(graph)
    ends = {block: op.name for op in graph.ops if (block := _block_of(op)) is not None}
    return {block: ends[block] for block in attending}


def softmaxes(graph: Graph) -> dict[int, str]:
    """Return the softmax of the attention of each block, by the block's number."""
    attending = ends_of_attention(graph)
    return {
        block: op.name
        for op in graph.ops
        if op.kind is OpKind.SOFTMAX
        and ".attn." in op.name
        and (block := _block_of(op)) is not None
        and block in attending
    }


def _block_of(op: Op) -> int | None:
    found = _BLOCK.match(op.name)
    return int(found[1]) if found else None


def _tokens_of(graph: Graph) -> tuple[int, int]:
    """Return the tokens of a graph, and the channels of each."""
    ends = ends_of_attention(graph)
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
