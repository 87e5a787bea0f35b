"""Small accelerators and graphs for tests of the 4f device."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, Op, OpKind
from edgesim.hardware import catalog
from edgesim.hardware.optical_4f import Optical4F

HOST: dict[str, Any] = {
    "peak": {"fp32": "100 GFLOP/s"},
    "memory": {"bandwidth": "100 GB/s"},
    "power": {"idle": "40 W", "busy": "65 W"},
}
"""Arithmetic that moves four bytes does 25 G a second on it, bound by memory."""


def accelerator(**mapping: Any) -> Optical4F:
    """Return the accelerator of a mapping, by default without limits but its pixels."""
    device = catalog.from_mapping("light", {"kind": "optical-4f", "preset": "ideal", **mapping})
    assert isinstance(device, Optical4F)
    return device


def conv(
    name: str,
    channels: tuple[int, int],
    size: tuple[int, int],
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    out_size: tuple[int, int] | None = None,
) -> Op:
    """Return a convolution; its output's size follows unless given."""
    height, width = out_size or tuple(
        (size[n] + 2 * padding[n] - dilation[n] * (kernel[n] - 1) - 1) // stride[n] + 1
        for n in (0, 1)
    )
    weights = channels[0] // groups * channels[1] * kernel[0] * kernel[1]
    return Op(
        name=name,
        kind=OpKind.DEPTHWISE if 1 < groups == channels[0] else OpKind.CONV,
        macs=weights * height * width,
        params=weights,
        input_elements=channels[0] * size[0] * size[1],
        output_elements=channels[1] * height * width,
        geometry=ConvGeometry(
            in_channels=channels[0], out_channels=channels[1], kernel=kernel, stride=stride,
            padding=padding, dilation=dilation, groups=groups, in_size=size,
            out_size=(height, width),
        ),
    )  # fmt: skip


def linear(name: str, rows: int, features: tuple[int, int], count: int = 1) -> Op:
    """Return ``count`` products of rows with a weight matrix (in features, out features)."""
    inner, columns = features
    return Op(
        name=name,
        kind=OpKind.LINEAR,
        macs=count * rows * inner * columns,
        params=count * inner * columns,
        input_elements=count * rows * inner,
        output_elements=count * rows * columns,
        geometry=MatmulGeometry(rows=rows, inner=inner, columns=columns, count=count),
    )


def pointwise(name: str, kind: OpKind, elements: int) -> Op:
    """Return an operator without products."""
    return Op(name=name, kind=kind, input_elements=elements, output_elements=elements)


def chain(*ops: Op, name: str = "chain") -> Graph:
    """Return operators one after another."""
    edges = [(a.name, b.name) for a, b in pairwise(ops)]
    return Graph(name, ops, edges)
