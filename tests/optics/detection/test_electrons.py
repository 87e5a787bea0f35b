"""The camera's mean, variance, limits and gradients against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from optics.camera import Camera
from optics.detection import detect
from optics.errors import InputError

DRAWS = 400_000


def camera(**figures: object) -> Camera:
    return Camera(**({"pixels": (8, 8), "pitch_m": 4e-6} | figures))  # type: ignore[arg-type]


def drawn(photons: float, part: Camera, seed: int = 0, draws: int = DRAWS) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return detect(torch.full((draws,), photons, dtype=torch.float64), part, generator=generator)


def close(found: Tensor, mean: float, variance: float, fourth: float | None = None) -> None:
    """Mean and variance within five of their standard errors; a normal's fourth moment if none."""
    count = found.numel()
    assert abs(float(found.mean()) - mean) <= 5 * math.sqrt(variance / count)
    spread = (fourth if fourth is not None else 3 * variance**2) - variance**2
    assert abs(float(found.var()) - variance) <= 5 * math.sqrt(spread / count)


@pytest.mark.parametrize("photons", [0.0, 0.3, 4.0, 90.0, 1e4, 1e7])
@pytest.mark.parametrize("efficiency", [1.0, 0.45])
def test_shot_noise_has_its_mean_as_variance(photons: float, efficiency: float) -> None:
    found = drawn(photons, camera(quantum_efficiency=efficiency))
    mean = photons * efficiency
    assert torch.equal(found, found.round())
    close(found, mean, mean, fourth=mean + 3 * mean**2)


def test_shot_noise_is_that_of_poisson() -> None:
    found = drawn(1.5, camera())
    for n in range(6):
        expected = math.exp(-1.5) * 1.5**n / math.factorial(n)
        share = float((found == n).double().mean())
        assert abs(share - expected) < 5 * math.sqrt(expected / DRAWS)


def test_noises_add_in_quadrature_and_dark_is_taken_off() -> None:
    part = camera(quantum_efficiency=0.6, dark_e_s=3000.0, exposure_s=5e-3, read_noise_e=4.0)
    for photons in (0.0, 50.0, 4000.0):
        close(drawn(photons, part), 0.6 * photons, 0.6 * photons + 15 + 16)


@pytest.mark.parametrize("step_e", [0.5, 2.0, 6.0])
def test_rounding_adds_a_twelfth_of_a_step_squared(step_e: float) -> None:
    # Read noise of more than half a step, so that the mean stays; 0.37 puts it off the levels.
    part = camera(read_noise_e=5.0, gain_e_per_dn=step_e, bits=16)
    close(drawn(400.37, part), 400.37, 400.37 + 25 + step_e**2 / 12)


def test_rounding_of_a_quiet_camera() -> None:
    # By Fourier series the mean of a rounded normal of s steps is off by Σ (-1)^k exp(-2π²s²k²)
    # sin(2πkx)/(πk): 0.0023 at most for half a step, 0.054 for 0.3.
    for sigma, most in ((0.5, 0.0023), (0.3, 0.054)):
        part = camera(read_noise_e=sigma, gain_e_per_dn=1.0, bits=12)
        generator = torch.Generator().manual_seed(1)
        levels = torch.tensor([20.25, 20.5, 20.75], dtype=torch.float64)
        # No shot noise here: the charge is put in by hand as dark-free signal without noise.
        reading = levels + sigma * torch.randn(DRAWS, 3, dtype=torch.float64, generator=generator)
        off = detect(reading.clamp(min=0), part, noise=False).mean(0) - levels
        series = torch.tensor(
            [
                sum(
                    (-1) ** k
                    * math.exp(-2 * (math.pi * sigma * k) ** 2)
                    * math.sin(2 * math.pi * k * x)
                    / (math.pi * k)
                    for k in range(1, 6)
                )
                for x in levels.tolist()
            ]
        )
        error = math.sqrt((sigma**2 + 1 / 12) / DRAWS)
        torch.testing.assert_close(off.float(), series, rtol=0, atol=5 * error)
        assert float(series.abs().max()) == pytest.approx(most, rel=0.03)


