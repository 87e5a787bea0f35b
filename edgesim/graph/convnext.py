"""ConvNeXt (arXiv 2201.03545), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, embed_patches, head, mlp, norm, scale


def convnext(
    build: Builder,
    *,
    classes: int,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
) -> Graph:
    """Return a ConvNeXt: a 4x4 patch stem and four stages of ``depths`` blocks.

    A block is a 7x7 depthwise convolution, layer normalisation, a feed-forward layer of four times
    the width, a learned scale and a residual sum.
    """
    channels = (build.channels, widths[0])
    stream, size = embed_patches(build, "stem.0", "", channels, 4, build.in_size)
    stream = norm(build, "stem.1", stream, widths[0])
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            down, before = f"stages.{stage}.downsample", widths[stage - 1]
            stream = norm(build, f"{down}.0", stream, before)
            stream, size = embed_patches(build, f"{down}.1", stream, (before, width), 2, size)
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
