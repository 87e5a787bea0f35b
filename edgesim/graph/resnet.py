"""Residual networks (arXiv 1512.03385), as timm and torchvision build them."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.op import OpKind


def resnet(
    name: str,
    *,
    classes: int = 1000,
    image_size: int = 224,
    channels: int = 3,
    blocks: tuple[int, int, int, int],
    bottleneck: bool,
) -> Graph:
    """Return a ResNet: a 7x7 stem, four stages of ``blocks`` residual blocks, and a linear head.

    Basic blocks have two 3x3 convolutions; bottleneck blocks 1x1, 3x3 (which takes the stride:
    version 1.5) and 1x1 with four times the width. Batch normalisation follows every convolution.
    """
    build = Builder(name, (channels, image_size, image_size))
    stream, size = build.conv(
        "conv1", (), channels=(channels, 64), kernel=7, stride=2, padding=3,
        in_size=(image_size, image_size),
    )  # fmt: skip
    stream = build.pointwise("bn1", OpKind.BATCHNORM, (stream,), params=128)
    stream = build.pointwise("act1", OpKind.ACTIVATION, (stream,))
    size = ((size[0] - 1) // 2 + 1, (size[1] - 1) // 2 + 1)
    stream = build.pointwise(
        "maxpool", OpKind.POOL, (stream,), output_elements=64 * size[0] * size[1]
    )
    width = 64
    expansion = 4 if bottleneck else 1
    for stage, count in enumerate(blocks):
        planes = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            stream, size = _block(
                build, f"layer{stage + 1}.{index}", stream, size, width, planes, stride, bottleneck
            )
            width = planes * expansion
    stream = build.pointwise("global_pool", OpKind.POOL, (stream,), output_elements=width)
    if classes:
        build.linear("fc", (stream,), rows=1, features=(width, classes))
    return build.graph()


def _block(
    build: Builder,
    name: str,
    stream: str,
    size: Size,
    width: int,
    planes: int,
    stride: int,
    bottleneck: bool,
) -> tuple[str, Size]:
    out_width = planes * (4 if bottleneck else 1)
    # (out channels, kernel, stride) of each convolution
    layers = [(planes, 3, stride), (planes, 3, 1)]
    if bottleneck:
        layers = [(planes, 1, 1), (planes, 3, stride), (out_width, 1, 1)]
    branch, branch_size, branch_width = stream, size, width
    for number, (out, kernel, step) in enumerate(layers, start=1):
        branch, branch_size = build.conv(
            f"{name}.conv{number}", (branch,), channels=(branch_width, out), kernel=kernel,
            stride=step, padding=kernel // 2, in_size=branch_size,
        )  # fmt: skip
        branch = build.pointwise(f"{name}.bn{number}", OpKind.BATCHNORM, (branch,), params=2 * out)
        if number < len(layers):
            branch = build.pointwise(f"{name}.act{number}", OpKind.ACTIVATION, (branch,))
        branch_width = out
    if stride != 1 or width != out_width:
        stream, _ = build.conv(
            f"{name}.downsample.0", (stream,), channels=(width, out_width), kernel=1,
            stride=stride, in_size=size,
        )  # fmt: skip
        stream = build.pointwise(
            f"{name}.downsample.1", OpKind.BATCHNORM, (stream,), params=2 * out_width
        )
    stream = build.pointwise(f"{name}.add", OpKind.ELEMENTWISE, (branch, stream))
    stream = build.pointwise(f"{name}.act{len(layers)}", OpKind.ACTIVATION, (stream,))
    return stream, branch_size
