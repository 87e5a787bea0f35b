"""TinyViT (arXiv 2207.10666), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import (
    add,
    attention,
    conv_norm,
    from_windows,
    gelu,
    head,
    into_windows,
    mlp,
    norm,
)


def tiny_vit(
    build: Builder,
    *,
    classes: int,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    heads: tuple[int, ...],
    windows: tuple[int, ...],
) -> Graph:
    """Return a TinyViT: inverted residuals first, then stages of attention inside windows.

    A block has attention with a learned bias by distance, a 3x3 depthwise convolution and a
    feed-forward layer. Where windows do not tile the map, it is padded. ``heads`` and ``windows``
    are those of the stages after the first.
    """
    stream, size = conv_norm(
        build, "patch_embed.conv1", "", (build.channels, widths[0] // 2), build.in_size, kernel=3,
        stride=2, act=gelu,
    )  # fmt: skip
    stream, size = conv_norm(
        build, "patch_embed.conv2", stream, (widths[0] // 2, widths[0]), size, kernel=3, stride=2
    )
    for index in range(depths[0]):
        stream = _inverted(build, f"stages.0.blocks.{index}", stream, size, widths[0])
    for stage in range(1, len(depths)):
        width = widths[stage]
        stream, size = _merge(
            build, f"stages.{stage}.downsample", stream, size, (widths[stage - 1], width)
        )
        for index in range(depths[stage]):
            block = f"stages.{stage}.blocks.{index}"
            shape = (width, heads[stage - 1], windows[stage - 1])
            stream = _attention(build, block, stream, size, shape)
            stream, _ = conv_norm(
                build, f"{block}.local_conv", stream, (width, width), size, kernel=3, groups=width
            )
            branch = norm(build, f"{block}.mlp.norm", stream, width)
            branch = mlp(build, f"{block}.mlp", branch, size[0] * size[1], width, 4 * width)
            stream = add(build, f"{block}.add2", branch, stream)
    head(build, stream, widths[-1], classes, normed=True)
    return build.graph()


def _inverted(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    hidden = 4 * width
    branch, _ = conv_norm(build, f"{name}.conv1", stream, (width, hidden), size, act=gelu)
    branch, _ = conv_norm(
        build, f"{name}.conv2", branch, (hidden, hidden), size, kernel=3, groups=hidden,
        act=gelu,
    )  # fmt: skip
    branch, _ = conv_norm(build, f"{name}.conv3", branch, (hidden, width), size)
    return gelu(build, f"{name}.act3", add(build, f"{name}.add", branch, stream))


def _merge(
    build: Builder, name: str, stream: str, size: Size, channels: tuple[int, int]
) -> tuple[str, Size]:
    width = channels[1]
    stream, size = conv_norm(build, f"{name}.conv1", stream, channels, size, act=gelu)
    stream, size = conv_norm(
        build, f"{name}.conv2", stream, (width, width), size, kernel=3, stride=2, groups=width,
        act=gelu,
    )  # fmt: skip
    return conv_norm(build, f"{name}.conv3", stream, (width, width), size)


def _attention(
    build: Builder, name: str, stream: str, size: Size, shape: tuple[int, int, int]
) -> str:
    width, heads, window = shape
    branch, windows = into_windows(build, name, stream, size, window, width)
    branch = norm(build, f"{name}.attn.norm", branch, width)
    branch = attention(
        build, f"{name}.attn", branch, width, heads=heads, rows=window**2,
        head_width=width // heads, windows=windows, bias=heads * window**2,
    )  # fmt: skip
    branch = from_windows(build, name, branch, size, window, windows, width)
    return add(build, f"{name}.add1", branch, stream)
