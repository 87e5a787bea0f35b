"""Layers on light: times and joules by hand, and what stays electronic."""

from __future__ import annotations

import math

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import Graph, OpKind, zoo
from edgesim.hardware import Device
from tests.edgesim.hardware.optical import HOST, accelerator, chain, conv, pointwise


def test_is_a_device() -> None:
    device = accelerator(host=HOST)
    assert isinstance(device, Device)
    assert (device.kind, device.cores, device.precisions()) == ("optical-4f", 1, ("fp32",))


def test_time_and_joules_of_one_small_layer_by_hand() -> None:
    """One image of 32 x 32 and one kernel of 3 x 3 on the system of mirrors, four passes."""
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    layer = conv("conv", (1, 1), (32, 32), (3, 3))
    (told,) = device.layers(chain(layer), "fp32")
    light = told.light
    assert light is not None
    # Two kernels (+ and -), each with two images (+ and -): four exposures.
    assert (light.exposures, light.order.input_loads, light.order.filter_loads) == (4, 4, 2)
    # Six binary patterns of 768 x 1024 go out: 98,304 bytes each. Four frames of 1024 x 1024 x 12
    # bit come in: 1,572,864 bytes each. The link carries 7.88 GB/s.
    assert (light.traffic.out_bytes, light.traffic.in_bytes) == (589_824, 6_291_456)
    out_s, in_s = 74.8508e-6, 798.4081e-6
    # Each exposure takes 12.5 us of settling and 37.5 us of light, 50 us.
    optics_s = 200e-6
    # The host makes 900 outputs of four detected values at three operations, and four patterns of
    # 1,024 pixels at two: 18,992 operations, which move four bytes each at 100 GB/s: 25 G/s.
    host_s = 18_992 / 25e9
    # The link in is longest; of the others one exposure's share is left, then 30.72 us of loading
    # before and 50 us of readout after.
    total_s = in_s + (out_s + optics_s + host_s) / 4 + 30.72e-6 + 50e-6
    assert told.time_s == pytest.approx(total_s, rel=1e-6)
    # Laser 0.1 W of light at 10 %; mirrors 20 W each; camera 100 W; host 40 W, 65 W where it works.
    by_hand = {
        "laser": 1.0 * total_s,
        "input": 20.0 * total_s,
        "filter": 20.0 * total_s,
        "camera": 100.0 * total_s,
        "host": 40.0 * total_s + 25.0 * host_s,
    }
    cost = device.graph_cost(chain(layer), "fp32")
    assert cost.by_part_j == pytest.approx(by_hand, rel=1e-6)
    assert cost.power_w * cost.time_s == pytest.approx(181.0 * 948.03e-6 + 25 * host_s, rel=1e-5)
    assert math.fsum(cost.by_part_j.values()) == pytest.approx(cost.power_w * cost.time_s)


def test_kernels_in_a_memory_of_the_filter_do_not_cross_the_link() -> None:
    """As by hand above: two of six patterns are the filter's, 98,304 bytes each."""
    layer = chain(conv("conv", (1, 1), (32, 32), (3, 3)))
    sent, stored = (
        accelerator(preset="dmd-dlp7000", host=HOST, stored_kernels=stored).layers(layer, "fp32")[0]
        for stored in (False, True)
    )
    assert sent.light is not None
    assert stored.light is not None
    assert stored.light.traffic.out_bytes == 4 * 98_304
    assert stored.light.order == sent.light.order
    # The link out is not the longest: a fourth of what it does not carry is saved.
    assert sent.time_s - stored.time_s == pytest.approx(2 * 98_304 / 7.88e9 / 4, rel=1e-9)


def test_what_light_does_not_do_runs_on_the_host_after_it_while_every_part_draws() -> None:
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    layer = conv("conv", (1, 1), (32, 32), (3, 3))
    norm = pointwise("norm", OpKind.NORM, 900)
    lit, electronic = device.layers(chain(layer, norm), "fp32")
    # 900 numbers of four bytes in and out at 100 GB/s.
    assert (electronic.names, electronic.light) == (("norm",), None)
    assert electronic.time_s == pytest.approx(7200 / 100e9)
    assert electronic.by_part_j == pytest.approx(
        {part: watts * 72e-9 for part, watts in
         {"laser": 1.0, "input": 20.0, "filter": 20.0, "camera": 100.0, "host": 65.0}.items()}
    )  # fmt: skip
    cost = device.graph_cost(chain(layer, norm), "fp32")
    assert cost.time_s == pytest.approx(lit.time_s + 72e-9, rel=1e-12)


