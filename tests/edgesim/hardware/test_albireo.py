"""Albireo against print: watts at three scalings, shares of the area, and its work by counting.

Printed figures are of Albireo (ISCA 2021), table 3 and figure 9, as CiMLoop's public tests hold
them; those of aggressive parts are at 5 GHz, 5/8 of print where print was at 8 GHz.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import Op, zoo
from edgesim.hardware import catalog
from edgesim.hardware.crossbar import PhotonicCrossbar
from edgesim.hardware.crossbar.counts import counts, product_of
from tests.edgesim.hardware.crossbars import chain, crossbar, entry, linear
from tests.edgesim.hardware.optical import conv

PARTS = {
    "rings": "MRR", "modulator": "MZM", "laser": "laser", "tia": "TIA", "dac": "DAC", "adc": "ADC",
}  # fmt: skip
PRINTED_W: dict[str, dict[str, float]] = {
    "conservative": {
        "MRR": 7.52, "MZM": 3.45, "laser": 2.36, "TIA": 0.14, "DAC": 7.93, "ADC": 1.31,
    },
    "moderate": {"MRR": 0.94, "MZM": 0.43, "laser": 0.09, "TIA": 0.07, "DAC": 3.98, "ADC": 0.65},
    "aggressive": {
        "MRR": 0.38, "MZM": 0.17, "laser": 0.12 * 5 / 8, "TIA": 0.01, "DAC": 0.8 * 5 / 8,
        "ADC": 0.13 * 5 / 8,
    },
}  # fmt: skip
PRINTED_SHARES = {
    "awg": 0.72, "coupler": 0.17, "laser": 0.06, "modulator": 0.037, "ring": 0.008, "adc": 0.004,
    "dac": 0.0003, "buffer": 0.002, "detector": 0.002, "amplifier": 0.001,
}  # fmt: skip


def albireo(**changes: Any) -> PhotonicCrossbar:
    device = catalog.from_mapping("albireo", {**catalog.entry("albireo"), **changes})
    assert isinstance(device, PhotonicCrossbar)
    return device


@pytest.mark.parametrize("scaling", PRINTED_W)
def test_watts_are_as_printed_at_each_scaling(scaling: str) -> None:
    found = albireo(scaling=scaling).full_power_w(8)
    printed = PRINTED_W[scaling]
    assert {part for part, watts in found.items() if watts} == set(PARTS)
    for part, name in PARTS.items():
        # Within 3 %, or within what two printed decimals leave open: 0.135 W are printed as 0.14.
        assert found[part] == pytest.approx(printed[name], rel=0.03, abs=0.0051), part
    assert math.fsum(found.values()) == pytest.approx(math.fsum(printed.values()), rel=0.03)


def test_shares_of_the_area_are_as_printed() -> None:
    device = entry("albireo")
    areas = device.areas_m2
    total = math.fsum(areas.values())
    assert total * 1e6 == pytest.approx(124.6, rel=0.03)
    assert set(areas) == set(PRINTED_SHARES)
    for part, share in PRINTED_SHARES.items():
        # Printed to one or two figures: a share of 0.3 permille or so is what rounding leaves.
        assert areas[part] / total == pytest.approx(share, rel=0.03, abs=0.0001), part
    shown = {path: value for path, value, _ in device.figures()}
    assert shown["area: awg"].startswith("89.76 mm^2, 71.6")
    assert shown["draw at 8 bits: all"] == "22.75 W"


def test_numbers_of_parts_are_those_of_the_paper() -> None:
    array = entry("albireo").array
    # Weights: 9 groups x 3 units x 9; inputs: 3 units x 3 rows x (5 + 2) columns.
    assert array.modulators == 243 + 63
    assert array.all_rings == 2 * 27 * 45
    assert array.mac_s == 1215 * 5e9


def windows(stride: int, kernel: int, channels: tuple[int, int] = (6, 18), side: int = 10) -> Op:
    edge = kernel // 2
    return conv("conv", channels, (side, side), (kernel, kernel), stride=(stride, stride),
                padding=(edge, edge))  # fmt: skip


def test_a_convolution_of_stride_1_fills_five_columns_and_shares_their_inputs() -> None:
    array = entry("albireo").array
    product = product_of(windows(1, 3), 1)
    assert product is not None
    of = counts(product, array, 8, math.inf)
    # 18 channels in 9 groups, 100 windows in fives, 6 channels in 3 units: 2 x 20 x 2 cycles.
    assert of.cycles == 2 * 20 * 2
    # Every weight anew for each five windows; of 45 inputs of five windows 21 are encoded.
    weights, inputs = 18 * 54 * 20, 54 * 100 * 18 / 9 * 21 / 45
    assert of.modulations == pytest.approx(weights + inputs)


@pytest.mark.parametrize(("stride", "kernel"), [(2, 3), (1, 1), (2, 1)])
def test_other_convolutions_fill_the_columns_that_inputs_allow(stride: int, kernel: int) -> None:
    array = entry("albireo").array
    product = product_of(windows(stride, kernel), 1)
    assert product is not None
    places = ((10 - 1) // stride + 1) ** 2
    of = counts(product, array, 8, math.inf)
    # 21 modulators hold the inputs of two windows of nine.
    blocks = 18 * math.ceil(places / 2) * math.ceil(6 * kernel**2 / 9)
    assert of.cycles == math.ceil(blocks / 27)
    assert of.modulations == 18 * 6 * kernel**2 * math.ceil(places / 2) + (
        6 * kernel**2 * places * 18 / 9
    )


def test_linear_layers_share_no_inputs() -> None:
    array = entry("albireo").array
    op = linear("fc", rows=4, inner=27, columns=9)
    product = product_of(op, 1)
    assert product is not None
    assert counts(product, array, 8, math.inf).cycles == 2


def test_energy_at_full_use_is_power_times_time() -> None:
    device, graph = entry("albireo"), chain(windows(1, 3, (48, 90), 50))
    cost = device.graph_cost(graph, "int8")
    assert cost.by_part_j is not None
    full = device.full_power_w(8)
    for part in ("laser", "rings", "modulator"):
        assert cost.by_part_j[part] == pytest.approx(full[part] * cost.time_s, rel=1e-6)
    # Converters draw by conversion: each weight and each input in every cycle.
    assert cost.by_part_j["dac"] == pytest.approx(full["dac"] * cost.time_s, rel=1e-6)
    # Currents of 48 channels add up in three units of a group: the rest is read out and added.
    assert cost.by_part_j["adc"] == pytest.approx(full["adc"] * cost.time_s, rel=1e-6)


def test_energy_of_parts_goes_with_their_watts() -> None:
    graph = zoo.build("resnet18")
    devices = {scaling: albireo(scaling=scaling) for scaling in PRINTED_W}
    costs = {scaling: device.graph_cost(graph, "int8") for scaling, device in devices.items()}
    base, base_w = costs["conservative"], devices["conservative"].full_power_w(8)
    assert base.by_part_j is not None
    for scaling, cost in costs.items():
        assert cost.time_s == base.time_s
        assert cost.by_part_j is not None
        watts = devices[scaling].full_power_w(8)
        for part in PARTS:
            ratio = cost.by_part_j[part] / base.by_part_j[part]
            assert ratio == pytest.approx(watts[part] / base_w[part], rel=1e-9), part
        # Weights come from the same memory.
        assert cost.by_part_j["memory"] == base.by_part_j["memory"]


def test_what_differs_is_merged_and_missing_scalings_are_told() -> None:
    device = crossbar(
        scaling="moderate", scalings={"moderate": {"dac": {"power": "32 mW"}, "loss": {"ring": 1}}}
    )
    base = crossbar()
    assert device.dac.power_w == base.dac.power_w / 2
    assert device.dac.rate_hz == base.dac.rate_hz
    assert device.loss.modulator == base.loss.modulator
    assert device.loss.ring == 1
    with pytest.raises(InputError, match="scaling: expected what differs under 'aggressive'"):
        crossbar(scaling="aggressive", scalings={"moderate": {}})
    with pytest.raises(InputError, match=r"scaling: expected .*conservative.*moderate"):
        crossbar(scaling="hopeful")
    with pytest.raises(InputError, match=r"dac.pover: unknown key 'pover' \(did you mean 'power'"):
        crossbar(scaling="moderate", scalings={"moderate": {"dac": {"pover": "1 W"}}})


def test_a_laser_has_an_efficiency_or_a_power() -> None:
    with pytest.raises(InputError, match="expected either wall_plug_efficiency or power"):
        crossbar(laser={})
    with pytest.raises(InputError, match="expected either wall_plug_efficiency or power"):
        crossbar(laser={"power": "1 mW", "wall_plug_efficiency": 0.2})
    with pytest.raises(InputError, match=r"detector\.sensitivity: expected the light"):
        crossbar(detector={"power": "1 mW"})
    lit = crossbar(laser={"power": "1 mW"}, detector={"power": "1 mW"})
    # One for each of 3 x 4 inputs of both cores of a tile; tiles share them.
    assert lit.full_power_w(4)["laser"] == pytest.approx(2 * 12 * 1e-3)
