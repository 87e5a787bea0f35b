"""Photons, electrons and noise of an exposure by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optics.presets import preset
from optics.system import FourF
from optics.timing import LightBudget


def test_light_of_a_camera_with_every_noise() -> None:
    system = FourF.ideal((100, 100))
    # 1 nW of 532 nm is 2.67815e9 photons a second (hc/λ = 3.73393e-19 J): 2678.15 a pixel and
    # 10 ms. Half of it passes; every other photon frees an electron; 4 camera pixels share it.
    system = replace(
        system,
        laser=replace(system.laser, power_w=1e-9),
        input=replace(system.input, efficiency=0.5),
        camera=replace(
            system.camera, exposure_s=10e-3, quantum_efficiency=0.5, pitch_m=4e-6, dark_e_s=1000.0,
            read_noise_e=3.0, full_well_e=1023.0, bits=10, black_level_dn=0,
        ),
    )  # fmt: skip
    budget = LightBudget.of(system)
    assert budget.photons == pytest.approx(2678.15 * 0.5, rel=1e-5)
    assert budget.electrons == pytest.approx(167.384, rel=1e-5)
    assert budget.noise_e == pytest.approx(math.sqrt(167.384 + 10 + 9 + 1 / 12), rel=1e-5)
    assert budget.snr == pytest.approx(167.384 / 13.6554, rel=1e-4)
    assert budget.field_snr == 2 * budget.snr
    assert not budget.saturated


def test_an_attenuator_takes_light_and_leaves_what_is_noise_without_it() -> None:
    system = FourF.ideal((100, 100))
    camera = replace(system.camera, exposure_s=1e-3, dark_e_s=1000.0, read_noise_e=3.0)
    system = replace(system, laser=replace(system.laser, power_w=1e-9), camera=camera)
    whole, tenth = LightBudget.of(system), LightBudget.of(system, 0.1)
    assert (tenth.photons, tenth.electrons) == (0.1 * whole.photons, 0.1 * whole.electrons)
    assert tenth.noise_e == pytest.approx(math.sqrt(0.1 * whole.electrons + 1 + 9), rel=1e-12)


def test_fill_factor_counts_twice_at_each_modulator() -> None:
    system = FourF.ideal()
    half = replace(system, input=replace(system.input, fill_factor=0.5))
    assert LightBudget.of(half).photons == pytest.approx(LightBudget.of(system).photons / 4)


def test_too_much_light_tells_nothing() -> None:
    # The mirrors' laser would fill the wells many times over through a clear filter.
    budget = LightBudget.of(preset("dmd-dlp7000"))
    assert budget.saturated
    assert budget.snr == 0
