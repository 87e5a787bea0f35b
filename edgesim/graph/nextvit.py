"""Next-ViT (arXiv 2207.05501), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import activation, add, batch_norm, conv_norm, head, mix
from edgesim.graph.op import OpKind

_STEM = ((64, 2), (32, 1), (64, 1), (64, 2))
_HEAD_WIDTH = 32
_ATTENDING_SHARE = 0.75
_REDUCTIONS = (8, 4, 2, 1)

Stages = tuple[tuple[tuple[int, bool], ...], ...]


def nextvit(build: Builder, *, classes: int, stages: Stages) -> Graph:
    """Return a Next-ViT: convolutional blocks, and hybrid blocks that also attend.

    ``stages`` has (channels, whether it attends) of each block of each stage. A convolutional
    block mixes by a grouped 3x3 convolution, 32 channels in a group. A hybrid block attends with
    three quarters of its channels to an averaged map and convolves the rest.
    """
    stream, size, before = "", build.in_size, build.channels
    for index, (width, stride) in enumerate(_STEM):
        stream, size = conv_norm(
            build, f"stem.{index}", stream, (before, width), size, kernel=3, stride=stride,
            act=activation,
        )  # fmt: skip
        before = width
    for stage, blocks in enumerate(stages):
        for index, (width, attends) in enumerate(blocks):
            block = f"stages.{stage}.blocks.{index}"
            inner = int(_ATTENDING_SHARE * width) if attends else width
            if stage and not index:
                size = (size[0] // 2, size[1] // 2)
                stream = build.pointwise(
                    f"{block}.patch_embed.pool", OpKind.POOL, (stream,),
                    output_elements=before * size[0] * size[1],
                )  # fmt: skip
            if before != inner:
                stream, _ = conv_norm(build, f"{block}.patch_embed", stream, (before, inner), size)
            if attends:
                shape = (inner, width - inner, _REDUCTIONS[stage])
                stream = _attending(build, block, stream, size, shape)
            else:
                stream = _grouped(build, f"{block}.mhca", stream, size, width)
            stream = _feed_forward(build, block, stream, size, width, 2 if attends else 3)
            before = width
    stream = batch_norm(build, "norm", stream, before)
    head(build, stream, before, classes)
    return build.graph()


def _grouped(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    branch, _ = conv_norm(
        build, name, stream, (width, width), size, kernel=3, groups=width // _HEAD_WIDTH,
        act=activation,
    )  # fmt: skip
    branch, _ = build.conv(
        f"{name}.projection", (branch,), channels=(width, width), kernel=1, in_size=size
    )
    return add(build, f"{name}.add", branch, stream)


def _attending(
    build: Builder, name: str, stream: str, size: Size, shape: tuple[int, int, int]
) -> str:
    width, rest, reduction = shape
    tokens = keys = size[0] * size[1]
    attention = f"{name}.e_mhsa"
    source = normed = batch_norm(build, f"{name}.norm1", stream, width)
    query = build.linear(f"{attention}.q", (normed,), rows=tokens, features=(width, width))
    if reduction > 1:
        keys //= reduction**2
        source = build.pointwise(
            f"{attention}.sr", OpKind.POOL, (normed,), output_elements=keys * width
        )
        source = batch_norm(build, f"{attention}.norm", source, width)
    # Keys and values have weights of their own; one product of both is the same work.
    pair = build.linear(f"{attention}.kv", (source,), rows=keys, features=(width, 2 * width))
    mixed = mix(
        build, attention, query, pair, heads=width // _HEAD_WIDTH, rows=tokens, columns=keys,
        head_width=_HEAD_WIDTH,
    )  # fmt: skip
    branch = build.linear(f"{attention}.proj", (mixed,), rows=tokens, features=(width, width))
    stream = add(build, f"{attention}.add", branch, stream)
    convolved, _ = conv_norm(build, f"{name}.projection", stream, (width, rest), size)
    convolved = _grouped(build, f"{name}.mhca", convolved, size, rest)
    return build.pointwise(
        f"{name}.cat", OpKind.MEMORY, (stream, convolved), output_elements=(width + rest) * tokens
    )


def _feed_forward(
    build: Builder, name: str, stream: str, size: Size, width: int, expansion: int
) -> str:
    hidden = expansion * width
    branch = batch_norm(build, f"{name}.norm2", stream, width)
    branch, _ = build.conv(
        f"{name}.mlp.fc1", (branch,), channels=(width, hidden), kernel=1, in_size=size, bias=True
    )
    branch = activation(build, f"{name}.mlp.act", branch)
    branch, _ = build.conv(
        f"{name}.mlp.fc2", (branch,), channels=(hidden, width), kernel=1, in_size=size, bias=True
    )
    return add(build, f"{name}.add2", branch, stream)
