"""Swin Transformer (arXiv 2103.14030), as timm builds it."""

from __future__ import annotations

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, head, mix, mlp, norm
from edgesim.graph.op import OpKind


def swin(
    name: str,
    *,
    classes: int = 1000,
    image_size: int = 224,
    channels: int = 3,
    width: int,
    depths: tuple[int, ...],
    heads: tuple[int, ...],
    window: int = 7,
) -> Graph:
    """Return a Swin Transformer: attention inside windows, shifted in every other block.

    Stages halve the edge and double the width, from 4x4 patches on. Attention has a learned bias
    for every relative position; shifting rolls the map there and back. Where windows do not tile
    the map, it is padded.

    Raises:
        InputError: the image cannot be halved for each stage.
    """
    step = 4 * 2 ** (len(depths) - 1)
    if image_size % step:
        raise InputError(
            f"model '{name}': an image of {image_size} pixels cannot be halved for each stage; "
            f"choose a multiple of {step}"
        )
    build = Builder(name, (channels, image_size, image_size))
    stream, (side, _) = build.conv(
        "patch_embed.proj", (), channels=(channels, width), kernel=4, stride=4,
        in_size=(image_size, image_size), bias=True,
    )  # fmt: skip
    stream = norm(build, "patch_embed.norm", stream, width)
    for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
        if stage:
            # Four neighbours become one token of four times the width, reduced to twice.
            merged, side = f"layers.{stage}.downsample", side // 2
            stream = norm(build, f"{merged}.norm", stream, 4 * width)
            stream = build.linear(
                f"{merged}.reduction", (stream,), rows=side * side,
                features=(4 * width, 2 * width), bias=False,
            )  # fmt: skip
            width *= 2
        for index in range(depth):
            stream = _block(
                build, f"layers.{stage}.blocks.{index}", stream, side, width, count,
                min(window, side), bool(index % 2) and side > window,
            )  # fmt: skip
    stream = norm(build, "norm", stream, width)
    head(build, stream, width, classes)
    return build.graph()


def _block(
    build: Builder,
    name: str,
    stream: str,
    side: int,
    width: int,
    heads: int,
    window: int,
    shifted: bool,
) -> str:
    windows = -(-side // window)
    padded = (windows * window) ** 2
    branch = norm(build, f"{name}.norm1", stream, width)
    if shifted:
        branch = build.pointwise(f"{name}.shift", OpKind.MEMORY, (branch,))
    if padded != side * side:
        branch = build.pointwise(
            f"{name}.pad", OpKind.MEMORY, (branch,), output_elements=padded * width
        )
    if windows > 1:
        branch = build.pointwise(f"{name}.partition", OpKind.MEMORY, (branch,))
    qkv = build.linear(f"{name}.attn.qkv", (branch,), rows=padded, features=(width, 3 * width))
    mixed = mix(
        build, f"{name}.attn", qkv, qkv, heads=heads * windows**2, rows=window**2,
        columns=window**2, head_width=width // heads, bias=(2 * window - 1) ** 2 * heads,
    )  # fmt: skip
    branch = build.linear(f"{name}.attn.proj", (mixed,), rows=padded, features=(width, width))
    if windows > 1:
        branch = build.pointwise(f"{name}.reverse", OpKind.MEMORY, (branch,))
    if padded != side * side:
        branch = build.pointwise(
            f"{name}.crop", OpKind.MEMORY, (branch,), output_elements=side * side * width
        )
    if shifted:
        branch = build.pointwise(f"{name}.unshift", OpKind.MEMORY, (branch,))
    stream = add(build, f"{name}.add1", branch, stream)
    branch = norm(build, f"{name}.norm2", stream, width)
    branch = mlp(build, f"{name}.mlp", branch, side * side, width, 4 * width)
    return add(build, f"{name}.add2", branch, stream)
