"""Residual networks for small images (arXiv 1512.03385, section 4.2), as FatNet counts them."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.op import OpKind


def resnet_cifar(
    name: str,
    *,
    classes: int = 100,
    image_size: int = 32,
    channels: int = 3,
    blocks: int,
) -> Graph:
    """Return a ResNet with a 3x3 stem, four stages of ``blocks`` basic blocks, and a linear head.

    Each stage but the first halves its input by pooling and doubles its channels; shortcuts have no
    weights (zeros stand for the channels that they lack). With two blocks these are the layers that
    FatNet (arXiv 2210.16914) counts for its ResNet-18: 1,220,800 pairs of channels. How its
    shortcuts and its halvings go is not in print; pooled first, a layer takes the least of a plane.

    Raises:
        InputError: an image that is too small to halve three times.
    """
    build = Builder(name, (channels, image_size, image_size))
    size: Size = (image_size, image_size)
    stream, size = _conv(build, "conv1", "bn1", (), (channels, 64), size)
    stream = build.pointwise("act1", OpKind.ACTIVATION, (stream,))
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
            stream = _block(build, f"layer{stage + 1}.{index}", stream, (width, planes), size)
            width = planes
    stream = build.pointwise("global_pool", OpKind.POOL, (stream,), output_elements=width)
    if classes:
        build.linear("fc", (stream,), rows=1, features=(width, classes))
    return build.graph()


def _block(build: Builder, name: str, stream: str, widths: tuple[int, int], size: Size) -> str:
    width = widths[1]
    branch, _ = _conv(build, f"{name}.conv1", f"{name}.bn1", (stream,), widths, size)
    branch = build.pointwise(f"{name}.act1", OpKind.ACTIVATION, (branch,))
    branch, _ = _conv(build, f"{name}.conv2", f"{name}.bn2", (branch,), (width, width), size)
    stream = build.pointwise(f"{name}.add", OpKind.ELEMENTWISE, (branch, stream))
    return build.pointwise(f"{name}.act2", OpKind.ACTIVATION, (stream,))


def _conv(
    build: Builder,
    name: str,
    norm: str,
    inputs: tuple[str, ...],
    channels: tuple[int, int],
    size: Size,
) -> tuple[str, Size]:
    """Add a 3x3 convolution that keeps the size, and its batch normalisation."""
    out, size = build.conv(name, inputs, channels=channels, kernel=3, padding=1, in_size=size)
    normed = build.pointwise(norm, OpKind.BATCHNORM, (out,), params=2 * channels[1])
    return normed, size
