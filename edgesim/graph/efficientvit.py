"""EfficientViT with multi-scale linear attention (arXiv 2205.14756), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import activation, add, batch_norm, conv_norm, norm
from edgesim.graph.op import OpKind


def efficientvit(
    build: Builder,
    *,
    classes: int,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    head_width: int,
    features: tuple[int, int],
) -> Graph:
    """Return an EfficientViT: inverted residuals, and linear attention in the last two stages.

    Attention is relu(Q) (relu(K)ᵀ [V 1]), at the map's own scale and after a 5x5 aggregation; its
    last column is what the others are divided by. ``depths`` and ``widths`` begin with the stem;
    ``features`` are the widths of the head's two layers.
    """
    width = widths[0]
    stream, size = conv_norm(
        build, "stem.in_conv", "", (build.channels, width), build.in_size, kernel=3, stride=2,
        act=activation,
    )  # fmt: skip
    for index in range(depths[0]):
        block = f"stem.res{index}"
        branch, _ = conv_norm(
            build, f"{block}.depth_conv", stream, (width, width), size, kernel=3, groups=width,
            act=activation,
        )  # fmt: skip
        branch, _ = conv_norm(build, f"{block}.point_conv", branch, (width, width), size)
        stream = add(build, f"{block}.add", branch, stream)
    for stage, (depth, out) in enumerate(zip(depths[1:], widths[1:], strict=True)):
        attends = stage >= 2
        name = f"stages.{stage}.blocks"
        stream, size = _inverted(build, f"{name}.0", stream, size, (width, out), 2, not attends)
        width = out
        # The first of the blocks above is one of ``depth`` only where none attends.
        for index in range(1, depth + attends):
            block = f"{name}.{index}"
            if attends:
                branch = _attention(build, f"{block}.context", stream, size, width, head_width)
                stream = add(build, f"{block}.context.add", branch, stream)
            branch, _ = _inverted(
                build, f"{block}.local", stream, size, (width, width), 1, not attends
            )
            stream = add(build, f"{block}.add", branch, stream)
    stream, _ = conv_norm(build, "head.in_conv", stream, (width, features[0]), size, act=activation)
    stream = build.pointwise("head.pool", OpKind.POOL, (stream,), output_elements=features[0])
    if classes:
        stream = build.linear("head.fc1", (stream,), rows=1, features=features, bias=False)
        stream = norm(build, "head.norm", stream, features[1])
        stream = activation(build, "head.act", stream)
        build.linear("head.fc2", (stream,), rows=1, features=(features[1], classes))
    return build.graph()


def _inverted(
    build: Builder,
    name: str,
    stream: str,
    size: Size,
    channels: tuple[int, int],
    stride: int,
    normed: bool,
) -> tuple[str, Size]:
    """Add an inverted residual's branch; its first two layers have a bias where no norm follows."""
    hidden = 4 * channels[0]
    layers = (
        ("inverted_conv", (channels[0], hidden), 1, 1, 1),
        ("depth_conv", (hidden, hidden), 3, stride, hidden),
    )
    for layer, ends, kernel, step, groups in layers:
        stream, size = build.conv(
            f"{name}.{layer}.conv", (stream,), channels=ends, kernel=kernel, stride=step,
            padding=kernel // 2, groups=groups, in_size=size, bias=not normed,
        )  # fmt: skip
        if normed:
            stream = batch_norm(build, f"{name}.{layer}.norm", stream, hidden)
        stream = activation(build, f"{name}.{layer}.act", stream)
    return conv_norm(build, f"{name}.point_conv", stream, (hidden, channels[1]), size)


def _attention(
    build: Builder, name: str, stream: str, size: Size, width: int, head_width: int
) -> str:
    tokens, heads = size[0] * size[1], 2 * width // head_width
    qkv, _ = build.conv(
        f"{name}.qkv", (stream,), channels=(width, 3 * width), kernel=1, in_size=size
    )
    coarse, _ = build.conv(
        f"{name}.aggregate.0", (qkv,), channels=(3 * width, 3 * width), kernel=5, padding=2,
        groups=3 * width, in_size=size,
    )  # fmt: skip
    coarse, _ = build.conv(
        f"{name}.aggregate.1", (coarse,), channels=(3 * width, 3 * width), kernel=1,
        groups=3 * width // head_width, in_size=size,
    )  # fmt: skip
    both = build.pointwise(
        f"{name}.cat", OpKind.MEMORY, (coarse, qkv), output_elements=6 * width * tokens
    )
    third = 2 * width * tokens
    query, keys = (
        build.pointwise(f"{name}.{label}", OpKind.ACTIVATION, (both,), output_elements=third)
        for label in ("query", "key")
    )
    values = build.pointwise(
        f"{name}.pad", OpKind.MEMORY, (both,), output_elements=third + heads * tokens
    )
    summed = build.product(
        f"{name}.kv", (values, keys), count=heads, shape=(head_width, tokens, head_width + 1)
    )
    mixed = build.product(
        f"{name}.qkv_mix", (summed, query), count=heads, shape=(tokens, head_width, head_width + 1)
    )
    mixed = build.pointwise(f"{name}.divide", OpKind.ELEMENTWISE, (mixed,), output_elements=third)
    out, _ = conv_norm(build, f"{name}.proj", mixed, (2 * width, width), size)
    return out
