"""Budgets of light and of conversions against the analytic twin and closed forms."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from optics.errors import InputError
from optics.presets import PRESETS, preset
from optics.system import FourF
from optics.timing import (
    SCALINGS,
    SUPPLY_V,
    Converter,
    LightBudget,
    LossBudget,
    converter_energy_j,
    schreier_energy_j,
    switching_factor,
    walden_energy_j,
)


@pytest.mark.parametrize("name", PRESETS)
def test_what_no_part_loses_becomes_the_charge_of_the_light_budget(name: str) -> None:
    system = preset(name)
    budget, light = LossBudget.of(system), LightBudget.of(system)
    electrons = budget.losses[-1].behind_w * system.camera.exposure_s / system.laser.photon_energy_j
    rows, columns = system.input.pixels
    image_pixels = system.input.pitch_m * abs(system.magnification) / system.camera.pitch_m
    assert light.electrons == pytest.approx(electrons / (rows * columns) / image_pixels**2)
    assert budget.loss_db == pytest.approx(-10 * math.log10(budget.share))
    assert budget.laser_w * budget.share == pytest.approx(budget.losses[-1].behind_w)


def test_the_table_names_every_part_with_its_decibels() -> None:
    system = preset("dmd-dlp7000")
    budget = LossBudget.of(system, encoding=1 / math.pi**2)
    text = str(budget).splitlines()
    assert len(text) == 2 + len(budget.losses)
    pattern = next(line for line in text if "its pattern" in line)
    assert pattern.split()[3] == "9.94"  # Lee's fringes: 1/π² of the light
    halved = LossBudget.of(replace(system, lens_1=replace(system.lens_1, efficiency=0.495)))
    assert halved.loss_db - LossBudget.of(system).loss_db == pytest.approx(10 * math.log10(2))
    with pytest.raises(InputError, match="encoding must be above 0 and at most 1"):
        LossBudget.of(system, encoding=0.0)


@pytest.mark.parametrize("system", [preset("dmd-dlp7000"), preset("lcos-pluto"), FourF.ideal()])
def test_the_waterfall_begins_each_bar_where_the_one_before_ends(system: FourF) -> None:
    budget = LossBudget.of(system)
    root = ElementTree.fromstring(budget.svg("light & <losses>"))
    at = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{at}text") == "light & <losses>"
    bars = [one for one in root.iter(f"{at}rect") if one.get("class") in ("part", "left")]
    places = [(float(one.attrib["x"]), float(one.attrib["width"])) for one in bars]
    assert len(bars) == len(budget.losses) + 1
    for (x, width), (following, _) in itertools.pairwise(places[:-1]):
        assert following == pytest.approx(x + width, abs=0.011)  # two decimals each
    start, whole = places[-1]
    assert start == places[0][0]
    assert sum(width for _, width in places[:-1]) == pytest.approx(whole, abs=0.05)
    if whole:
        shares = [width / whole for _, width in places[:-1]]
        expected = [one.loss_db / budget.loss_db for one in budget.losses]
        assert shares == pytest.approx(expected, abs=1e-4)


def test_figures_of_merit_turn_back_into_themselves() -> None:
    # A converter of 10 effective bits at 100 MS/s that draws 2 mW: F_W and F_S by definition.
    power_w, rate_hz, bits = 2e-3, 100e6, 10.0
    steps_j = power_w / (2**bits * rate_hz)
    sndr_db = 6.0205999 * bits + 1.7609126
    merit_db = sndr_db + 10 * math.log10(rate_hz / 2 / power_w)
    assert walden_energy_j(bits, steps_j) == pytest.approx(power_w / rate_hz)
    assert schreier_energy_j(bits, merit_db) == pytest.approx(power_w / rate_hz, rel=1e-6)
    # A bit doubles one and quadruples the other; the larger one holds.
    assert walden_energy_j(11, steps_j) == pytest.approx(2 * power_w / rate_hz)
    assert schreier_energy_j(11, merit_db) == pytest.approx(4 * power_w / rate_hz, rel=1e-6)
    both = {"joules_per_step": steps_j, "merit_db": merit_db}
    assert converter_energy_j(8, **both) == walden_energy_j(8, steps_j)
    assert converter_energy_j(12, **both) == schreier_energy_j(12, merit_db)
    with pytest.raises(InputError, match="effective_bits must be finite and above 0"):
        walden_energy_j(0, steps_j)
    with pytest.raises(InputError, match="merit_db must be a finite number"):
        schreier_energy_j(8, math.inf)


def test_converters_at_a_scaling_are_those_of_print_at_8_bits() -> None:
    """Albireo (ISCA 2021): 5.2, 2.6, 0.325 pJ a DAC's conversion; 45 ADCs at 5 GHz."""
    printed = {"conservative": (5.2, 1.31), "moderate": (2.6, 0.65), "aggressive": (0.325, 0.08125)}
    for scaling, (dac_pj, adcs_w) in printed.items():
        converters = SCALINGS[scaling]  # type: ignore[index]
        assert converters["dac"].energy_j(8) == pytest.approx(dac_pj * 1e-12)
        assert converters["adc"].energy_j(8) * 45 * 5e9 == pytest.approx(adcs_w)
        # Many bits are bound by thermal noise: fourfold a bit, whatever the node.
        ratio = converters["adc"].energy_j(20) / converters["adc"].energy_j(19)
        assert ratio == pytest.approx(4)
        fine, coarse = (converters["adc"].energy_j(20, node * 1e-9) for node in (7, 65))
        assert fine == coarse


def test_energy_by_steps_goes_with_the_nodes_capacitance_and_voltage() -> None:
    converter = Converter(joules_per_step=1e-15, merit_db=200.0, node_m=28e-9)
    assert converter.energy_j(6) == pytest.approx(64e-15)
    shrunk = 7 * SUPPLY_V[7] ** 2 / (28 * SUPPLY_V[28] ** 2)
    assert converter.energy_j(6, 7e-9) == pytest.approx(64e-15 * shrunk)
    factors = [switching_factor(node * 1e-9) for node in sorted(SUPPLY_V)]
    assert factors == sorted(factors)
    with pytest.raises(InputError, match=r"node must be one of 5 nm, 7 nm, .*; got 8 nm"):
        switching_factor(8e-9)
