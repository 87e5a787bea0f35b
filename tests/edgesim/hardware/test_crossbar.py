"""The photonic crossbar against counts by hand and by enumeration, and prices by hand."""

from __future__ import annotations

import math
from itertools import product as every
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim.common.errors import InputError
from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, Op, OpKind, zoo
from edgesim.hardware import Device, catalog
from edgesim.hardware.crossbar.counts import Product, counts, product_of
from edgesim.hardware.crossbar.parts import Array
from tests.edgesim.hardware.crossbars import SMALL, chain, crossbar, entry, linear, pointwise

ARRAY = Array(
    tiles=2, cores_per_tile=2, rows=2, columns=3, wavelengths=4, clock_hz=1e9, accumulation=2
)


def test_a_crossbar_is_a_device_of_its_kind() -> None:
    device = crossbar()
    assert isinstance(device, Device)
    assert (device.kind, device.name, device.cores) == ("photonic-crossbar", "small", 1)
    assert device.precisions() == ("int4", "int8")
    assert device.memory_capacity_bytes == 2**30


def test_counts_by_hand() -> None:
    """Two (5, 9) @ (9, 7): 3 blocks along each edge, and 2 shots of 2 cores to a readout."""
    found = counts(Product(rows=5, inner=9, columns=7, count=2, weights=True), ARRAY, 4, 4.0)
    assert found.shots == 2 * 27
    assert found.cycles == 14  # 54 on 4 cores
    assert found.modulations == 2 * (5 * 9 * 3 + 9 * 7 * 3 / 2)
    assert found.detections == 2 * 5 * 7 * 3
    assert found.readouts == 2 * 5 * 7 * 1
    assert found.staged == 2 * (5 * 9 + 9 * 7 * 3 / 2)
    # 2 x 9 elements of half a byte take three loads of 4 bytes: written thrice, read twice.
    assert found.results == 2 * 5 * 7 * 5
    assert found.weights == 2 * 5 * 9
    # Both tiles take 4 rows at once.
    assert (found.chunks, found.chunk_weights, found.chunk_activations) == (4, 4 * 9, 9 * 7)


edges = st.integers(1, 17)


@given(n=edges, d=edges, m=edges, h=st.integers(1, 3), tiles=st.integers(1, 3))
def test_counts_are_those_of_all_blocks_one_by_one(
    n: int, d: int, m: int, h: int, tiles: int
) -> None:
    array = Array(
        tiles=tiles, cores_per_tile=2, rows=2, columns=3, wavelengths=4, clock_hz=1e9
    )  # fmt: skip
    shots = first = second = seen = multiplied = 0
    blocks = (range(0, n, 2), range(0, m, 3), range(0, d, 4))
    for _, (i, j, k) in every(range(h), every(*blocks)):
        rows, columns, waves = min(2, n - i), min(3, m - j), min(4, d - k)
        shots += 1
        first += rows * waves
        second += columns * waves
        seen += rows * columns
        multiplied += rows * columns * waves
    found = counts(Product(rows=n, inner=d, columns=m, count=h), array, 8, math.inf)
    assert multiplied == h * n * d * m
    assert found.shots == shots
    assert found.cycles == math.ceil(shots / (2 * tiles))
    assert found.modulations == pytest.approx(first + second / tiles, rel=1e-12)
    assert found.detections == seen
    assert found.weights == 0


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        # Weights make the rows, tokens of the batch the columns.
        (linear(rows=7, inner=9, columns=5), (5, 9, 21, 1, True)),
        (
            Op(
                name="qk", kind=OpKind.ATTENTION, macs=1,
                geometry=MatmulGeometry(rows=7, inner=4, columns=6, count=2),
            ),
            (7, 4, 6, 6, False),
        ),
        (
            Op(
                name="conv", kind=OpKind.CONV, macs=1,
                geometry=ConvGeometry(
                    in_channels=6, out_channels=8, kernel=(3, 2), stride=(1, 1), padding=(0, 0),
                    dilation=(1, 1), groups=2, in_size=(9, 9), out_size=(7, 8),
                ),
            ),
            (4, 3 * 6, 3 * 56, 2, True),
        ),
    ],
)  # fmt: skip
def test_operators_are_products(op: Op, expected: tuple[int, int, int, int, bool]) -> None:
    found = product_of(op, batch=3)
    assert found is not None
    assert (found.rows, found.inner, found.columns, found.count, found.weights) == expected


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_100", "vit_tiny_patch16_224"])
def test_every_product_of_a_model_has_all_its_macs(name: str) -> None:
    for op in zoo.build(name):
        found = product_of(op, batch=1)
        macs = 0 if found is None else found.rows * found.inner * found.columns * found.count
        assert macs == op.macs


