"""ConvShareViT's graph against the torch model of `optics.convshare`, and its layers on light."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgesim.common.errors import InputError
from edgesim.graph import ConvGeometry, Graph, OpKind, zoo
from edgesim.graph.builder import Builder
from edgesim.graph.convshare import convshare
from edgesim.graph.trace import trace
from edgesim.hardware.crossbar.counts import product_of
from edgesim.hardware.optical_4f.shapes import shape_of
from optics.convshare import MIXINGS, ConvShareConfig, ConvShareViT, Mixing, shapes


def small(mixing: Mixing) -> tuple[Graph, ConvShareConfig]:
    graph = convshare(
        Builder("small", (2, 12, 12)), patch_size=4, depth=2, classes=7, token_map=(4, 6), heads=3,
        mlp_ratio=2, mixing=mixing,
    )  # fmt: skip
    config = ConvShareConfig(
        image=12, patch=4, depth=2, classes=7, channels=2, map=(4, 6), heads=3, mlp_ratio=2,
        qkv=mixing, projection=mixing, mlp=mixing,
    )  # fmt: skip
    return graph, config


def counted_macs(module: nn.Module, example: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(example)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("mixing", MIXINGS)
def test_parameters_and_macs_are_those_of_the_torch_model(mixing: Mixing) -> None:
    graph, config = small(mixing)
    model = ConvShareViT(config).eval()
    assert graph.params == sum(p.numel() for p in model.parameters())
    # Only on meta tensors does torch count the products within fused attention.
    example = torch.empty(3, 2, 12, 12, device="meta")
    assert 3 * graph.macs == counted_macs(model.to("meta"), example)


def test_the_precursors_model_by_hand() -> None:
    graph = zoo.build("convsharevit_72")
    tokens, width = 82, 64
    block = tokens * width * width * (3 + 1 + 2 + 2) + 2 * tokens**2 * width
    assert graph.macs == 81 * width * 3 * 64 + 8 * block + 100 * width
    assert graph.input_shape == (3, 72, 72)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_layers_on_light_are_those_of_the_model(mixing: Mixing) -> None:
    graph, config = small(mixing)
    wanted = shapes(config, batch=5)
    assert {name: shape_of(graph[name], 5) for name in wanted} == wanted


@pytest.mark.parametrize("mixing", MIXINGS)
def test_the_traced_model_has_the_same_products(mixing: Mixing) -> None:
    graph, config = small(mixing)
    traced = trace(ConvShareViT(config).eval(), torch.empty(3, 2, 12, 12))

    def products(of: Graph) -> Counter[object]:
        return Counter((op.macs, op.params, op.geometry) for op in of if op.macs)

    assert products(traced) == products(graph)


def test_a_processor_sees_linear_layers_where_kernels_cover_the_map() -> None:
    valid, same = zoo.build("convsharevit_72"), zoo.build("convsharevit_same_72")
    assert {op.kind for op in valid if "mlp.fc" in op.name} == {OpKind.LINEAR}
    assert {op.kind for op in same if "mlp.fc" in op.name} == {OpKind.CONV}
    geometry = valid["blocks.0.mlp.fc2"].geometry
    assert isinstance(geometry, ConvGeometry)
    assert (geometry.images, geometry.in_channels, geometry.out_size) == (82, 2, (1, 1))


def test_a_crossbar_multiplies_what_the_linear_layers_do() -> None:
    (linear, _), (valid, _) = small("linear"), small("shared-valid")
    names = [f"blocks.1.{layer}" for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
    assert [product_of(valid[name], 5) for name in names] == [
        product_of(linear[name], 5) for name in names
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"image_size": 70},
            "'convsharevit_72': patches tile the image; got 70 pixels and patches of 8",
        ),
        ({"heads": 4}, "it takes classes, image_size, channels, patch_size, depth"),
    ],
)
def test_sizes_that_do_not_divide(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        zoo.build("convsharevit_72", **options)
