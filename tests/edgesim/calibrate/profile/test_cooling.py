"""What a rest does, found again in times that were made with it."""

from __future__ import annotations

import numpy as np
import pytest

from edgesim.calibrate.profile.cooling import Rested, fit
from edgesim.hardware import Cooling


def made(
    cooling: Cooling, hot_s: float, generator: np.random.Generator, noise: float, many: int = 400
) -> Rested:
    """Times after rests of none to a fifth of a second, each off by some share."""
    rests_s = np.where(generator.random(many) < 0.3, 0.0, np.exp(generator.uniform(-7, -1.6, many)))
    factors = np.array([cooling.factor(rest_s) for rest_s in rests_s])
    return Rested(rests_s, hot_s * factors * np.exp(noise * generator.standard_normal(many)))


@pytest.mark.parametrize(
    "cooling", [Cooling(share=0.5, time_s=5e-3), Cooling(share=1.5, time_s=30e-3)]
)
def test_what_was_put_in_is_found(cooling: Cooling) -> None:
    generator = np.random.default_rng(3)
    exact = fit([made(cooling, one, generator, 0.0) for one in (1e-3, 4e-3)])
    assert exact.cooling.share == pytest.approx(cooling.share, rel=1e-4)
    assert exact.cooling.time_s == pytest.approx(cooling.time_s, rel=1e-4)
    assert exact.hot_s == pytest.approx((1e-3, 4e-3), rel=1e-4)
    # A tenth of noise on 800 times: a few per cent of each figure.
    noisy = fit([made(cooling, one, generator, 0.1) for one in (1e-3, 4e-3)])
    assert noisy.cooling.share == pytest.approx(cooling.share, rel=0.1)
    assert noisy.cooling.time_s == pytest.approx(cooling.time_s, rel=0.25)


def test_times_that_do_not_depend_on_rests_have_none() -> None:
    generator = np.random.default_rng(5)
    found = fit([made(Cooling(share=0.0, time_s=1.0), 2e-3, generator, 0.05)])
    assert found.cooling.share < 0.03
    assert found.hot_s[0] == pytest.approx(2e-3, rel=0.03)


def test_a_few_that_were_disturbed_change_little() -> None:
    generator = np.random.default_rng(7)
    cooling = Cooling(share=0.5, time_s=5e-3)
    rested = made(cooling, 1e-3, generator, 0.05)
    rested.times_s[::40] *= 20.0
    found = fit([rested])
    assert found.cooling.share == pytest.approx(0.5, rel=0.1)


def test_means_are_those_that_were_measured() -> None:
    generator = np.random.default_rng(9)
    rested = made(Cooling(share=0.4, time_s=8e-3), 3e-3, generator, 0.3)
    found = fit([rested])
    assert found.ratios[0].mean() == pytest.approx(1.0)
    told = np.array([found.cooling.factor(one) for one in rested.rests_s]) * found.hot_s[0]
    assert (told * found.ratios[0]).mean() == pytest.approx(rested.times_s.mean(), rel=1e-9)
