"""Pyramid Vision Transformer v2 (arXiv 2106.13797), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, embed_patches, gelu, head, mix, norm

_HEADS = (1, 2, 5, 8)
_REDUCTIONS = (8, 4, 2, 1)
_EXPANSIONS = (8, 8, 4, 4)


def pvt_v2(
    build: Builder,
    *,
    classes: int,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
) -> Graph:
    """Return a PVT v2: four stages with overlapping patches and attention over a reduced map.

    Keys and values come from the map after a strided convolution; the feed-forward layer holds a
    3x3 depthwise convolution.
    """
    stream, size, before = "", build.in_size, build.channels
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        # The first patches are of 7x7 pixels with stride 4, later ones of 3x3 with stride 2.
        prefix = f"stages.{stage}"
        patch = f"{prefix}.downsample" if stage else "patch_embed"
        kernel, stride = (3, 2) if stage else (7, 4)
        stream, size = build.conv(
            f"{patch}.proj", (stream,) if stream else (), channels=(before, width),
            kernel=kernel, stride=stride, padding=kernel // 2, in_size=size, bias=True,
        )  # fmt: skip
        stream = norm(build, f"{patch}.norm", stream, width)
        for index in range(depth):
            block = f"{prefix}.blocks.{index}"
            shape = (width, _HEADS[stage], _REDUCTIONS[stage])
            stream = _attention(build, block, stream, size, shape)
            stream = _feed_forward(build, block, stream, size, width, _EXPANSIONS[stage] * width)
        stream = norm(build, f"{prefix}.norm", stream, width)
        before = width
    head(build, stream, before, classes)
    return build.graph()


def _attention(
    build: Builder, name: str, stream: str, size: Size, shape: tuple[int, int, int]
) -> str:
    width, heads, reduction = shape
    tokens = size[0] * size[1]
    normed = norm(build, f"{name}.norm1", stream, width)
    query = build.linear(f"{name}.attn.q", (normed,), rows=tokens, features=(width, width))
    source, reduced = normed, size
    if reduction > 1:
        source, reduced = embed_patches(
            build, f"{name}.attn.sr", normed, (width, width), reduction, size
        )
        source = norm(build, f"{name}.attn.norm", source, width)
    keys = reduced[0] * reduced[1]
    key_value = build.linear(f"{name}.attn.kv", (source,), rows=keys, features=(width, 2 * width))
    mixed = mix(
        build, f"{name}.attn", query, key_value, heads=heads, rows=tokens, columns=keys,
        head_width=width // heads,
    )  # fmt: skip
    branch = build.linear(f"{name}.attn.proj", (mixed,), rows=tokens, features=(width, width))
    return add(build, f"{name}.add1", branch, stream)


def _feed_forward(
    build: Builder, name: str, stream: str, size: Size, width: int, hidden: int
) -> str:
    tokens = size[0] * size[1]
    branch = norm(build, f"{name}.norm2", stream, width)
    branch = build.linear(f"{name}.mlp.fc1", (branch,), rows=tokens, features=(width, hidden))
    branch, _ = build.conv(
        f"{name}.mlp.dwconv", (branch,), channels=(hidden, hidden), kernel=3, padding=1,
        groups=hidden, in_size=size, bias=True,
    )  # fmt: skip
    branch = gelu(build, f"{name}.mlp.act", branch)
    branch = build.linear(f"{name}.mlp.fc2", (branch,), rows=tokens, features=(hidden, width))
    return add(build, f"{name}.add2", branch, stream)
