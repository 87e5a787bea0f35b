"""Frames on light: those that the planner finds for the convolution that an operator is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.graph import Op, zoo
from edgesim.hardware import catalog
from optics.detection import FourShot
from optics.physical import Bench
from optics.tiling import KINDS, ConvShape, plan
from optics.tiling.shape import near_square
from tests.edgesim.hardware.optical import HOST, accelerator, chain, conv, linear

sizes = st.integers(1, 9)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Op, ConvShape]:
    """Return an operator and, made apart from it, the convolution that it is."""
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    size = draw(st.tuples(st.integers(5, 9), st.integers(5, 9)))
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    op = conv(
        "x", channels, size, kernel, stride=stride, padding=padding, dilation=dilation,
        groups=groups,
    )  # fmt: skip
    shape = ConvShape.of(
        (1, channels[0], *size), (channels[1], channels[0] // groups, *kernel), stride=stride,
        padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    return op, shape


@st.composite
def products(draw: st.DrawFn) -> tuple[Op, ConvShape]:
    rows, outs = draw(sizes), draw(sizes)
    side = draw(st.sampled_from([(1, 1), (1, 7), (2, 2), (2, 3), (3, 4), (1, 11), (4, 6)]))
    op = linear("x", rows, (side[0] * side[1], outs))
    return op, ConvShape.of((rows, 1, *side), (outs, 1, *side))


@settings(max_examples=40)
@given(
    layers=st.lists(st.one_of(convolutions(), products()), min_size=1, max_size=4),
    batch=st.integers(1, 5),
    plane=st.tuples(st.integers(24, 64), st.integers(24, 64)),
    along=st.sets(st.sampled_from(KINDS), min_size=1),
    signs=st.sampled_from([("field", 1), ("two-shot", 2), ("four-shot", 4)]),
)
def test_frames_are_the_planners_for_random_graphs(
    layers: list[tuple[Op, ConvShape]],
    batch: int,
    plane: tuple[int, int],
    along: set[str],
    signs: tuple[str, int],
) -> None:
    device = accelerator(plane=list(plane), along=sorted(along), signs=signs[0])
    assert device.plane == plane
    ops = [replace(op, name=f"layer-{number}") for number, (op, _) in enumerate(layers)]
    told = device.layers(chain(*ops), "fp32", batch)
    assert [layer.names for layer in told] == [(op.name,) for op in ops]
    for layer, (_, shape) in zip(told, layers, strict=True):
        assert layer.light is not None
        whole = replace(shape, batch=shape.batch * batch)
        expected = plan(whole, plane, passes=signs[1], along=along)  # type: ignore[arg-type]
        assert layer.light.exposures == expected.frames
        assert layer.light.layout.shape.macs == whole.macs


def test_an_even_kernel_that_keeps_the_size_is_planned_as_frameworks_pad_it() -> None:
    device = accelerator(plane=64)
    op = conv("conv", (2, 2), (10, 10), (4, 4), padding=(1, 1), out_size=(10, 10))
    (told,) = device.layers(chain(op), "fp32")
    assert told.light is not None
    shape = told.light.layout.shape
    assert shape == ConvShape.of((1, 2, 10, 10), (2, 2, 4, 4), padding="same")


def test_a_batch_shares_frames_as_tiling_allows() -> None:
    """Tiles of 9 pixels: a plane of 710 holds 78 x 78 images, so that 6,084 take one frame."""
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    graph = chain(conv("conv", (2, 3), (7, 7), (3, 3), padding=(1, 1)))

    def frames(batch: int) -> int:
        (told,) = device.layers(graph, "fp32", batch)
        assert told.light is not None
        return told.light.exposures

    assert frames(1) == frames(64) == frames(6084) == 2 * 3 * 4
    assert frames(6085) == 2 * frames(6084)
    one, many = (device.graph_cost(graph, "fp32", batch) for batch in (1, 64))
    assert many.time_s < 1.01 * one.time_s


def test_linear_layers_are_valid_convolutions_of_nearly_square_images() -> None:
    """ViT-B's first feed-forward layer: 197 tokens of 24 x 32 meet 3,072 kernels of that size."""
    assert [near_square(n) for n in (768, 192, 64, 7, 1)] == [
        (24, 32), (12, 16), (8, 8), (1, 7), (1, 1),
    ]  # fmt: skip
    graph = zoo.build("vit_base_patch16_224")
    timing = accelerator(plane=2160).timing(graph["blocks.0.mlp.fc1"], "fp32", batch=2)
    shape = timing.layout.shape
    assert shape == ConvShape.of((2 * 197, 1, 24, 32), (3072, 1, 24, 32))
    assert shape.out_size == (1, 1)
    assert shape.macs == 2 * graph["blocks.0.mlp.fc1"].macs


