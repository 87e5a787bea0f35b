"""VOLO, Vision Outlooker (arXiv 2106.13112), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import (
    activation,
    add,
    attention,
    conv_norm,
    embed_patches,
    feed_forward,
    mix,
    norm,
)
from edgesim.graph.op import OpKind

_STEM = 64
_KERNEL = 3
_EXPANSION = 3
_HEAD_WIDTH = 32
_CLASS_BLOCKS = 2


def volo(
    build: Builder,
    *,
    classes: int,
    widths: tuple[int, int],
    outlookers: int,
    transformers: int,
) -> Graph:
    """Return a VOLO: outlookers on patches of 8 pixels, transformers on patches of 16.

    An outlooker makes the weights of every 3x3 neighbourhood from its centre by a linear layer. At
    the end a class token attends twice, and its answer is joined by the best one of any patch.
    """
    stream, size = conv_norm(
        build, "patch_embed.conv.0", "", (build.channels, _STEM), build.in_size, kernel=7, stride=2,
        act=activation,
    )  # fmt: skip
    for index in (1, 2):
        stream, size = conv_norm(
            build, f"patch_embed.conv.{index}", stream, (_STEM, _STEM), size, kernel=3,
            act=activation,
        )  # fmt: skip
    stream, size = embed_patches(build, "patch_embed.proj", stream, (_STEM, widths[0]), 4, size)
    for index in range(outlookers):
        stream = _outlooker(build, f"network.0.{index}", stream, size, widths[0])
    stream, size = embed_patches(build, "network.1.proj", stream, widths, 2, size)
    width, tokens = widths[1], size[0] * size[1]
    stream = build.pointwise("pos_embed", OpKind.ELEMENTWISE, (stream,), params=tokens * width)
    for index in range(transformers):
        stream = _transformer(build, f"network.2.{index}", stream, tokens, width)
    stream = build.pointwise(
        "cls_token", OpKind.MEMORY, (stream,), params=width, output_elements=(tokens + 1) * width
    )
    for index in range(_CLASS_BLOCKS):
        stream = _class_block(build, f"post_network.{index}", stream, tokens + 1, width)
    stream = norm(build, "norm", stream, width)
    first, others = (
        build.pointwise(label, OpKind.MEMORY, (stream,), output_elements=count * width)
        for label, count in (("class", 1), ("patches", tokens))
    )
    if classes:
        answer = build.linear("head", (first,), rows=1, features=(width, classes))
        each = build.linear("aux_head", (others,), rows=tokens, features=(width, classes))
        best = build.pointwise("aux_head.max", OpKind.POOL, (each,), output_elements=classes)
        build.pointwise("sum", OpKind.ELEMENTWISE, (answer, best))
    return build.graph()


def _outlooker(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    pixels, centres = size[0] * size[1], -(-size[0] // 2) * -(-size[1] // 2)
    heads, window = width // _HEAD_WIDTH, _KERNEL**2
    normed = norm(build, f"{name}.norm1", stream, width)
    values = build.linear(
        f"{name}.attn.v", (normed,), rows=pixels, features=(width, width), bias=False
    )
    values = build.pointwise(
        f"{name}.attn.unfold", OpKind.MEMORY, (values,), output_elements=window * width * centres
    )
    pooled = build.pointwise(
        f"{name}.attn.pool", OpKind.POOL, (normed,), output_elements=width * centres
    )
    weights = build.linear(
        f"{name}.attn.attn", (pooled,), rows=centres, features=(width, heads * window**2)
    )
    weights = build.pointwise(f"{name}.attn.softmax", OpKind.SOFTMAX, (weights,))
    mixed = build.product(
        f"{name}.attn.av", (weights, values), count=heads * centres,
        shape=(window, window, _HEAD_WIDTH),
    )  # fmt: skip
    branch = build.pointwise(
        f"{name}.attn.fold", OpKind.MEMORY, (mixed,), output_elements=width * pixels
    )
    branch = build.linear(f"{name}.attn.proj", (branch,), rows=pixels, features=(width, width))
    stream = add(build, f"{name}.add1", branch, stream)
    return feed_forward(build, name, stream, pixels, width, _EXPANSION * width)


def _transformer(build: Builder, name: str, stream: str, tokens: int, width: int) -> str:
    branch = norm(build, f"{name}.norm1", stream, width)
    branch = attention(
        build, f"{name}.attn", branch, width, heads=width // _HEAD_WIDTH, rows=tokens,
        head_width=_HEAD_WIDTH, qkv_bias=False,
    )  # fmt: skip
    stream = add(build, f"{name}.add1", branch, stream)
    return feed_forward(build, name, stream, tokens, width, _EXPANSION * width)


def _class_block(build: Builder, name: str, stream: str, tokens: int, width: int) -> str:
    """Let the class token alone attend to all tokens, and pass on."""
    normed = norm(build, f"{name}.norm1", stream, width)
    pair = build.linear(
        f"{name}.attn.kv", (normed,), rows=tokens, features=(width, 2 * width), bias=False
    )
    query = build.linear(f"{name}.attn.q", (normed,), rows=1, features=(width, width), bias=False)
    mixed = mix(
        build, f"{name}.attn", query, pair, heads=width // _HEAD_WIDTH, rows=1, columns=tokens,
        head_width=_HEAD_WIDTH,
    )  # fmt: skip
    branch = build.linear(f"{name}.attn.proj", (mixed,), rows=1, features=(width, width))
    own = build.pointwise(f"{name}.cls", OpKind.MEMORY, (stream,), output_elements=width)
    own = add(build, f"{name}.add1", branch, own)
    own = feed_forward(build, name, own, 1, width, _EXPANSION * width)
    return build.pointwise(
        f"{name}.cat", OpKind.MEMORY, (own, stream), output_elements=tokens * width
    )
