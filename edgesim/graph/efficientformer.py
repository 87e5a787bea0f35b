"""EfficientFormer (arXiv 2206.01191), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import (
    activation,
    add,
    attention,
    conv_norm,
    gelu,
    mlp,
    norm,
    scale,
    two_heads,
)
from edgesim.graph.op import OpKind

_HEADS = 8
_KEY_WIDTH = 32
_VALUE_WIDTH = 128


def efficientformer(
    build: Builder,
    *,
    classes: int,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    attending: int = 1,
) -> Graph:
    """Return an EfficientFormer: stages of pooling blocks; the last ``attending`` blocks attend.

    A pooling block mixes by the difference of 3x3 average pooling and its input, then by two 1x1
    convolutions. The attention has a learned bias by the distance of two positions. Two classifiers
    are averaged.
    """
    stream, size, before = "", build.in_size, build.channels
    for name, width in (("stem.1", widths[0] // 2), ("stem.2", widths[0])):
        stream, size = conv_norm(
            build, name, stream, (before, width), size, kernel=3, stride=2, bias=True,
            act=activation,
        )  # fmt: skip
        before = width
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            stream, size = conv_norm(
                build, f"stages.{stage}.downsample", stream, (widths[stage - 1], width), size,
                kernel=3, stride=2, bias=True,
            )  # fmt: skip
        last = stage == len(depths) - 1
        for index in range(depth):
            block = f"stages.{stage}.blocks.{index}"
            attends = last and index >= depth - attending
            stream = (_attending if attends else _pooling)(build, block, stream, size, width)
    width = widths[-1]
    stream = norm(build, "norm", stream, width)
    stream = build.pointwise("global_pool", OpKind.POOL, (stream,), output_elements=width)
    if classes:
        two_heads(build, stream, width, classes)
    return build.graph()


def _pooling(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    pooled = build.pointwise(f"{name}.token_mixer.pool", OpKind.POOL, (stream,))
    branch = add(build, f"{name}.token_mixer.sub", pooled, stream)
    branch = scale(build, f"{name}.ls1", branch, width)
    stream = add(build, f"{name}.add1", branch, stream)
    branch, _ = conv_norm(
        build, f"{name}.mlp.fc1", stream, (width, 4 * width), size, bias=True, act=gelu
    )
    branch, _ = conv_norm(build, f"{name}.mlp.fc2", branch, (4 * width, width), size, bias=True)
    branch = scale(build, f"{name}.ls2", branch, width)
    return add(build, f"{name}.add2", branch, stream)


def _attending(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    tokens = size[0] * size[1]
    branch = norm(build, f"{name}.norm1", stream, width)
    branch = attention(
        build, f"{name}.token_mixer", branch, width, heads=_HEADS, rows=tokens,
        head_width=_KEY_WIDTH, value_width=_VALUE_WIDTH, bias=_HEADS * tokens,
    )  # fmt: skip
    branch = scale(build, f"{name}.ls1", branch, width)
    stream = add(build, f"{name}.add1", branch, stream)
    branch = norm(build, f"{name}.norm2", stream, width)
    branch = mlp(build, f"{name}.mlp", branch, tokens, width, 4 * width)
    branch = scale(build, f"{name}.ls2", branch, width)
    return add(build, f"{name}.add2", branch, stream)