@pytest.mark.parametrize("bits", [None, 8, 12])
def test_saturates_at_the_full_well(bits: int | None) -> None:
    part = camera(full_well_e=10500.0, bits=bits)
    assert part.saturation_e == pytest.approx(10500)
    photons = torch.tensor([10400.0, 10500.0, 1e6], dtype=torch.float64)
    found = detect(photons, part, noise=False)
    step = part.electrons_per_dn or 1e-9
    assert float(found.max()) == pytest.approx(10500, rel=1e-12)
    assert abs(float(found[0]) - 10400) <= step / 2
    assert float(drawn(1e6, part).min()) == pytest.approx(10500, rel=1e-12)


def test_the_well_ends_light_and_dark_together() -> None:
    part = camera(full_well_e=1000.0, dark_e_s=100.0)
    photons = torch.tensor([899.0, 901.0, 2000.0])
    assert detect(photons, part, noise=False).tolist() == [899, 900, 900]


def test_black_level_keeps_the_mean_of_darkness() -> None:
    figures = {"read_noise_e": 2.4, "full_well_e": 10500.0, "bits": 12}
    part = camera(**figures)
    assert part.black_dn == math.ceil(6 * 2.4 / (10500 / 4095))
    assert part.saturation_e == pytest.approx((4095 - part.black_dn) * 10500 / 4095)
    close(drawn(0.0, part), 0.0, 2.4**2 + (10500 / 4095) ** 2 / 12)
    # Without it the converter cuts at 0: a normal has the mean 2.4 φ(0) above it; and rounding.
    cut = drawn(0.0, camera(**figures, black_level_dn=0))
    assert float(cut.min()) == 0
    assert float(cut.mean()) > 0.8 * 2.4 / math.sqrt(2 * math.pi)


