"""Tracing of what systems add to Transformers, against torch's own counter and sums by hand."""

from __future__ import annotations

from math import log2

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgesim.graph import Graph, OpKind
from edgesim.graph.trace import trace
from tests.edgesim.graph.mechanisms import (
    HEADS,
    IMAGE,
    MECHANISMS,
    SIDE,
    WIDTH,
    Fourier,
    Merging,
    Recursive,
    Tokens,
    Wavelet,
    Windowed,
)  # fmt: skip


def traced(kind: type[nn.Module], batch: int = 1) -> Graph:
    return trace(Tokens(kind()), torch.zeros(batch, *IMAGE))


@pytest.mark.parametrize("kind", MECHANISMS)
def test_macs_are_those_of_torchs_counter_and_no_operator_is_unknown(
    kind: type[nn.Module],
) -> None:
    module = Tokens(kind()).eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(1, *IMAGE, device="meta"))
    graph = traced(kind)
    assert graph.macs == counter.get_total_flops() // 2
    assert [op.name for op in graph if op.kind is OpKind.GENERIC] == []


@pytest.mark.parametrize("kind", MECHANISMS)
def test_the_batch_of_the_example_changes_nothing(kind: type[nn.Module]) -> None:
    assert list(traced(kind, 3)) == list(traced(kind, 1))


@pytest.mark.parametrize("kind", [one for one in MECHANISMS if one is not Wavelet])
def test_parameters_are_those_of_the_module(kind: type[nn.Module]) -> None:
    assert traced(kind).params == sum(p.numel() for p in Tokens(kind()).parameters())


def test_filters_that_are_buffers_are_weights_of_their_convolution() -> None:
    filters = 4 * WIDTH * 4  # four bands of 2x2 for each channel, for both directions
    module = Tokens(Wavelet())
    assert traced(Wavelet).params == sum(p.numel() for p in module.parameters()) + filters


def test_windows_are_copied_and_heads_are_not() -> None:
    copies = [op for op in traced(Windowed) if op.kind is OpKind.MEMORY]
    # Two rolls, and the map into windows and back; each moves the whole map.
    assert [op.output_elements for op in copies] == [SIDE * SIDE * WIDTH] * 4
    assert [op.kind for op in traced(Recursive) if op.kind is OpKind.MEMORY] == []


def test_shared_weights_count_once_and_their_work_each_time() -> None:
    graph = traced(Recursive)
    tokens = SIDE * SIDE
    qkv, mix, proj = 3 * tokens * WIDTH**2, 2 * tokens**2 * WIDTH, tokens * WIDTH**2
    stem, head = tokens * WIDTH * 48, WIDTH * 10
    assert graph.macs == stem + 3 * (qkv + mix + proj) + head
    assert sum(op.count for op in graph_geometries(graph) if op.rows == tokens) == 3 * 2 * HEADS + 6


def graph_geometries(graph: Graph) -> list[object]:
    return [op.geometry for op in graph if hasattr(op.geometry, "count")]


def test_transforms_count_flop_and_no_macs() -> None:
    graph = traced(Fourier)
    points = SIDE * SIDE
    forward, product, back = (op for op in graph if op.name.startswith("body"))
    for op in (forward, back):
        # A real transform of N points: 5/2 N log2 N, for each channel (FFTW's convention).
        assert (op.kind, op.macs) == (OpKind.FFT, 0)
        assert op.other_flop == op.flop == 2.5 * points * log2(points) * WIDTH
    # A complex number counts as two; of the frequencies of real data half and one are left.
    assert forward.output_elements == 2 * SIDE * (SIDE // 2 + 1) * WIDTH
    assert product.params == 2 * SIDE * (SIDE // 2 + 1) * WIDTH
    assert (product.kind, product.input_elements) == (OpKind.ELEMENTWISE, forward.output_elements)
    assert graph.flop == 2 * graph.macs + 2 * forward.other_flop


@pytest.mark.parametrize(
    ("transform", "flop"),
    [
        # Complex: 5 N log2 N; half of that where either side is real.
        (lambda x: torch.fft.fft(x), 5 // 2 * 0 + 2.5 * 16 * 4 * 6),
        (lambda x: torch.fft.fft(torch.complex(x, x)), 5 * 16 * 4 * 6),
        (lambda x: torch.fft.rfft(x, n=32), 2.5 * 32 * 5 * 6),
        (lambda x: torch.fft.irfft(torch.fft.rfft(x)), 2 * 2.5 * 16 * 4 * 6),
        (lambda x: torch.fft.fftn(torch.complex(x, x)), 5 * 96 * log2(96)),
    ],
)
def test_transforms_by_hand(transform: object, flop: float) -> None:
    class Transforms(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return transform(x)  # type: ignore[operator, no-any-return]

    # (2, 3, 16): six rows, or 96 points in all.
    graph = trace(Transforms(), torch.zeros(2, 3, 16), batch=1)
    assert graph.other_flop == pytest.approx(flop, abs=2)


def test_what_a_forward_pass_keeps_is_taken_back() -> None:
    body = Merging()
    graph = trace(Tokens(body), torch.zeros(2, *IMAGE))
    assert body.state == {"sizes": None, "seen": []}
    assert list(trace(Tokens(body), torch.zeros(2, *IMAGE))) == list(graph)


class Remembers(nn.Module):
    """Offsets of places, made at the first pass and held; a learned layer on them (ConViT)."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = torch.zeros(1, 1, 3)
        self.layer = nn.Linear(3, 4)
        self.query = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.offsets.shape[1] != 5:
            self.offsets = torch.arange(15.0).view(1, 5, 3)
        return self.query(x) @ self.layer(self.offsets.expand(len(x), -1, -1))


def test_a_constant_input_of_a_product_is_no_weight() -> None:
    module, example = Remembers(), torch.zeros(2, 3, 8)
    before = trace(module, example)
    assert module.offsets.shape == (1, 1, 3)
    module(example)
    after = trace(module, example)
    assert list(after) == list(before)
    assert after.params == sum(p.numel() for p in module.parameters())
