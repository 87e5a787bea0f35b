"""Orders of tilted mirrors: sums over a mirror's face, the blaze condition, and the loss budget."""

from __future__ import annotations

import cmath
import itertools
import math
from dataclasses import replace

import pytest

from optics.blaze import Blaze
from optics.errors import InputError
from optics.modulator import Modulator
from optics.presets import preset
from optics.timing import LightBudget, LossBudget

PITCH_M, TILT = 13.68e-6, math.radians(12)


def array(wavelength_m: float, incidence_rad: float = 2 * TILT, fill: float = 0.92) -> Blaze:
    return Blaze(
        tilt_rad=TILT,
        incidence_rad=incidence_rad,
        pitch_m=PITCH_M,
        fill_factor=fill,
        wavelength_m=wavelength_m,
    )


def face_sum(blaze: Blaze, order: tuple[int, int], tilt_rad: float, points: int = 160) -> float:
    """Return the intensity of an order by a sum of waves over points of a mirror's tilted face.

    The normal leans towards the light, which comes from the side of positive rows and columns.
    """
    out = blaze.direction(order)
    assert out is not None
    lean = math.sin(blaze.incidence_rad) / math.sqrt(2)
    into = (-lean, -lean, -math.cos(blaze.incidence_rad))
    side_m = math.sqrt(blaze.fill_factor) * blaze.pitch_m
    places = [((i + 0.5) / points - 0.5) * side_m for i in range(points)]
    wave = 2 * math.pi / blaze.wavelength_m
    total = 0j
    for x, y in itertools.product(places, places):
        z = -math.tan(tilt_rad) / math.sqrt(2) * (x + y)
        path = sum((a - b) * r for a, b, r in zip(into, out, (x, y, z), strict=True))
        total += cmath.exp(1j * wave * path)
    return abs(total / points**2) ** 2


@pytest.mark.parametrize("wavelength_nm", [450, 532, 633])
@pytest.mark.parametrize("incidence", [2 * TILT, math.radians(20.0)])
def test_orders_are_the_sum_of_waves_over_a_mirror(wavelength_nm: int, incidence: float) -> None:
    blaze = array(wavelength_nm * 1e-9, incidence)
    m, n = blaze.brightest
    for order in ((m, n), (m - 1, n), (m, n + 1), (m - 1, n - 1)):
        # The sum takes points of a smooth wave: its error falls as their number squared.
        assert blaze.share(order) == pytest.approx(face_sum(blaze, order, TILT), rel=1e-3)
        off = face_sum(blaze, order, -TILT)
        assert blaze.share(order, on=False) == pytest.approx(off, rel=0.05, abs=1e-6)


def test_a_mirror_sends_all_light_into_the_order_that_it_would_reflect() -> None:
    # Light along the normal: m wavelengths are pitch sin(2 tilt) / √2 (grating equation).
    for m in (6, 7, 8):
        blaze = array(PITCH_M * math.sin(2 * TILT) / math.sqrt(2) / m)
        assert blaze.brightest == (m, m)
        assert blaze.share((m, m)) == pytest.approx(1, abs=1e-12)
        assert blaze.direction((m, m)) == pytest.approx((0, 0, 1), abs=1e-12)
        # What is off goes elsewhere: zeros of a full mirror's orders lie at all other orders.
        assert array(blaze.wavelength_m, fill=1.0).share((m, m), on=False) < 1e-4


def test_between_two_orders_neither_has_most_of_the_light() -> None:
    # Half an order off along the diagonal is half an order along rows and along columns.
    blaze = array(PITCH_M * math.sin(2 * TILT) / math.sqrt(2) / 7.5, fill=1.0)
    m, n = blaze.brightest
    assert blaze.share((m, n)) == pytest.approx((2 / math.pi) ** 4, rel=0.03)


def test_full_mirrors_of_a_small_tilt_lose_nothing() -> None:
    small = Blaze(
        tilt_rad=0.02, incidence_rad=0.03, pitch_m=PITCH_M, fill_factor=1.0, wavelength_m=532e-9
    )
    # Σ sinc²(x - n) = 1; what is left out beyond the orders summed, and by obliquity, is small.
    orders = itertools.product(range(-22, 26), repeat=2)
    assert math.fsum(small.share(order) for order in orders) == pytest.approx(1, abs=0.02)


def test_flat_mirrors_reflect_and_evanescent_orders_have_no_light() -> None:
    flat = Blaze(
        tilt_rad=0.0, incidence_rad=0.3, pitch_m=PITCH_M, fill_factor=1.0, wavelength_m=532e-9
    )
    assert flat.brightest == (0, 0)
    assert flat.share((0, 0)) == 1
    assert flat.share((1, 0)) == pytest.approx(0, abs=1e-12)
    assert flat.direction((40, 0)) is None
    assert flat.share((40, 0)) == 0


def test_the_loss_budget_and_the_light_have_the_blaze() -> None:
    system = preset("dmd-dlp7000")
    tilted = replace(system, input=replace(system.input, tilt_rad=TILT))
    share = array(532e-9).share((7, 7))
    assert tilted.efficiency == pytest.approx(system.efficiency * share)
    assert LightBudget.of(tilted).electrons == pytest.approx(
        LightBudget.of(system).electrons * share
    )
    rows = {one.part: one for one in LossBudget.of(tilted).losses}
    assert rows["input: blaze of its mirrors"].loss_db == pytest.approx(-10 * math.log10(share))
    # At another angle of the light the same mirrors are blazed for this laser.
    best = max(
        replace(tilted.input, incidence_rad=math.radians(24 + step / 20)).blazed(532e-9)
        for step in range(400)
    )
    assert best > 0.99


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"kind": "lcos-phase", "tilt_rad": 0.2}, "tilt_rad is of mirrors, the kind dmd"),
        ({"kind": "dmd", "bits": 1, "tilt_rad": 2.0}, "tilt_rad must be from 0 to below"),
        ({"kind": "dmd", "bits": 1, "incidence_rad": -1.0}, "incidence_rad must be from 0"),
    ],
)
def test_angles_that_no_mirror_has(figures: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Modulator(pixels=(8, 8), pitch_m=PITCH_M, **figures)  # type: ignore[arg-type]
