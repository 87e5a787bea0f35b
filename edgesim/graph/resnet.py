"""Residual networks (arXiv 1512.03385): timm's and torchvision's, and those for small images."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import activation, add, conv_norm, head
from edgesim.graph.op import OpKind

_NAMES = "conv1", "bn1", "act1"
"""Of the stem."""


def resnet(
    build: Builder,
    *,
    classes: int,
    blocks: tuple[int, int, int, int],
    bottleneck: bool,
) -> Graph:
    """Return a ResNet: a 7x7 stem, four stages of ``blocks`` residual blocks, and a linear head.

    Basic blocks have two 3x3 convolutions; bottleneck blocks 1x1, 3x3 (which takes the stride:
    version 1.5) and 1x1 with four times the width. Batch normalisation follows every convolution.
    """
    stream, size = conv_norm(
        build, _NAMES, "", (build.channels, 64), build.in_size, kernel=7, stride=2, act=activation,
    )  # fmt: skip
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
    head(build, stream, width, classes, names=("global_pool", "fc"))
    return build.graph()


def resnet_cifar(build: Builder, *, classes: int, blocks: int) -> Graph:
    """Return a ResNet with a 3x3 stem, four stages of ``blocks`` basic blocks, and a linear head.

    Each stage but the first halves its input by pooling and doubles its channels; shortcuts have no
    weights (zeros stand for the channels that they lack). With two blocks these are the layers that
    FatNet (arXiv 2210.16914) counts for its ResNet-18: 1,220,800 pairs of channels. How its
    shortcuts and its halvings go is not in print; pooled first, a layer takes the least of a plane.

    Raises:
        InputError: an image that is too small to halve three times.
    """
    stream, size = conv_norm(
        build, _NAMES, "", (build.channels, 64), build.in_size, kernel=3, act=activation
    )
    width = 64
    for stage in range(4):
        planes = 64 * 2**stage
        if stage:
            size = (size[0] // 2, size[1] // 2)
            stream = build.pointwise(
                f"layer{stage + 1}.pool",
                OpKind.POOL,
                (stream,),
                output_elements=width * size[0] * size[1],
            )
        for index in range(blocks):
            block = f"layer{stage + 1}.{index}"
            branch, _ = _branch(build, block, stream, size, width, [(planes, 3, 1)] * 2)
            stream = add(build, f"{block}.add", branch, stream)
            stream = activation(build, f"{block}.act2", stream)
            width = planes
    head(build, stream, width, classes, names=("global_pool", "fc"))
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
    branch, branch_size = _branch(build, name, stream, size, width, layers)
    if stride != 1 or width != out_width:
        names = f"{name}.downsample.0", f"{name}.downsample.1", ""
        stream, _ = conv_norm(build, names, stream, (width, out_width), size, stride=stride)
    stream = add(build, f"{name}.add", branch, stream)
    stream = activation(build, f"{name}.act{len(layers)}", stream)
    return stream, branch_size


def _branch(
    build: Builder,
    name: str,
    stream: str,
    size: Size,
    width: int,
    layers: list[tuple[int, int, int]],
) -> tuple[str, Size]:
    """Add convolutions, each (out channels, kernel, stride), with a nonlinearity between two."""
    for number, (out, kernel, step) in enumerate(layers, start=1):
        names = f"{name}.conv{number}", f"{name}.bn{number}", f"{name}.act{number}"
        stream, size = conv_norm(
            build, names, stream, (width, out), size, kernel=kernel, stride=step,
            act=activation if number < len(layers) else None,
        )  # fmt: skip
        width = out
    return stream, size
