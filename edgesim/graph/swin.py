"""Swin Transformer (arXiv 2103.14030), as timm builds it."""

from __future__ import annotations

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.layers import (
    add,
    attention,
    embed_patches,
    feed_forward,
    from_windows,
    head,
    into_windows,
    norm,
)
from edgesim.graph.op import OpKind


def swin(
    build: Builder,
    *,
    classes: int,
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
    step, (side, _) = 4 * 2 ** (len(depths) - 1), build.in_size
    if side % step:
        raise InputError(
            f"model '{build.name}': an image of {side} pixels cannot be halved for each stage; "
            f"choose a multiple of {step}"
        )
    channels = (build.channels, width)
    stream, (side, _) = embed_patches(build, "patch_embed.proj", "", channels, 4, build.in_size)
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
    size = (side, side)
    branch = norm(build, f"{name}.norm1", stream, width)
    if shifted:
        branch = build.pointwise(f"{name}.shift", OpKind.MEMORY, (branch,))
    branch, windows = into_windows(build, name, branch, size, window, width)
    branch = attention(
        build, f"{name}.attn", branch, width, heads=heads, rows=window**2,
        head_width=width // heads, windows=windows, bias=(2 * window - 1) ** 2 * heads,
    )  # fmt: skip
    branch = from_windows(build, name, branch, size, window, windows, width)
    if shifted:
        branch = build.pointwise(f"{name}.unshift", OpKind.MEMORY, (branch,))
    stream = add(build, f"{name}.add1", branch, stream)
    return feed_forward(build, name, stream, side * side, width, 4 * width)
