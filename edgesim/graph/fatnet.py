"""FatNet (arXiv 2210.16914): a network of convolutions alone, for 4f accelerators."""

from __future__ import annotations

from math import isqrt

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import activation, add, batch_norm
from edgesim.graph.op import OpKind

_STAGES = {
    "conv1": [(64, 7)],
    "res1": [(64, 3), (64, 3)],
    "res2": [(64, 3), (64, 3)],
    "conv2": [(82, 4), (82, 5)],
    "res3": [(82, 5), (82, 5)],
    "conv3": [(78, 7), (78, 10)],
    "res4": [(78, 10), (78, 10)],
    "conv4": [(151, 10), (155, 10)],
    "res5": [(151, 10), (155, 10)],
}
"""(channels, kernel side) of each convolution; stages ``res`` are added to their input."""


def fatnet(build: Builder, *, classes: int) -> Graph:
    """Return FatNet as its authors train it for CIFAR-100: ResNet-18 whose maps do not shrink away.

    Each convolution keeps the size of its map and has a bias, batch normalisation and ReLU. The
    first is pooled to maps of 16 x 16, the first of ``conv2`` to √classes x √classes; the last
    convolution, ``classifier``, makes one such map of all channels: a pixel for each class.
    Channels and kernels are those of the authors' public code. Before the classifier these are the
    148,637 pairs of channels that the paper counts, so its printed times leave the classifier out.

    Raises:
        InputError: the number of classes is no square.
    """
    edge = isqrt(classes)
    if edge * edge != classes or not edge:
        raise InputError(f"model '{build.name}': classes must be a square, got {classes}")
    pooled = {"conv1.0": 16, "conv2.0": edge}
    stream, width, size = "", build.channels, build.in_size
    for stage, layers in _STAGES.items():
        entered = stream
        for index, (channels, kernel) in enumerate(layers):
            name = f"{stage}.{index}"
            stream = _convolve(build, name, stream, (width, channels), size, kernel)
            stream = batch_norm(build, f"{name}.norm", stream, channels)
            stream = activation(build, f"{name}.act", stream)
            width = channels
            if name in pooled:
                size = (pooled[name], pooled[name])
                stream = build.pointwise(
                    f"{name}.pool",
                    OpKind.POOL,
                    (stream,),
                    output_elements=width * size[0] * size[1],
                )
        if stage.startswith("res"):
            stream = add(build, f"{stage}.add", stream, entered)
    _convolve(build, "classifier", stream, (width, 1), size, 10)
    return build.graph()


def _convolve(
    build: Builder, name: str, stream: str, channels: tuple[int, int], size: Size, kernel: int
) -> str:
    """Add a convolution that keeps the size of its map; an even kernel pads less at the start."""
    made, _ = build.conv(
        f"{name}.conv" if name != "classifier" else name,
        (stream,) if stream else (),
        channels=channels,
        kernel=kernel,
        in_size=size,
        padding=(kernel - 1) // 2,
        keeps=True,
        bias=True,
    )
    return made
