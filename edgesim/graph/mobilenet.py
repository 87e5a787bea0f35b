"""MobileNetV2 (arXiv 1801.04381) and V3 (arXiv 1905.02244), as timm builds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import LayerName, activation, add, conv_norm, head
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
_BOTTLENECK = ("conv_pw", "conv_dw", "conv_pwl")
"""Layers of a block of MobileNetV2, by timm's names."""


def mobilenet_v2(build: Builder, *, classes: int) -> Graph:
    """Return MobileNetV2 of width 1: inverted residuals with linear bottlenecks."""
    stream, size = conv_norm(
        build, _names("conv_stem"), "", (build.channels, 32), build.in_size, kernel=3, stride=2,
        act=activation,
    )  # fmt: skip
    width = 32
    for stage, (expansion, out, repeats, first_stride) in enumerate(_STAGES):
        for index in range(repeats):
            stride = 1 if index else first_stride
            name = f"blocks.{stage}.{index}"
            layers = tuple(_names(f"{name}.{layer}") for layer in _BOTTLENECK)
            block = Bneck(3, width * expansion, out, False, stride)
            stream, size = _inverted_residual(build, name, layers, stream, size, width, block)
            width = out
    stream, size = conv_norm(
        build, _names("conv_head"), stream, (width, 1280), size, act=activation
    )
    head(build, stream, 1280, classes, names=("global_pool", "classifier"))
    return build.graph()


def _names(conv: str) -> tuple[str, str, str]:
    return conv, f"{conv}.bn", f"{conv}.act"


_STEM = 16


class Bneck(NamedTuple):
    """One row of the paper's tables 1 and 2.

    Attributes:
        kernel: kernel size of the depthwise convolution.
        hidden: channels that it works on; no expansion where they are those of the input.
        out: channels.
        squeezes: whether squeeze and excitation follow it.
        stride: stride of the depthwise convolution.
    """

    kernel: int
    hidden: int
    out: int
    squeezes: bool
    stride: int


def mobilenet_v3(
    build: Builder,
    *,
    classes: int,
    blocks: Sequence[Sequence[int]],
    features: int,
) -> Graph:
    """Return MobileNetV3 of width 1: inverted residuals with squeeze and excitation.

    Each of ``blocks`` has the fields of a :class:`Bneck`. The last convolution, to ``features``
    channels, stands after the pooling.
    """
    stream, size = conv_norm(
        build, "conv_stem", "", (build.channels, _STEM), build.in_size, kernel=3, stride=2,
        act=activation,
    )  # fmt: skip
    width = _STEM
    rows = [Bneck(*row) for row in blocks]  # type: ignore[arg-type]
    for index, block in enumerate(rows):
        name = f"blocks.{index}"
        layers = tuple(f"{name}.{layer}" for layer in ("expand", "depthwise", "project"))
        stream, size = _inverted_residual(build, name, layers, stream, size, width, block)
        width = block.out
    last = rows[-1].hidden
    stream, size = conv_norm(build, "conv_last", stream, (width, last), size, act=activation)
    stream = build.pointwise("global_pool", OpKind.POOL, (stream,), output_elements=last)
    stream = _one_pixel(build, "conv_head", stream, (last, features))
    stream = activation(build, "conv_head.act", stream)
    if classes:
        build.linear("classifier", (stream,), rows=1, features=(features, classes))
    return build.graph()


def _inverted_residual(
    build: Builder,
    name: str,
    layers: Sequence[LayerName],
    stream: str,
    size: Size,
    width: int,
    block: Bneck,
) -> tuple[str, Size]:
    """Add a block; ``layers`` names its expansion, depthwise convolution and projection."""
    hidden, (expand, depthwise, project) = block.hidden, layers
    branch = stream
    if hidden != width:
        branch, _ = conv_norm(build, expand, branch, (width, hidden), size, act=activation)
    branch, size = conv_norm(
        build, depthwise, branch, (hidden, hidden), size, kernel=block.kernel,
        stride=block.stride, groups=hidden, act=activation,
    )  # fmt: skip
    if block.squeezes:
        branch = _squeeze_excite(build, f"{name}.se", branch, hidden)
    branch, size = conv_norm(build, project, branch, (hidden, block.out), size)
    if block.stride == 1 and width == block.out:
        branch = add(build, f"{name}.add", branch, stream)
    return branch, size


def _squeeze_excite(build: Builder, name: str, stream: str, width: int) -> str:
    """Weigh the channels by what a small network makes of their means."""
    squeezed = _rounded(width / 4)
    gate = build.pointwise(f"{name}.pool", OpKind.POOL, (stream,), output_elements=width)
    gate = _one_pixel(build, f"{name}.reduce", gate, (width, squeezed))
    gate = activation(build, f"{name}.act", gate)
    gate = _one_pixel(build, f"{name}.expand", gate, (squeezed, width))
    gate = activation(build, f"{name}.gate", gate)
    return build.pointwise(f"{name}.scale", OpKind.ELEMENTWISE, (stream, gate))


def _rounded(width: float) -> int:
    """Return the nearest multiple of 8 that is not more than 10 % below."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


def _one_pixel(build: Builder, name: str, stream: str, channels: tuple[int, int]) -> str:
    stream, _ = build.conv(name, (stream,), channels=channels, kernel=1, in_size=(1, 1), bias=True)
    return stream
