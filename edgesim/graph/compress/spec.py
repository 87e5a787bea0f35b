"""How a model is compressed: the keys of ``compress``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from edgesim.common.fields import Count
from edgesim.common.quantities import Share
from edgesim.common.validation import spec
from edgesim.graph.op import Bits

Pattern = Annotated[str, Field(strict=True, min_length=1, max_length=1000)]
"""Names of operators, with ``*`` for any text."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens of a Vision Transformer that are left out on the way.

    Attributes:
        method: ``evit`` (arXiv 2202.07800): in each block of ``at``, between attention and
            feed-forward layer, the ⌈keep × (n − 1)⌉ tokens that the class token attends to most
            stay, of n, and the class token. ``mctf`` (arXiv 2403.10030): in each block, before
            attention mixes them, so many tokens are fused into similar ones; the queries and keys
            are made of all. ``slim`` (arXiv 2111.12624): behind the i-th of the blocks,
            ⌊keep^i × patches⌋ mixtures of the tokens stay, of weights that two layers compute.
        keep: share of the tokens that stays each time.
        remove: tokens that ``mctf`` fuses into others in each block, in place of ``keep``.
        at: blocks that leave tokens out; the first is 1.
    """

    method: Literal["evit", "mctf", "slim"] = "evit"
    keep: Annotated[Share, Field(gt=0.0)] | None = None
    remove: Count | None = None
    at: Annotated[tuple[Count, ...], Field(min_length=1)] = (4, 7, 10)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsity:
    """Blocks of weights that are zero, as LPViT prunes them (arXiv 2407.02068).

    Attributes:
        blocks: rows and columns of a block of a weight matrix.
        share: share of the blocks that is zero, rounded to whole blocks in each matrix.
        only: operators that it holds for.
    """

    blocks: tuple[Count, Count] = (32, 32)
    share: Annotated[Share, Field(lt=1.0)]
    only: Pattern = "*"


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class BitWidths:
    """Bits of weights and activations, in place of those of the model's precision.

    Attributes:
        weights: bits of a weight; those of the precision unless given.
        activations: bits of an activation; those of the precision unless given.
        only: operators that they hold for.
    """

    weights: Bits | None = None
    activations: Bits | None = None
    only: Pattern = "*"


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Arithmetic of products with weights.

    Attributes:
        kind: ``shift-add``: weights are powers of two, products are shifts and sums
            (arXiv 2306.06446).
        only: operators that it holds for.
    """

    kind: Literal["shift-add"] = "shift-add"
    only: Pattern = "*"


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """What is done to a graph, in this order.

    Attributes:
        tokens: tokens that are left out.
        sparsity: blocks of weights that are zero.
        bits: bits of weights and activations.
        arithmetic: arithmetic of products with weights.
    """

    tokens: Tokens | None = None
    sparsity: Sparsity | None = None
    bits: BitWidths | None = None
    arithmetic: Arithmetic | None = None
