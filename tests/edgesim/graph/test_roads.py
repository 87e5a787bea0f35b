"""The two roads to a graph, builders and tracing, against each other and torch's own counter."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgesim.graph import Graph, OpKind, zoo
from edgesim.graph.builder import Builder
from edgesim.graph.trace import trace
from edgesim.graph.vit import vit
from tests.edgesim.graph.references import Attention, ExplicitAttention, ViT, mobilenet_v2, resnet

SIZES = {
    "vit_tiny_patch16_224": (192, 12, 3),
    "vit_small_patch16_224": (384, 12, 6),
    "vit_base_patch16_224": (768, 12, 12),
}


def on_meta(name: str, attention: type[Attention] = Attention) -> nn.Module:
    with torch.device("meta"):
        if name in SIZES:
            width, depth, heads = SIZES[name]
            return ViT(width=width, depth=depth, heads=heads, attention=attention)
        if name == "deit_tiny_distilled_patch16_224":
            return ViT(width=192, depth=12, heads=3, distilled=True)
        if name == "mobilenetv2_100":
            return mobilenet_v2()
        return {
            "resnet18": lambda: resnet((2, 2, 2, 2), False),
            "resnet50": lambda: resnet((3, 4, 6, 3), True),
        }[name]()


def counted_macs(module: nn.Module, example: torch.Tensor) -> int:
    """What torch counts for the whole batch; it is right on ``meta`` tensors only."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(example)
    return counter.get_total_flops() // 2


def macs_by_kind(graph: Graph) -> Counter[OpKind]:
    totals: Counter[OpKind] = Counter()
    for op in graph:
        if op.macs:
            totals[op.kind] += op.macs
    return totals


NAMES = [*SIZES, "deit_tiny_distilled_patch16_224", "resnet18", "resnet50", "mobilenetv2_100"]


@pytest.mark.parametrize("name", NAMES)
def test_builder_trace_and_torch_agree_to_the_last_mac(name: str) -> None:
    module = on_meta(name).eval()
    example = torch.empty(2, 3, 224, 224, device="meta")
    built, traced = zoo.build(name), trace(module, example)
    # Exact: all three count the same products in integers.
    assert built.macs == traced.macs == counted_macs(module, example) // 2
    assert built.params == traced.params == sum(p.numel() for p in module.parameters())
    assert macs_by_kind(built) == macs_by_kind(traced)
    assert built.input_shape == traced.input_shape
    assert built.output_elements == traced.output_elements == 1000


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet50", "mobilenetv2_100"])
def test_products_have_the_same_geometry_in_the_same_order(name: str) -> None:
    built, traced = (
        zoo.build(name),
        trace(on_meta(name), torch.empty(3, 3, 224, 224, device="meta")),
    )

    def products(graph: Graph) -> Counter[object]:
        return Counter(
            (op.kind, op.macs, op.params, op.input_elements, op.output_elements, op.geometry)
            for op in graph
            if op.macs
        )

    assert products(built) == products(traced)


def test_fused_and_explicit_attention_are_the_same_graph_but_for_the_scale() -> None:
    example = torch.empty(1, 3, 224, 224, device="meta")
    name = "vit_tiny_patch16_224"
    fused = trace(on_meta(name), example)
    explicit = trace(on_meta(name, ExplicitAttention), example)
    assert macs_by_kind(fused) == macs_by_kind(explicit)
    assert fused.params == explicit.params
    # One multiplication by 1/√d in each of the 12 blocks.
    assert len(explicit) == len(fused) + 12


def test_traced_vit_is_the_built_one_operator_by_operator() -> None:
    built = zoo.build("vit_tiny_patch16_224", depth=2)
    with torch.device("meta"):
        module = ViT(width=192, depth=2, heads=3)
    traced = trace(module, torch.empty(4, 3, 224, 224, device="meta"))
    # Adding the class token and the positions is one operator there, two here.
    expected = [op.kind for op in built]
    expected.insert(1, OpKind.MEMORY)
    assert [op.kind for op in traced] == expected
    own = {"pos_embed", "tokens"} | {f"blocks.{i}.add{j}" for i in range(2) for j in (1, 2)}
    shared = [op for op in built if op.name not in own]
    assert {op.name for op in shared} <= {op.name for op in traced}
    for op in shared:
        twin = traced[op.name]
        assert (twin.macs, twin.params, twin.geometry) == (op.macs, op.params, op.geometry)
        assert twin.output_elements == op.output_elements


@settings(max_examples=12)
@given(
    heads=st.integers(1, 3),
    head_width=st.integers(1, 5),
    width=st.integers(1, 12),
    mlp_width=st.integers(1, 20),
    depth=st.integers(1, 2),
    classes=st.integers(1, 7),
    patch_size=st.integers(1, 3),
    side=st.integers(1, 3),
    channels=st.integers(1, 4),
    distilled=st.booleans(),
    batch=st.integers(1, 3),
)
def test_any_vit_is_the_same_on_both_roads(batch: int, side: int, **options: int) -> None:
    options["image_size"] = size = side * options["patch_size"]
    with torch.device("meta"):
        module = ViT(**options)  # type: ignore[arg-type]
        example = torch.empty(batch, options["channels"], size, size)
    build = Builder("vit", (options["channels"], size, size))
    own = {key: value for key, value in options.items() if key not in ("channels", "image_size")}
    built, traced = vit(build, **own), trace(module, example)
    assert traced.macs == built.macs
    assert traced.params == built.params == sum(p.numel() for p in module.parameters())
    assert macs_by_kind(traced) == macs_by_kind(built)
    assert traced.output_elements == built.output_elements == options["classes"]
    assert traced.cut_elements[0] == built.cut_elements[0]


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenetv2_100"])
def test_convolutional_models_have_the_same_operators_of_every_kind(name: str) -> None:
    traced = trace(on_meta(name), torch.empty(2, 3, 224, 224, device="meta"))
    assert Counter(op.kind for op in traced) == Counter(op.kind for op in zoo.build(name))
