"""ConViT (arXiv 2103.10697), as timm builds it."""

from __future__ import annotations

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, attention, embed_patches, feed_forward, norm
from edgesim.graph.op import OpKind

_OFFSETS = 3


def convit(
    build: Builder,
    *,
    classes: int,
    patch_size: int = 16,
    width: int,
    depth: int,
    heads: int,
    positional: int,
) -> Graph:
    """Return a ConViT: a ViT whose first ``positional`` blocks also attend by position.

    Their attention is a gated mean of two matrices, one of content and one of a linear layer on
    the offset of two patches; it is computed anew for each sample. The class token enters after
    them.

    Raises:
        InputError: the patches do not tile the image.
    """
    if build.in_size[0] % patch_size:
        raise InputError(
            f"model '{build.name}': patches of {patch_size} pixels do not tile an image of "
            f"{build.in_size[0]}; "
            f"choose an image size that is a multiple of {patch_size}"
        )
    channels = (build.channels, width)
    stream, grid = embed_patches(build, "patch_embed.proj", "", channels, patch_size, build.in_size)
    tokens = grid[0] * grid[1]
    stream = build.pointwise("pos_embed", OpKind.ELEMENTWISE, (stream,), params=tokens * width)
    for index in range(depth):
        if index == positional:
            tokens += 1
            stream = build.pointwise(
                "cls_token", OpKind.MEMORY, (stream,), params=width, output_elements=tokens * width
            )
        block = f"blocks.{index}"
        branch = norm(build, f"{block}.norm1", stream, width)
        if index < positional:
            branch = _gated(build, f"{block}.attn", branch, tokens, width, heads)
        else:
            branch = attention(
                build, f"{block}.attn", branch, width, heads=heads, rows=tokens,
                head_width=width // heads, qkv_bias=False,
            )  # fmt: skip
        stream = add(build, f"{block}.add1", branch, stream)
        stream = feed_forward(build, block, stream, tokens, width, 4 * width)
    stream = norm(build, "norm", stream, width)
    stream = build.pointwise("tokens", OpKind.MEMORY, (stream,), output_elements=width)
    if classes:
        build.linear("head", (stream,), rows=1, features=(width, classes))
    return build.graph()


def _gated(build: Builder, name: str, stream: str, tokens: int, width: int, heads: int) -> str:
    pair = build.linear(
        f"{name}.qk", (stream,), rows=tokens, features=(width, 2 * width), bias=False
    )
    values = build.linear(f"{name}.v", (stream,), rows=tokens, features=(width, width), bias=False)
    # Offsets are constants; they stand behind the stream so as not to keep the image in memory.
    offsets = build.pointwise(
        f"{name}.offsets", OpKind.MEMORY, (stream,), output_elements=_OFFSETS * tokens**2
    )
    places = build.linear(
        f"{name}.pos_proj", (offsets,), rows=tokens**2, features=(_OFFSETS, heads)
    )
    scores = build.product(
        f"{name}.scores", (pair,), count=heads, shape=(tokens, width // heads, tokens)
    )
    scores = build.pointwise(f"{name}.softmax", OpKind.SOFTMAX, (scores,))
    places = build.pointwise(f"{name}.pos_softmax", OpKind.SOFTMAX, (places,))
    weights = build.pointwise(f"{name}.gate", OpKind.ELEMENTWISE, (scores, places), params=heads)
    total = build.pointwise(f"{name}.sum", OpKind.POOL, (weights,), output_elements=heads * tokens)
    weights = build.pointwise(f"{name}.divide", OpKind.ELEMENTWISE, (weights, total))
    mixed = build.product(
        f"{name}.av", (weights, values), count=heads, shape=(tokens, tokens, width // heads)
    )
    return build.linear(f"{name}.proj", (mixed,), rows=tokens, features=(width, width))
