"""MobileNetV2 (arXiv 1801.04381), as timm and torchvision build it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.op import OpKind

# expansion, out channels, repeats, stride of the first (table 2 of the paper)
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    name: str, *, classes: int = 1000, image_size: int = 224, channels: int = 3
) -> Graph:
    """Return MobileNetV2 of width 1: inverted residuals with linear bottlenecks."""
    build = Builder(name, (channels, image_size, image_size))
    stream, size = _conv(
        build, "conv_stem", "", (channels, 32), 3, 2, 1, (image_size, image_size), True
    )
    width = 32
    for stage, (expansion, out, repeats, first_stride) in enumerate(_STAGES):
        for index in range(repeats):
            stride = 1 if index else first_stride
            stream, size = _inverted_residual(
                build, f"blocks.{stage}.{index}", stream, size, (width, out), expansion, stride
            )
            width = out
    stream, size = _conv(build, "conv_head", stream, (width, 1280), 1, 1, 1, size, True)
    stream = build.pointwise("global_pool", OpKind.POOL, (stream,), output_elements=1280)
    if classes:
        build.linear("classifier", (stream,), rows=1, features=(1280, classes))
    return build.graph()


def _conv(
    build: Builder,
    name: str,
    source: str,
    channels: tuple[int, int],
    kernel: int,
    stride: int,
    groups: int,
    in_size: Size,
    active: bool,
) -> tuple[str, Size]:
    """Add a convolution with batch normalisation and, where ``active``, ReLU6."""
    stream, size = build.conv(
        name, (source,) if source else (), channels=channels, kernel=kernel, stride=stride,
        padding=kernel // 2, groups=groups, in_size=in_size,
    )  # fmt: skip
    stream = build.pointwise(f"{name}.bn", OpKind.BATCHNORM, (stream,), params=2 * channels[1])
    if active:
        stream = build.pointwise(f"{name}.act", OpKind.ACTIVATION, (stream,))
    return stream, size


def _inverted_residual(
    build: Builder,
    name: str,
    stream: str,
    size: Size,
    channels: tuple[int, int],
    expansion: int,
    stride: int,
) -> tuple[str, Size]:
    width, out = channels
    hidden = width * expansion
    branch, branch_size = stream, size
    if expansion != 1:
        branch, branch_size = _conv(
            build, f"{name}.conv_pw", branch, (width, hidden), 1, 1, 1, branch_size, True
        )
    branch, branch_size = _conv(
        build, f"{name}.conv_dw", branch, (hidden, hidden), 3, stride, hidden, branch_size, True
    )
    branch, branch_size = _conv(
        build, f"{name}.conv_pwl", branch, (hidden, out), 1, 1, 1, branch_size, False
    )
    if stride == 1 and width == out:
        branch = build.pointwise(f"{name}.add", OpKind.ELEMENTWISE, (branch, stream))
    return branch, branch_size