def test_without_noise_and_limits_it_counts_photons() -> None:
    photons = torch.rand(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(detect(photons, Camera.ideal(), noise=False), photons)
    part = camera(quantum_efficiency=0.3, read_noise_e=5.0, dark_e_s=7.0)
    torch.testing.assert_close(
        detect(photons, part, noise=False), 0.3 * photons, atol=1e-14, rtol=0
    )


def test_generator_decides_everything() -> None:
    part = camera(read_noise_e=3.0)
    assert torch.equal(drawn(5.0, part, 1, 99), drawn(5.0, part, 1, 99))
    assert not torch.equal(drawn(5.0, part, 1, 99), drawn(5.0, part, 2, 99))
    state = torch.get_rng_state()
    drawn(5.0, part, 3, 99)
    assert torch.equal(state, torch.get_rng_state())


def test_precision_is_kept() -> None:
    generator = torch.Generator().manual_seed(0)
    for dtype in (torch.float32, torch.float64):
        found = detect(torch.ones(2, 0, 3, dtype=dtype), camera(), generator=generator)
        assert found.shape == (2, 0, 3)
        assert detect(torch.ones(2, dtype=dtype), camera(), generator=generator).dtype == dtype


def test_derivatives_without_noise() -> None:
    photons = torch.tensor([1.0, 50.0, 99.0, 130.0], dtype=torch.float64, requires_grad=True)
    part = camera(quantum_efficiency=0.5, full_well_e=60.0, dark_e_s=2.0)
    assert torch.autograd.gradcheck(lambda n: detect(n, part, noise=False), photons)
    (found,) = torch.autograd.grad(detect(photons, part, noise=False).sum(), photons)
    assert found.tolist() == [0.5, 0.5, 0.5, 0.0]


def test_rounding_passes_the_gradient_and_ends_do_not() -> None:
    photons = torch.tensor([3.3, 200.7, 400.0], dtype=torch.float64, requires_grad=True)
    part = camera(quantum_efficiency=0.5, gain_e_per_dn=1.0, bits=7)
    reading = detect(photons, part, noise=False)
    assert reading.tolist() == [2.0, 100.0, 127.0]
    (found,) = torch.autograd.grad(reading.sum(), photons)
    assert found.tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("power", [1, 2, 3])
@pytest.mark.parametrize("mean", [0.7, 5.0, 60.0])
def test_mean_of_gradients_through_shot_noise(power: int, mean: float) -> None:
    # E n = μ, E n² = μ² + μ, E n³ = μ³ + 3μ² + μ: the derivatives of the first two come out exact,
    # that of the third off by f'''/12 = 1/2.
    expected = {1: 1, 2: 2 * mean + 1, 3: 3 * mean**2 + 6 * mean + 1.5}[power]
    photons = torch.full((DRAWS,), mean, dtype=torch.float64, requires_grad=True)
    reading = detect(photons, camera(), generator=torch.Generator().manual_seed(7))
    (found,) = torch.autograd.grad(reading.pow(power).sum(), photons)
    error = float(found.std()) / math.sqrt(DRAWS)
    assert abs(float(found.mean()) - expected) < 5 * error
    assert error < 0.02 * expected


def test_mean_of_gradients_through_every_part() -> None:
    # d/dN E r² = η (2ηN + 1) for a camera of all noises, whose rounding is dithered.
    part = camera(
        quantum_efficiency=0.6, dark_e_s=10.0, read_noise_e=5.0, gain_e_per_dn=2.0, bits=14
    )
    photons = torch.full((DRAWS,), 80.0, dtype=torch.float64, requires_grad=True)
    reading = detect(photons, part, generator=torch.Generator().manual_seed(8))
    (found,) = torch.autograd.grad(reading.square().sum(), photons)
    error = float(found.std()) / math.sqrt(DRAWS)
    assert abs(float(found.mean()) - 0.6 * (2 * 48 + 1)) < 5 * error


def test_gradient_where_no_light_is() -> None:
    photons = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    reading = detect(photons, camera(), generator=torch.Generator().manual_seed(0))
    (found,) = torch.autograd.grad(reading.sum(), photons)
    assert found.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("photons", "message"),
    [
        (torch.tensor([-1.0]), "at or above 0; got -1"),
        (torch.tensor([math.inf]), "finite"),
        (torch.tensor([math.nan, 1.0]), "finite"),
        (torch.ones(2, dtype=torch.complex64), "squared modulus of a field"),
        (torch.ones(2, dtype=torch.int64), "float32 or float64"),
        ([1.0], "must be a tensor"),
    ],
)
def test_bad_photons(photons: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        detect(photons, camera(), noise=False)


def test_noise_without_a_generator() -> None:
    with pytest.raises(InputError, match="noise=False draws nothing"):
        detect(torch.ones(2), camera())


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"bits": 0}, "bits must be a whole number from 1 to 16"),
        ({"bits": 17}, "bits must be a whole number from 1 to 16"),
        ({"quantum_efficiency": 0.0}, "quantum_efficiency must be above 0"),
        ({"quantum_efficiency": 1.1}, "quantum_efficiency"),
        ({"read_noise_e": -1.0}, "read_noise_e must be finite and at or above 0"),
        ({"dark_e_s": math.inf}, "dark_e_s"),
        ({"full_well_e": 0.0}, "full_well_e must be above 0"),
        ({"full_well_e": math.nan}, "full_well_e must be a number"),
        ({"gain_e_per_dn": -2.0}, "gain_e_per_dn"),
        ({"black_level_dn": -1}, "black_level_dn must be a whole number of at least 0"),
        ({"black_level_dn": 1.5}, "black_level_dn must be a whole number of at least 0"),
        ({"pitch_m": -1e-6}, "pitch_m must be finite and above 0"),
        ({"pixels": (0, 4)}, "pixels must be"),
        ({"exposure_s": 0.0}, "exposure_s"),
        ({"bits": 2, "gain_e_per_dn": 1.0, "read_noise_e": 1.0}, "black level of 6 takes all"),
    ],
)
def test_bad_cameras(figures: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        camera(**figures)