def test_prices_by_hand() -> None:
    """One (5, 9) @ (9, 7) with weights at 4 bits; the counts are those above for one product."""
    device = crossbar()
    graph = chain(linear(rows=7, inner=9, columns=5))
    layer = device.layers(graph, "int4")[0]
    shots, modulated, seen, read = 27, 229.5, 105, 35
    # 1 µW x 2 x 1.5² x 1.25³ x 1.2 x 1.1 x 6 cells x 16 levels / 0.5: 2 splitters for 3 columns.
    laser_w = 1e-6 * 2 * 1.5**2 * 1.25**3 * 1.2 * 1.1 * 6 * 16 / 0.5
    expected = {
        "laser": shots * laser_w / 1e9,
        # 64 mW at 2 GHz and 8 bits; 2^4 / 4 levels a bit instead of 2^8 / 8.
        "dac": modulated * 32e-12 / 8,
        "modulator": modulated * 3e-12,
        "detector": seen * 2 * 1e-12,
        "tia": read * 2e-12,
        "adc": read * 4e-12 / 2,
        "adder": read * 0.5e-12,
        "registers": 2 * (modulated + read) * 0.5 * 1e-12,
        "network": read * 0.5 * 2e-12,
        "local-buffer": (139.5 + modulated + 175) * 0.5 * 3e-12,
        "global-buffer": (45 + 139.5 + 175) * 0.5 * 5e-12,
        "memory": 45 * 0.5 * 7e-12,
    }
    assert dict(layer.by_part_j) == pytest.approx(expected, rel=1e-12)
    # 7 cycles of 1 ns; 2 stretches of 18 B in 4.5 ns, and of 49.5 B in 4.95 ns, end with a 2 ns.
    assert (layer.bound, layer.time_s) == ("buffer", pytest.approx(2 * 6e-9, rel=1e-12))
    cost = device.graph_cost(graph, "int4")
    # Two rings at each of (4 cores x 2 rows + 2 x 3 columns) x 4 wavelengths.
    rings_j = 2 * 56 * 1e-3 * 12e-9
    assert dict(cost.by_part_j) == pytest.approx({**expected, "rings": rings_j}, rel=1e-12)
    assert cost.time_s == layer.time_s
    assert cost.power_w * cost.time_s == pytest.approx(sum(expected.values()) + rings_j, rel=1e-12)


@pytest.mark.parametrize(
    ("fast", "bound", "time_s"),
    [
        # Stretches of 18 B at 4 GB/s take 3 cycles of 2 ns.
        ({"buffer": {"energy": 0}}, "memory", 12e-9),
        ({"buffer": {"energy": 0}, "memory": {"energy": 0}}, "array", 7e-9),
        ({"memory": {"energy": 0}}, "buffer", 12e-9),
    ],
)
def test_the_slowest_resource_takes_the_time(
    fast: dict[str, Any], bound: str, time_s: float
) -> None:
    layer = crossbar(**fast).layers(chain(linear()), "int4")[0]
    assert (layer.bound, layer.time_s) == (bound, pytest.approx(time_s, rel=1e-12))


def test_bits_scale_converters_laser_and_bytes() -> None:
    device = crossbar(buffer={"energy": "5 pJ/B"}, local={"energy": "3 pJ/B"})
    four, eight = (
        device.layers(chain(linear()), precision)[0].by_part_j for precision in ("int4", "int8")
    )
    ratios = {part: eight[part] / four[part] for part in four}
    bytes_moved = ("registers", "network", "local-buffer", "global-buffer", "memory")
    assert ratios == pytest.approx(
        {
            "laser": 16.0, "dac": 8.0, "adc": 2.0, **dict.fromkeys(bytes_moved, 2.0),
            **dict.fromkeys(("modulator", "detector", "tia", "adder"), 1.0),
        },
        rel=1e-12,
    )  # fmt: skip


def test_electronics_by_hand() -> None:
    """100 elements at 8 bits: passed in 10 ns, read and written, and computed with."""
    device = crossbar()
    graph = chain(
        pointwise("norm", OpKind.NORM, 100),
        pointwise("softmax", OpKind.SOFTMAX, 100),
        pointwise("gelu", OpKind.TRANSCENDENTAL, 100),
        pointwise("copy", OpKind.MEMORY, 100),
    )
    layers = device.layers(graph, "int8", batch=2)
    assert [layer.time_s for layer in layers] == pytest.approx([20e-9] * 4, rel=1e-12)
    computed = [layer.by_part_j["digital"] for layer in layers]
    assert computed == pytest.approx([200 * 5e-12, 200 * 4e-12, 200 * 8e-12, 0.0], rel=1e-12)
    assert all(
        layer.by_part_j["global-buffer"] == pytest.approx(2 * 200 * 5e-12) for layer in layers
    )


