"""Operators to time: all kinds that models have, in sizes from a small part to a large model.

Each is a graph of one operator (of the three of attention, which run as one kernel), with the call
of torch that computes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from edgesim.calibrate.profile.limits import DTYPES
from edgesim.graph import ConvGeometry, Graph, OpKind
from edgesim.graph.builder import Builder

FUSED = (OpKind.SOFTMAX, OpKind.ATTENTION)
"""Kinds that torch runs in the kernel before them: ``scaled_dot_product_attention`` is one."""
_BLOCKS = ((17, 36, 3), (65, 64, 1), (50, 192, 3), (197, 192, 3), (197, 384, 6), (197, 768, 12))
"""Tokens, width and heads of Vision Transformers."""
_MAPS = ((24, 16), (48, 8), (64, 56), (128, 28), (256, 14))
"""Channels and side of the maps of convolutional models."""
_BATCHES = (1, 4)


@dataclass(frozen=True, slots=True)
class Sample:
    """An operator.

    Attributes:
        graph: graph of the operator.
        kind: operator kind that it is timed for.
        batch: samples of an execution.
        run: function that computes it once.
    """

    graph: Graph
    kind: OpKind
    batch: int
    run: Callable[[], object]

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.graph.name}, batch {self.batch}" if self.batch > 1 else self.graph.name


def samples(device: str, precision: str) -> list[Sample]:
    """Return the operators."""
    import torch

    make = _Maker(device, getattr(torch, DTYPES[precision]))
    found = []
    for batch in _BATCHES:
        for tokens, width, heads in _BLOCKS:
            hidden = 4 * width
            found += [
                make.linear(batch, tokens, width, 3 * width),
                make.linear(batch, tokens, width, hidden),
                make.linear(batch, tokens, hidden, width),
                make.linear(batch, 1, width, 10),
                make.attention(batch, tokens, heads, max(1, width // heads)),
                make.norm(batch, tokens, width),
                make.pointwise(batch, OpKind.TRANSCENDENTAL, tokens, hidden),
                make.pointwise(batch, OpKind.ELEMENTWISE, tokens, width),
                make.pointwise(batch, OpKind.SOFTMAX, heads * tokens, tokens),
                make.pointwise(batch, OpKind.MEMORY, tokens, width),
            ]
        found += [
            make.conv(batch, 1, 24, 32, 3, 2, 1),
            make.conv(batch, 24, 48, 16, 3, 2, 1),
            make.conv(batch, 64, 36, 4, 1, 1, 0),
        ]
        for channels, side in _MAPS:
            found += [
                make.conv(batch, channels, channels, side, 3, 1, 1),
                make.conv(batch, channels, channels, side, 1, 1, 0),
                make.conv(batch, channels, channels, side, 3, 1, 1, depthwise=True),
                make.pointwise(batch, OpKind.ACTIVATION, channels, side * side),
                make.batchnorm(batch, channels, side),
                make.pool(batch, channels, side),
            ]
        found.append(make.conv(batch, 3, 768, 224, 16, 16, 0))
    return found


class _Maker:
    """Makes operators with random weights and inputs."""

    def __init__(self, device: str, dtype: Any) -> None:
        import torch
        from torch.nn import functional

        self._torch = functional
        self._device = device
        self._dtype = dtype
        self._generator = torch.Generator(device).manual_seed(0)

    def _noise(self, *shape: int) -> Any:
        import torch

        drawn = torch.randn(*shape, device=self._device, generator=self._generator)
        return drawn.to(self._dtype)

    def linear(self, batch: int, rows: int, inner: int, columns: int) -> Sample:
        build = Builder(f"linear {rows}x{inner}x{columns}", (rows * inner,))
        build.linear("op", (), rows=rows, features=(inner, columns))
        x, weight = self._noise(batch, rows, inner), self._noise(columns, inner)
        bias = self._noise(columns)
        return Sample(
            build.graph(), OpKind.LINEAR, batch, lambda: self._torch.linear(x, weight, bias)
        )

    def attention(self, batch: int, tokens: int, heads: int, width: int) -> Sample:
        build = Builder(f"attention {heads}x{tokens}x{width}", (3 * heads * tokens * width,))
        scores = build.product("qk", (), count=heads, shape=(tokens, width, tokens))
        weights = build.pointwise("softmax", OpKind.SOFTMAX, (scores,))
        build.product("av", (weights,), count=heads, shape=(tokens, tokens, width))
        q, k, v = self._noise(3, batch, heads, tokens, width)
        return Sample(
            build.graph(),
            OpKind.ATTENTION,
            batch,
            lambda: self._torch.scaled_dot_product_attention(q, k, v),
        )

    def norm(self, batch: int, rows: int, width: int) -> Sample:
        build = Builder(f"norm {rows}x{width}", (rows * width,))
        build.pointwise("op", OpKind.NORM, (), params=2 * width)
        x, weight, bias = self._noise(batch, rows, width), self._noise(width), self._noise(width)
        return Sample(
            build.graph(),
            OpKind.NORM,
            batch,
            lambda: self._torch.layer_norm(x, (width,), weight, bias),
        )

    def batchnorm(self, batch: int, channels: int, side: int) -> Sample:
        build = Builder(f"batchnorm {channels}x{side}x{side}", (channels * side * side,))
        build.pointwise("op", OpKind.BATCHNORM, (), params=2 * channels)
        x = self._noise(batch, channels, side, side)
        mean, weight, bias = (self._noise(channels) for _ in range(3))
        variance = self._noise(channels).square() + 1.0
        return Sample(
            build.graph(),
            OpKind.BATCHNORM,
            batch,
            lambda: self._torch.batch_norm(x, mean, variance, weight, bias),
        )

    def pool(self, batch: int, channels: int, side: int) -> Sample:
        build = Builder(f"pool {channels}x{side}x{side}", (channels * side * side,))
        build.pointwise("op", OpKind.POOL, (), output_elements=channels)
        x = self._noise(batch, channels, side, side)
        return Sample(
            build.graph(), OpKind.POOL, batch, lambda: self._torch.adaptive_avg_pool2d(x, 1)
        )

    def pointwise(self, batch: int, kind: OpKind, rows: int, width: int) -> Sample:
        import torch

        x, y = self._noise(batch, rows, width), self._noise(batch, rows, width)
        run: dict[OpKind, Callable[[], object]] = {
            OpKind.TRANSCENDENTAL: partial(self._torch.gelu, x),
            OpKind.ACTIVATION: partial(self._torch.relu, x),
            OpKind.ELEMENTWISE: lambda: x + y,
            OpKind.SOFTMAX: lambda: torch.softmax(x, -1),
            OpKind.MEMORY: lambda: torch.cat((x, y), 1),
        }
        two = kind in (OpKind.ELEMENTWISE, OpKind.MEMORY)
        elements = rows * width
        build = Builder(f"{kind.value} {rows}x{width}", (elements * (2 if two else 1),))
        output_elements = 2 * elements if kind is OpKind.MEMORY else elements
        build.pointwise("op", kind, (), output_elements=output_elements)
        return Sample(build.graph(), kind, batch, run[kind])

    def conv(
        self,
        batch: int,
        inner: int,
        outer: int,
        side: int,
        kernel: int,
        stride: int,
        padding: int,
        *,
        depthwise: bool = False,
    ) -> Sample:
        groups = inner if depthwise else 1
        kind = "depthwise" if depthwise else "conv"
        build = Builder(
            f"{kind} {kernel}x{kernel} {inner}→{outer}, {side}x{side}", (inner * side**2,)
        )
        build.conv(
            "op", (), channels=(inner, outer), kernel=kernel, in_size=(side, side),
            stride=stride, padding=padding, groups=groups, bias=True,
        )  # fmt: skip
        graph = build.graph()
        assert isinstance(graph.ops[0].geometry, ConvGeometry)
        x = self._noise(batch, inner, side, side)
        weight = self._noise(outer, inner // groups, kernel, kernel)
        bias = self._noise(outer)
        run = partial(self._torch.conv2d, x, weight, bias, stride, padding, 1, groups)
        return Sample(graph, graph.ops[0].kind, batch, run)
