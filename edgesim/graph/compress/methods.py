"""Methods that leave tokens out: how many stay, and the operators that choose, fuse or mix them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, floor

from edgesim.common.errors import InputError
from edgesim.graph.compress.tokens import (
    Method,
    Reduction,
    ends_of_attention,
    ends_of_blocks,
    softmaxes,
)
from edgesim.graph.op import MatmulGeometry, Op, OpKind

_LEAST = 10
"""Tokens that ``mctf`` leaves in any case."""


def _evit(model: Reduction, end: Op, block: int) -> None:
    """Leave the tokens that the class token attends to most, behind the sum after attention."""
    assert model.how.keep is not None
    left = ceil(model.how.keep * (model.now - 1)) + 1
    chosen = model.add(
        Op(
            name=f"blocks.{block}.tokens",
            kind=OpKind.MEMORY,
            input_elements=model.now * model.width,
            output_elements=left * model.width,
        ),
        [end.name],
    )
    model.read_instead(end.name, chosen)
    model.now = left


def fused(tokens: int, keep: float | None, remove: int | None) -> int:
    """Return how many tokens MCTF leaves of some: `mctf` of its public code.

    At most half of the tokens, the class token aside, are fused into others, and ten stay.
    """
    if remove is None:
        assert keep is not None
        remove = tokens - 1 - ceil(round(keep * (tokens - 1), 9))
    if tokens - remove < _LEAST:
        remove = max(0, tokens - _LEAST)
    return tokens - min(remove, (tokens - 1) // 2)


def _mctf(model: Reduction, softmax: Op, block: int) -> None:
    """Fuse tokens by similarity, size and attention, one step ahead of the attention.

    Queries, keys and the attention matrix are those of all tokens. Every second token is compared
    with the others; tokens, and rows and columns of the matrix, are fused; the values are made of
    the fused tokens.
    """
    before, width = model.now, model.width
    left = fused(before, model.how.keep, model.how.remove)
    name = f"blocks.{block}"
    graph = model.graph
    qkv = next((op for op in graph if op.name == f"{name}.attn.qkv"), None)
    shape = None if qkv is None else qkv.geometry
    attending = graph.successors(softmax.name)
    whole = (
        qkv is not None
        and isinstance(shape, MatmulGeometry)
        and shape.columns == 3 * width
        and len(attending) == 1
        and qkv.name in graph.predecessors(attending[0])
    )
    if not whole or qkv is None:
        raise InputError(
            f"compress.tokens: 'mctf' needs one layer '{name}.attn.qkv' for queries, keys and "
            f"values, which '{graph.name}' has not"
        )
    (norm,) = graph.predecessors(qkv.name)
    (entering,) = graph.predecessors(norm)
    source = model.source_of(entering)
    model.change(_part(qkv, before, 2, width))
    matrix = softmax.output_elements // before**2
    match = model.add(
        _product(f"{name}.match", OpKind.ATTENTION, ceil(before / 2), width, before // 2,
                 reads=before * width),
        [source],
    )  # fmt: skip
    fuse = model.add(
        Op(
            name=f"{name}.fuse",
            kind=OpKind.MEMORY,
            input_elements=before * width + matrix * before**2,
            output_elements=left * width + matrix * left**2,
        ),
        [match, softmax.name, source],
    )
    again = model.add(
        replace(
            graph[norm], name=f"{norm}.fused", params=0,
            input_elements=left * width, output_elements=left * width,
        ),
        [fuse],
    )  # fmt: skip
    values = model.add(replace(_part(qkv, left, 1, width), name=f"{name}.attn.v"), [again])
    model.read_instead(softmax.name, fuse)
    model.read_instead(qkv.name, values)
    model.read_instead(entering, fuse)
    model.now = left


def _part(qkv: Op, rows: int, thirds: int, width: int) -> Op:
    """Return so many thirds of the layer that makes queries, keys and values, for some tokens."""
    columns = thirds * width
    return replace(
        _product(qkv.name, OpKind.LINEAR, rows, width, columns, reads=rows * width),
        params=qkv.params * thirds // 3,
    )


def _product(name: str, kind: OpKind, rows: int, inner: int, columns: int, *, reads: int) -> Op:
    return Op(
        name=name,
        kind=kind,
        macs=rows * inner * columns,
        params=inner * columns + columns if kind is OpKind.LINEAR else 0,
        input_elements=reads,
        output_elements=rows * columns,
        geometry=MatmulGeometry(rows=rows, inner=inner, columns=columns),
    )


def _slim(model: Reduction, end: Op, block: int) -> None:
    """Mix the tokens into fewer, behind a block; the class token stays by itself.

    The weights of the mixtures are those of two layers for each token: half the width, then one for
    each mixture; softmax over the tokens.
    """
    assert model.how.keep is not None
    width, tokens = model.width, model.now - 1
    left = floor(round((model.first - 1) * model.how.keep**model.made, 9))
    if left < 1:
        raise InputError(
            f"compress.tokens: no token is left behind block {block + 1} of '{model.graph.name}'"
        )
    half, name = width // 2, f"blocks.{block}.slim"
    chain = [
        Op(name=f"{name}.norm", kind=OpKind.NORM, params=2 * width,
           input_elements=tokens * width, output_elements=tokens * width),
        _product(f"{name}.fc1", OpKind.LINEAR, tokens, width, half, reads=tokens * width),
        Op(name=f"{name}.act", kind=OpKind.TRANSCENDENTAL,
           input_elements=tokens * half, output_elements=tokens * half),
        _product(f"{name}.fc2", OpKind.LINEAR, tokens, half, left, reads=tokens * half),
        Op(name=f"{name}.softmax", kind=OpKind.SOFTMAX,
           input_elements=tokens * left, output_elements=tokens * left),
    ]  # fmt: skip
    before = end.name
    for op in chain:
        before = model.add(op, [before])
    reads = tokens * (left + width)
    mixed = model.add(
        _product(f"{name}.mix", OpKind.ATTENTION, left, tokens, width, reads=reads),
        [before, end.name],
    )
    joined = model.add(
        Op(
            name=f"{name}.tokens",
            kind=OpKind.MEMORY,
            input_elements=(left + 1) * width,
            output_elements=(left + 1) * width,
        ),
        [mixed, end.name],
    )
    model.read_instead(end.name, joined)
    model.now = left + 1


METHODS: Mapping[str, Method] = {
    "evit": Method(ends_of_attention, _evit),
    "mctf": Method(softmaxes, _mctf, takes=("keep", "remove")),
    "slim": Method(ends_of_blocks, _slim),
}
"""The methods, by name."""