def test_a_batch_pays_for_weights_once() -> None:
    device, graph = entry("lt-b"), zoo.build("deit_tiny_patch16_224")
    one, three = (device.graph_cost(graph, "int4", batch) for batch in (1, 3))
    assert three.by_part_j["memory"] == pytest.approx(one.by_part_j["memory"], rel=1e-12)
    assert three.by_part_j["laser"] < 3 * one.by_part_j["laser"]
    assert 2.8 * one.time_s < three.time_s < 3 * one.time_s
    for layer, thrice in zip(
        device.layers(graph, "int4"), device.layers(graph, "int4", 3), strict=True
    ):
        if layer.kind is OpKind.ATTENTION:
            assert layer.counts is not None
            assert thrice.counts is not None
            assert thrice.counts.shots == 3 * layer.counts.shots


def test_activations_beyond_the_buffer_lie_in_memory() -> None:
    """Live bytes: 63 in, 35 out. A buffer of 42 bytes holds two thirds of the one, all the rest."""
    graph = chain(linear(rows=7, inner=9, columns=5))
    fits, spills = (
        crossbar(buffer={"energy": 0, "capacity": capacity}).layers(graph, "int8")[0]
        for capacity in (63, 42)
    )
    assert fits.by_part_j["memory"] == pytest.approx(45 * 7e-12, rel=1e-12)
    spilled = 63 * (1 - 42 / 63)
    assert spills.by_part_j["memory"] == pytest.approx((45 + spilled) * 7e-12, rel=1e-12)
    # 36 B and 36 B of weights in 5 cycles each, then the activations.
    assert spills.time_s == pytest.approx(2 * 10e-9 + spilled / 4e9, rel=1e-12)


def test_a_batch_normalisation_scales_weights_beforehand() -> None:
    conv = linear("conv")
    norm, other = (pointwise(name, OpKind.BATCHNORM, 35) for name in ("bn", "bn2"))
    device = crossbar()
    assert (
        device.graph_cost(chain(conv, norm), "int8").by_part_j
        == device.graph_cost(chain(conv), "int8").by_part_j
    )
    # After another operator it is one of its own.
    gelu = pointwise("gelu", OpKind.TRANSCENDENTAL, 35)
    names = [layer.name for layer in device.layers(chain(conv, norm, gelu, other), "int8")]
    assert names == ["conv", "gelu", "bn2"]


HOST = {
    "peak": {"fp32": "1 GFLOP/s"},
    "memory": {"bandwidth": "1 GB/s"},
    "launch_overhead": "1 us",
    "power": {"idle": "2 W", "busy": "10 W"},
}


def test_a_host_does_what_is_no_product() -> None:
    """35 elements out to the host and back in; it reads and writes 280 bytes of fp32."""
    first, gelu, second = (
        linear("fc1"), pointwise("gelu", OpKind.TRANSCENDENTAL, 35),
        linear("fc2", rows=7, inner=5, columns=2),
    )  # fmt: skip
    graph = chain(first, gelu, second)
    alone, hosted = crossbar(), crossbar(host=HOST, link="1 GB/s")
    products_s = sum(
        layer.time_s for layer in alone.layers(graph, "int8") if layer.product is not None
    )
    # The input (63), GELU's input and output (35 each) and the output (14) cross the link.
    crossing = 63 + 35 + 35 + 14
    cost = hosted.graph_cost(graph, "int8")
    host_s = 1e-6 + 280e-9
    assert cost.time_s == pytest.approx(products_s + host_s + crossing * 1e-9, rel=1e-12)
    working_j = (10 - 2) * 280e-9
    assert cost.by_part_j["host"] == pytest.approx(2 * cost.time_s + working_j, rel=1e-12)
    assert "digital" not in cost.by_part_j
    assert hosted.power.idle_w == alone.power.idle_w + 2
    assert hosted.idle_by_part_w == {"rings": alone.power.idle_w, "host": 2.0}


def test_a_host_of_the_catalog_runs_layers_that_are_no_plain_products() -> None:
    lstm = Op(name="lstm", kind=OpKind.LINEAR, macs=1000, input_elements=10, output_elements=10)
    graph = chain(linear(), lstm)
    told = "layer 'lstm' is a linear operator that is no plain matrix product.*`host`"
    with pytest.raises(InputError, match=told):
        crossbar().graph_cost(graph, "int8")
    cost = crossbar(host="raspberry-pi-5").graph_cost(graph, "int8")
    pi = catalog.device("raspberry-pi-5")
    assert cost.time_s > pi.graph_cost(chain(lstm), "int8").time_s


