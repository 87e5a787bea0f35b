"""ConvNeXt (arXiv 2201.03545), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, head, mlp, norm, scale


def convnext(
    name: str,
    *,
    classes: int = 1000,
    image_size: int = 224,
    channels: int = 3,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
) -> Graph:
    """Return a ConvNeXt: a 4x4 patch stem and four stages of ``depths`` blocks.

    A block is a 7x7 depthwise convolution, layer normalisation, a feed-forward layer of four times
    the width, a learned scale and a residual sum.
    """
    build = Builder(name, (channels, image_size, image_size))
    stream, size = build.conv(
        "stem.0", (), channels=(channels, widths[0]), kernel=4, stride=4,
        in_size=(image_size, image_size), bias=True,
    )  # fmt: skip
    stream = norm(build, "stem.1", stream, widths[0])
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            before = widths[stage - 1]
            stream = norm(build, f"stages.{stage}.downsample.0", stream, before)
            stream, size = build.conv(
                f"stages.{stage}.downsample.1", (stream,), channels=(before, width), kernel=2,
                stride=2, in_size=size, bias=True,
            )  # fmt: skip
        for index in range(depth):
            stream = _block(build, f"stages.{stage}.blocks.{index}", stream, size, width)
    head(build, stream, widths[-1], classes, normed=True)
    return build.graph()


def _block(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    branch, _ = build.conv(
        f"{name}.conv_dw", (stream,), channels=(width, width), kernel=7, padding=3, groups=width,
        in_size=size, bias=True,
    )  # fmt: skip
    branch = norm(build, f"{name}.norm", branch, width)
    branch = mlp(build, f"{name}.mlp", branch, size[0] * size[1], width, 4 * width)
    branch = scale(build, f"{name}.gamma", branch, width)
    return add(build, f"{name}.add", branch, stream)
