"""MobileNetV2 (arXiv 1801.04381), as timm and torchvision build it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import activation, add, conv_norm, head

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
    stream, size = conv_norm(
        build, _names("conv_stem"), "", (channels, 32), (image_size, image_size), kernel=3,
        stride=2, act=activation,
    )  # fmt: skip
    width = 32
    for stage, (expansion, out, repeats, first_stride) in enumerate(_STAGES):
        for index in range(repeats):
            stride = 1 if index else first_stride
            stream, size = _inverted_residual(
                build, f"blocks.{stage}.{index}", stream, size, (width, out), expansion, stride
            )
            width = out
    stream, size = conv_norm(
        build, _names("conv_head"), stream, (width, 1280), size, act=activation
    )
    head(build, stream, 1280, classes, names=("global_pool", "classifier"))
    return build.graph()


def _names(conv: str) -> tuple[str, str, str]:
    return conv, f"{conv}.bn", f"{conv}.act"


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
    branch = stream
    if expansion != 1:
        branch, _ = conv_norm(
            build, _names(f"{name}.conv_pw"), branch, (width, hidden), size, act=activation
        )
    branch, size = conv_norm(
        build, _names(f"{name}.conv_dw"), branch, (hidden, hidden), size, kernel=3, stride=stride,
        groups=hidden, act=activation,
    )  # fmt: skip
    branch, _ = conv_norm(build, _names(f"{name}.conv_pwl"), branch, (hidden, out), size)
    if stride == 1 and width == out:
        branch = add(build, f"{name}.add", branch, stream)
    return branch, size