@pytest.mark.parametrize("name", ["resnet18", "deit_tiny_patch16_224", "mobilenetv2_100"])
@pytest.mark.parametrize("precision", ["int4", "int8"])
@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("host", [None, "raspberry-pi-5"])
def test_parts_make_the_whole(name: str, precision: str, batch: int, host: str | None) -> None:
    mapping = dict(catalog.entry("lt-b"))
    device = catalog.from_mapping("one", mapping if host is None else {**mapping, "host": host})
    cost = device.graph_cost(zoo.build(name), precision, batch)
    assert sum(cost.by_part_j.values()) == pytest.approx(cost.time_s * cost.power_w, rel=1e-12)
    assert all(joules >= 0 for joules in cost.by_part_j.values())
    assert cost.power_w > device.power.idle_w


def test_an_empty_graph_takes_nothing() -> None:
    cost = crossbar().graph_cost(Graph("nothing", [], []), "int8")
    assert (cost.time_s, cost.power_w) == (0.0, crossbar().power.idle_w)


def test_flop_of_unknown_shape_fill_all_cores() -> None:
    """2 FLOP x 4 cores x 24 MAC x 1 GHz; a draw as in `parts.Parts.full_power_w`."""
    device = crossbar()
    cost = device.flop_cost(192e9, "int4")
    assert cost.time_s == pytest.approx(1.0, rel=1e-12)
    full = device.full_power_w(4)
    assert cost.by_part_j == pytest.approx(full, rel=1e-12)
    assert cost.power_w == pytest.approx(sum(full.values()), rel=1e-12)
    assert device.flop_cost(192e9, "int8").power_w == pytest.approx(device.power.busy_w)


def test_what_cannot_be_is_refused() -> None:
    device, graph = crossbar(), chain(linear())
    with pytest.raises(InputError, match=r"does not compute in fp32; it has int4, int8"):
        device.graph_cost(graph, "fp32")
    with pytest.raises(InputError, match="expected a batch of at least 1, got 0"):
        device.graph_cost(graph, "int8", 0)
    with pytest.raises(InputError, match="expected 1 core, got 2"):
        device.flop_cost(1.0, "int8", 2)
    with pytest.raises(InputError, match="does not compute in fp16"):
        device.flop_cost(1.0, "fp16")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"array": {**SMALL["array"], "clock": "3 GHz"}}, r"dac.rate: expected at least the array"),
        ({"adc": {**SMALL["adc"], "bits": 6}}, "adc.bits: expected at least the 8 bits"),
        ({"power": {"idle": "1 mW"}}, "power.idle: expected at least the 0.112 W"),
        ({"power": {"sending": "1 mW"}}, "power.sending: expected at least idle"),
        ({"loss": {"ring": "-3 dB"}}, "loss.ring"),
        ({"laser": {"wall_plug_efficiency": 0}}, "laser.wall_plug_efficiency"),
        ({"array": {**SMALL["array"], "tiles": 0}}, "array.tiles"),
        ({"precision": ["int4", "fp32"]}, "precision.1: expected one of int4, int8, got 'fp32'"),
        ({"precision": []}, "precision: expected at least 1 entry"),
        ({"host": "lt-b"}, "host: expected a processor, 'lt-b' is of kind photonic-crossbar"),
        (
            {"host": "raspberry-pi-6"},
            "host: no device is named 'raspberry-pi-6' .did you mean 'raspberry-pi-5'",
        ),
        ({"lazer": {}}, "did you mean 'laser'"),
    ],
)
def test_mappings_that_describe_no_crossbar_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        crossbar(**changes)


def test_messages_cost_what_they_cost_on_a_processor() -> None:
    """All five keys of it are read; two were once."""
    messaging = {
        "per_message": "0.2 ms", "per_byte": "8 ns/B", "delay": "0.1 ms",
        "asking": {"per_request": "1 ms", "per_message": "2 ms", "per_byte": "3 ns/B"},
        "cooling": {"share": 0.5, "time": "4 ms"},
    }  # fmt: skip
    processor = catalog.from_mapping("p", {"peak": {"fp32": 1e9}, "messaging": messaging})
    assert crossbar(messaging=messaging).messaging == processor.messaging
    assert processor.messaging.asking.per_message_s == 2e-3
    assert processor.messaging.cooling.factor(float("inf")) == 1.5