def test_linear_layers_may_be_pointwise_and_the_planner_may_choose() -> None:
    op = linear("fc", 6, (12, 20))
    frames = {}
    for reading in ("valid", "pointwise", "fewest"):
        timing = accelerator(plane=40, linear=reading).timing(op, "fp32", batch=3)
        frames[reading] = timing.exposures
        if reading == "pointwise":
            assert timing.layout.shape == ConvShape.of((3, 12, 2, 3), (20, 12, 1, 1))
    assert frames["fewest"] == min(frames["valid"], frames["pointwise"])
    # Where only images share a frame, a pixel for each feature is 12 times as many.
    images = {
        reading: accelerator(plane=40, linear=reading, along=["images"]).timing(op, "fp32", 3)
        for reading in ("valid", "pointwise", "fewest")
    }
    assert images["pointwise"].exposures == 12 * 20 * 4
    assert images["fewest"].exposures == images["valid"].exposures < 12 * 20 * 4


def test_products_with_weights_of_their_own_are_groups() -> None:
    timing = accelerator(plane=64).timing(linear("fc", 5, (12, 4), count=3), "fp32", batch=2)
    assert timing.layout.shape == ConvShape.of((10, 3, 3, 4), (12, 1, 3, 4), groups=3)


def test_binary_planes_are_exposures_of_every_image() -> None:
    graph = chain(conv("conv", (1, 1), (8, 8), (3, 3)))
    one, eight = (
        accelerator(preset="dmd-dlp7000", host=HOST, planes=planes).layers(graph, "fp32")[0].light
        for planes in (1, 8)
    )
    assert one is not None
    assert eight is not None
    assert eight.exposures == 8 * one.exposures
    assert eight.order.input_loads == 8 * one.order.input_loads
    assert eight.order.filter_loads == one.order.filter_loads


@pytest.mark.parametrize("name", ["dmd-dlp7000", "lcos-pluto", "fatnet-2160"])
def test_a_device_plans_as_the_bench_of_its_preset(name: str) -> None:
    shape = ConvShape(batch=4, in_channels=2, out_channels=6, size=(28, 28), kernel=(3, 3))
    bench = Bench.preset(name, scheme=FourShot())
    assert accelerator(preset=name).layout(shape) == bench.layout(shape)


def test_off_axis_filters_lay_images_alone_side_by_side() -> None:
    assert catalog.device("4f-dmd-dlp7000").along == ("images",)  # type: ignore[attr-defined]
    assert catalog.device("4f-lcos-pluto").along == ("images",)  # type: ignore[attr-defined]
    sharp = accelerator(preset="lcos-pluto", filter={"crosstalk": 0})
    assert sharp.along == KINDS
    assert accelerator(preset="lcos-pluto", along=["kernels"]).along == ("kernels",)


def test_tokens_that_share_kernels_are_images_of_a_batch() -> None:
    """ConvShareViT's tokens: one sample is 82 images of one channel."""
    op = conv("qkv", (1, 3), (8, 8), (8, 8))
    assert op.geometry is not None
    tokens = replace(op, geometry=replace(op.geometry, images=82))
    timing = accelerator(plane=128).timing(tokens, "fp32", batch=2)
    assert timing.layout.shape == ConvShape.of((164, 1, 8, 8), (3, 1, 8, 8))