def test_converters_are_parts_where_a_power_does_not_hold_them() -> None:
    """DAC 2.6 pJ (CiMLoop's Albireo table), an ADC of 10 pJ; pixels of whole planes."""
    device = accelerator(
        plane=64, input={"dac_energy": "2.6 pJ"}, filter={"dac_energy": "2.6 pJ"},
        camera={"adc_energy": "10 pJ"}, signs="two-shot",
    )  # fmt: skip
    cost = device.graph_cost(chain(conv("conv", (1, 1), (8, 8), (3, 3))), "fp32")
    # One pattern of images, two of kernels, two frames.
    assert cost.by_part_j["dac"] == pytest.approx(3 * 64 * 64 * 2.6e-12)
    assert cost.by_part_j["adc"] == pytest.approx(2 * 64 * 64 * 10e-12)


def test_idle_power_is_that_of_all_parts_and_the_host() -> None:
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    power = device.power
    assert power.idle_w == pytest.approx(1 + 20 + 20 + 100 + 40)
    assert power.busy_w == pytest.approx(1 + 20 + 20 + 100 + 65)
    assert sum(device.idle_by_part_w.values()) == power.idle_w


def test_flop_of_unknown_kind_are_the_hosts() -> None:
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    cost = device.flop_cost(1e9, "fp32")
    assert cost.time_s == pytest.approx(0.01)
    assert cost.power_w == pytest.approx(206.0)
    assert sum(cost.by_part_j.values()) == pytest.approx(2.06)
    with pytest.raises(InputError, match="expected 1 core, got 2"):
        device.flop_cost(1e9, "fp32", cores=2)


def test_attention_softmax_and_norms_of_a_vit_stay_on_the_host() -> None:
    graph = zoo.build("vit_tiny_patch16_224", classes=10)
    layers = accelerator(plane=2160).layers(graph, "fp32")
    lit = [layer.names for layer in layers if layer.light is not None]
    assert lit == [(op.name,) for op in graph if op.kind in (OpKind.CONV, OpKind.LINEAR)]
    told = [name for layer in layers for name in layer.names]
    assert sorted(told) == sorted(op.name for op in graph)


def test_batch_normalisation_and_relu_fold_into_a_convolution_where_the_host_fuses() -> None:
    ops = (
        conv("conv", (1, 1), (8, 8), (3, 3)),
        pointwise("bn", OpKind.BATCHNORM, 36),
        pointwise("relu", OpKind.ACTIVATION, 36),
        pointwise("gelu", OpKind.TRANSCENDENTAL, 36),
    )
    plain = accelerator(host=HOST).layers(chain(*ops), "fp32")
    assert [layer.names for layer in plain] == [("conv",), ("bn", "relu", "gelu")]
    fusing = accelerator(host={**HOST, "fused": ["batchnorm", "activation", "transcendental"]})
    assert [layer.names for layer in fusing.layers(chain(*ops), "fp32")] == [
        ("conv", "bn", "relu"), ("gelu",),
    ]  # fmt: skip
    # A sum reads the convolution as well: nothing may be folded into it.
    ends = (*ops[:2], pointwise("add", OpKind.ELEMENTWISE, 36))
    forked = Graph("fork", ends, [("conv", "bn"), ("bn", "add"), ("conv", "add")])
    assert [layer.names for layer in fusing.layers(forked, "fp32")] == [("conv",), ("bn", "add")]


def test_kinds_that_run_on_light_can_be_chosen() -> None:
    graph = zoo.build("resnet18", image_size=32, classes=10)
    layers = accelerator(optical=["linear"]).layers(graph, "fp32")
    assert [layer.names for layer in layers if layer.light is not None] == [("fc",)]


def test_an_ideal_host_takes_no_time_and_no_power() -> None:
    device = accelerator(preset="fatnet-2160", signs="two-shot")
    layers = device.layers(zoo.build("resnet18", image_size=32, classes=10), "fp32")
    assert all(layer.time_s == 0 for layer in layers if layer.light is None)
    assert device.power.busy_w == device.power.idle_w == 1.0
