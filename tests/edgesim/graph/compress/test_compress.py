"""Compressed graphs against published cuts and sums by hand."""

from __future__ import annotations

from math import ceil

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import OpKind, zoo
from edgesim.graph.compress import Arithmetic, BitWidths, Compression, Sparsity, Tokens, compress
from edgesim.hardware import catalog

DEIT_S = "deit_small_patch16_224"


@pytest.mark.parametrize(("keep", "published"), [(0.7, 2.997e9), (0.5, 2.282e9)])
def test_evit_cuts_what_its_paper_says(keep: float, published: float) -> None:
    """Table 2 of arXiv 2202.07800 prints 3.0 and 2.3 G; traces of its code give these."""
    plain = zoo.build(DEIT_S)
    cut = compress(plain, Compression(tokens=Tokens(keep=keep, at=(4, 7, 10))))
    assert cut.macs == pytest.approx(published, rel=2e-4)
    assert cut.params == plain.params
    assert (cut.input_shape, cut.output_elements) == (plain.input_shape, 1000)


@pytest.mark.parametrize("keep", [0.5, 0.7, 0.9, 1.0])
def test_evit_by_hand(keep: float) -> None:
    width, now, macs = 384, 197, 196 * 768 * 384 + 384 * 1000
    for block in range(12):
        macs += 4 * now * width**2 + 2 * now**2 * width
        if block in (2, 5):
            now = ceil(keep * (now - 1)) + 1
        macs += 8 * now * width**2
    cut = compress(zoo.build(DEIT_S), Compression(tokens=Tokens(keep=keep, at=(3, 6))))
    assert cut.macs == macs
    last = cut["blocks.11.attn.qk"]
    assert last.output_elements == 6 * now**2
    assert last.input_elements == 2 * now * width
    mixed = cut["blocks.11.attn.av"]
    assert mixed.input_elements == 6 * now**2 + now * width
    assert cut["blocks.11.mlp.fc1"].input_elements == now * width
    assert cut["blocks.2.tokens"].output_elements == width * (ceil(keep * 196) + 1)
    assert cut.predecessors("blocks.2.norm2") == ["blocks.2.tokens"]


def test_fewer_tokens_take_less_time_and_memory() -> None:
    plain = zoo.build(DEIT_S)
    cut = compress(plain, Compression(tokens=Tokens(keep=0.5)))
    device = catalog.device("nvidia-a100")
    times = [device.graph_cost(graph, "fp16", 64).time_s for graph in (plain, cut)]
    assert times[1] < 0.7 * times[0]
    assert cut.cut_elements[-3] < plain.cut_elements[-3]


@pytest.mark.parametrize(
    ("name", "at"), [("resnet50", (4,)), (DEIT_S, (13,)), ("swin_tiny_patch4_window7_224", (1,))]
)
def test_graphs_without_such_blocks_are_refused(name: str, at: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"compress\.tokens\.at: .* has no block"):
        compress(zoo.build(name), Compression(tokens=Tokens(keep=0.5, at=at)))


def test_half_of_the_blocks_halve_the_products_with_weights() -> None:
    """LPViT removes half of DeiT-B's FLOP with blocks of 32x32: all its matrices divide by them."""
    plain = zoo.build("deit_base_patch16_224")
    how = Sparsity(blocks=(32, 32), share=0.5, only="blocks.*")
    sparse = compress(plain, Compression(sparsity=how))
    products = 12 * 12 * 197 * 768**2
    assert sparse.needed_macs == plain.macs - products // 2
    assert sparse.needed_macs / plain.macs == pytest.approx(0.5, abs=0.03)
    # A device that cannot skip blocks computes all of them.
    assert sparse.macs == plain.macs
    device = catalog.device("raspberry-pi-4b")
    assert device.graph_cost(sparse, "fp32") == device.graph_cost(plain, "fp32")


def test_blocks_are_whole() -> None:
    how = Sparsity(blocks=(32, 32), share=0.3, only="head")
    head = compress(zoo.build(DEIT_S), Compression(sparsity=how))["head"]
    # 12 x 32 blocks cover the 384 x 1000 weights.
    assert head.density == 1 - round(0.3 * 12 * 32) / (12 * 32)


def test_bits_by_pattern() -> None:
    plain = zoo.build(DEIT_S)
    how = BitWidths(weights=4, activations=8, only="*.mlp.*")
    few = compress(plain, Compression(bits=how))
    inside = 12 * (8 * 384**2 + 5 * 384)
    assert few.weight_bytes("fp32") == 4 * (plain.params - inside) + 0.5 * inside
    assert few["blocks.3.mlp.fc1"].arithmetic_bits == 8
    assert few["blocks.3.mlp.act"].activation_bits == 8
    assert few["blocks.3.attn.qkv"] == plain["blocks.3.attn.qkv"]
    whole = compress(plain, Compression(bits=BitWidths(weights=8)))
    assert whole.weight_bytes("fp32") == plain.params


def test_bits_of_everything_take_the_time_of_that_precision_or_less() -> None:
    plain = zoo.build(DEIT_S)
    few = compress(plain, Compression(bits=BitWidths(weights=8, activations=8)))
    device = catalog.device("nvidia-a100")
    wide, narrow = (device.graph_cost(graph, "fp16", 256).time_s for graph in (plain, few))
    assert narrow < wide


def test_shift_add_is_a_kind_of_its_own() -> None:
    plain = zoo.build(DEIT_S)
    made = compress(plain, Compression(arithmetic=Arithmetic(only="*.mlp.*")))
    kinds = {op.kind for op in made if ".mlp.fc" in op.name}
    assert kinds == {OpKind.SHIFT_LINEAR}
    assert made["blocks.0.attn.qkv"].kind is OpKind.LINEAR
    device = catalog.device("raspberry-pi-4b")
    assert device.graph_cost(made, "fp32") == device.graph_cost(plain, "fp32")


@pytest.mark.parametrize(
    "how",
    [
        Compression(bits=BitWidths(weights=4, only="nothing.*")),
        Compression(sparsity=Sparsity(share=0.5, only="*.softmax")),
        Compression(arithmetic=Arithmetic(only="*.norm1")),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(how: Compression) -> None:
    with pytest.raises(InputError, match=r"names no .*; its operators have names such as"):
        compress(zoo.build(DEIT_S), how)


def test_all_at_once_and_nothing() -> None:
    plain = zoo.build(DEIT_S)
    assert compress(plain, Compression()) is plain
    how = Compression(
        tokens=Tokens(keep=0.7), sparsity=Sparsity(share=0.5, only="*.mlp.*"),
        bits=BitWidths(weights=4, activations=8), arithmetic=Arithmetic(only="*.fc2"),
    )  # fmt: skip
    op = compress(plain, how)["blocks.11.mlp.fc2"]
    assert (op.kind, op.density, op.weight_bits) == (OpKind.SHIFT_LINEAR, 0.5, 4)
