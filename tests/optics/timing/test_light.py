"""Photons, electrons and noise of an exposure by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from optics.detection import FourShot, ReferenceBeam, TwoShot, detect
from optics.presets import preset
from optics.signs import FOUR_SHOT, TWO_SHOT, reference_passes
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


def lit(power_w: float, **camera: float) -> FourF:
    """A system whose brightest pixel gets 267.8 electrons of 1 nW."""
    system = FourF.ideal((100, 100))
    figures = {"exposure_s": 1e-3, "dark_e_s": 2000.0, "read_noise_e": 3.0, **camera}
    return replace(
        system,
        laser=replace(system.laser, power_w=power_w),
        camera=replace(system.camera, **figures),
    )


@pytest.mark.parametrize("kind", [TwoShot, FourShot])
@pytest.mark.parametrize("power_w", [1e-10, 1e-9, 1e-8])
def test_effective_bits_are_of_the_variance_of_the_scheme(
    kind: type[TwoShot | FourShot], power_w: float
) -> None:
    system, scheme = lit(power_w), kind()
    budget = LightBudget.of(system)
    readings = torch.full((len(scheme.passes), 1), budget.electrons, dtype=torch.float64)
    deviation = math.sqrt(float(scheme.variance(readings, system.camera)))
    expected = math.log2(2 * math.sqrt(budget.electrons) / (deviation * math.sqrt(12)))
    assert budget.effective_bits(scheme.passes) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("split", [False, True])
def test_effective_bits_with_a_reference_are_of_its_variance(frames: int, split: bool) -> None:
    system = lit(1e-8)
    budget = LightBudget.of(system)
    half = math.sqrt(budget.electrons) / 2
    scheme = ReferenceBeam(electrons=half**2, frames=frames, split_inputs=split)
    readings = torch.tensor(
        [[abs(half + one.reference) ** 2] for one in scheme.passes], dtype=torch.float64
    )
    deviation = math.sqrt(float(scheme.variance(readings, system.camera)))
    expected = math.log2(2 * half / (deviation * math.sqrt(12)))
    # The analytic device names no electrons of the reference, only its phases.
    passes = reference_passes(frames, split_inputs=split)
    assert budget.effective_bits(passes) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("power_w", [1e-9, 1e-8])
def test_effective_bits_are_those_of_the_simulated_camera(power_w: float) -> None:
    """Photons, noise and the four-shot field of 200,000 drawn exposures."""
    system, scheme = lit(power_w, full_well_e=30_000.0, bits=10), FourShot()
    budget, generator = LightBudget.of(system), torch.Generator().manual_seed(5)
    photons = torch.full((4, 200_000), budget.photons, dtype=torch.float64)
    readings = detect(photons, system.camera, generator=generator)
    # A mean of n draws is right to its deviation over √n, a deviation to 1/√(2n): 0.16 %.
    assert float(readings.std()) == pytest.approx(budget.noise_e, rel=0.01)
    assert float(readings.mean()) == pytest.approx(budget.electrons, rel=0.01)
    field = scheme.combine(readings)
    drawn = math.log2(2 * math.sqrt(budget.electrons) / (float(field.std()) * math.sqrt(12)))
    assert budget.effective_bits(scheme.passes) == pytest.approx(drawn, abs=0.02)


def test_ten_thousand_electrons_of_shot_noise_are_known_to_a_formula() -> None:
    """Two-shot: σ² = 1/2 electron whatever the light; 200 √e over √6 are 6.35 bits."""
    system = replace(FourF.ideal((100, 100)), laser=replace(lit(1.0).laser, power_w=1e-9))
    budget = LightBudget.of(system)
    system = replace(system, laser=replace(system.laser, power_w=1e-5 / budget.electrons))
    budget = LightBudget.of(system)
    assert budget.electrons == pytest.approx(1e4, rel=1e-9)
    assert budget.effective_bits(TWO_SHOT) == pytest.approx(math.log2(200 / math.sqrt(6)), rel=1e-9)


def test_darkness_and_a_full_well_say_nothing() -> None:
    dark = LightBudget.of(lit(1e-15))
    assert dark.effective_bits(FOUR_SHOT) == 0.0
    full = LightBudget.of(lit(1e-6, full_well_e=10_000.0, bits=12))
    assert full.saturated
    assert full.full_share > 1
    assert full.effective_bits(FOUR_SHOT) == 0.0
