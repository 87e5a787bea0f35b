"""Encoders against what is known of them: exactness, efficiencies, errors that never grow."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from optics.encoding import METHODS, Method, encode
from optics.encoding.direct import lee, off_axis
from optics.encoding.iterate import flipped
from optics.encoding.window import carrier_wave
from optics.grid import centred_fft2, centred_ifft2, coordinates
from optics.modulator import Modulator, ModulatorKind
from tests.optics.encoding.kernels import SIDE, part, spectra

PERIOD = 16
"""Pixels of a fringe where gratings are tested."""

# Half a pixel of phase, so that no pixel lies on the edge between two levels.
FLAT = torch.full((8, SIDE), 1, dtype=torch.complex128) * complex(
    math.cos(math.pi / PERIOD), math.sin(math.pi / PERIOD)
)


def first_order(modulator: Modulator, method: Method, samples: int) -> float:
    """Efficiency of a plane wave sent to a carrier along columns; its window is one point."""
    found = encode(
        FLAT,
        modulator,
        method=method,
        carrier=(0.0, 1 / PERIOD),
        window=(1, 1),
        samples=samples,
    )
    return float(found.efficiency)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_phase_levels_send_sinc_squared_into_the_order(bits: int) -> None:
    # Two levels 4/π² = 40.5 %, four 81.1 %, eight 95.0 %.
    expected = (math.sin(math.pi / 2**bits) / (math.pi / 2**bits)) ** 2
    found = first_order(part("lcos-phase", bits=bits), "double-phase", 8)
    assert found == pytest.approx(expected, rel=1e-12)


def test_amplitudes_send_a_sixteenth_into_the_order() -> None:
    assert first_order(part("lcos-amplitude"), "off-axis", 1) == pytest.approx(1 / 16, rel=1e-12)
    # Pixels of finite width take their sinc² from it, 6.17 % here.
    width = math.sin(math.pi / PERIOD) / (math.pi / PERIOD)
    found = first_order(part("lcos-amplitude"), "off-axis", 4)
    assert found == pytest.approx(width**2 / 16, rel=1e-12)


def test_mirrors_send_one_over_pi_squared_into_the_order() -> None:
    # Fringes of half a period: 10.1 %. One sample a pixel counts without the pixels' width.
    found = first_order(part("dmd"), "lee", 8)
    assert found == pytest.approx(1 / math.pi**2, rel=1e-12)
    found = first_order(part("dmd"), "lee", 1)
    assert found == pytest.approx(1 / (PERIOD * math.sin(math.pi / PERIOD)) ** 2, rel=1e-12)


@pytest.mark.parametrize("amplitude", [0.25, 0.5, 0.9])
def test_lee_fringes_have_the_wanted_first_harmonic(amplitude: float) -> None:
    # Fine fringes of 4096 pixels a period: A/π to the width of a pixel.
    count = 4096
    wave = carrier_wave((0.0, 1 / count), (1, count), torch.complex128, torch.device("cpu"))
    fringes = lee(amplitude * wave)
    harmonic = (fringes * wave.conj()).mean()
    assert float(harmonic.real) == pytest.approx(amplitude / math.pi, abs=1 / count)
    assert abs(float(harmonic.imag)) < 1 / count
    assert float(fringes.mean()) == pytest.approx(math.asin(amplitude) / math.pi, abs=1 / count)


def test_gaps_take_the_square_of_the_fill_factor_and_widen_the_order() -> None:
    # Squares of half the pitch, on the samples' edges: F² sinc²(ν/2).
    half = math.pi / PERIOD / 2
    found = first_order(part("lcos-phase", fill_factor=0.25), "double-phase", 4)
    assert found == pytest.approx((0.25 * math.sin(half) / half) ** 2, rel=1e-12)


def test_complex_is_exact() -> None:
    target = spectra(5)
    found = encode(target, Modulator.ideal((SIDE, SIDE)))
    largest = target.abs().amax((-2, -1))
    torch.testing.assert_close(found.scale.real, 1 / largest, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        found.efficiency, (target.abs() / largest[:, None, None]).square().mean((-2, -1))
    )
    assert bool((found.snr > 1e28).all())
    torch.testing.assert_close(found.output(), found.kernel, rtol=0, atol=1e-12)


def test_double_phase_is_exact_for_even_targets() -> None:
    # All that is not the target goes to the corner of the output.
    for amplitude in (0.2, 0.7, 1.0):
        target = torch.full((8, 6), amplitude * (0.6 + 0.8j), dtype=torch.complex128)
        found = encode(target, part("lcos-phase"), peak=1.0, window=(7, 5))
        assert abs(complex(found.scale) - 1) < 1e-14
        assert float(found.efficiency) == pytest.approx(amplitude**2, rel=1e-12)
        assert float(found.snr) > 1e28
        corner = found.output()[0, 0].abs().square()
        assert float(corner) == pytest.approx(48 * (1 - amplitude**2), abs=1e-13)


def test_double_phase_tends_to_exact_as_targets_vary_more_slowly() -> None:
    # A kernel of one Gaussian spot, whose spectrum has no zeros: beyond all powers of the side.
    noise = []
    for side in (16, 32, 64):
        place = coordinates(side, 1.0)
        spot = torch.exp(-place.square() / 2)
        target = centred_fft2((spot[:, None] * spot).to(torch.complex128))
        modulator = Modulator(kind="lcos-phase", pixels=(side, side), pitch_m=8e-6)
        found = encode(target + 1, modulator, window=(9, 9))
        noise.append(float(1 / found.snr))
    assert noise[1] < noise[0] / 1e2
    assert noise[2] < noise[1] / 1e2


def test_off_axis_amplitudes_are_exact_within_their_window() -> None:
    target = spectra(7)
    found = encode(target, part("lcos-amplitude"))
    assert found.carrier == (0.0, 0.25)
    assert bool((found.snr > 1e27).all())
    largest = target.abs().amax((-2, -1))
    torch.testing.assert_close(found.scale.real, 1 / (4 * largest), rtol=1e-12, atol=0)
    inside = found.window & torch.ones_like(found.window)
    off = (found.output() - found.kernel) * inside
    assert float(off.abs().max()) < 1e-12
    # The twin: conjugate, turned, at the opposite carrier.
    drive = off_axis(target / largest[:, None, None] * found.wave)
    output = centred_ifft2(drive.to(torch.complex128))
    twin = torch.roll(output, -SIDE // 4, -1)[..., 1:, 1:]
    kernel = torch.roll(output, SIDE // 4, -1)[..., 1:, 1:]
    torch.testing.assert_close(twin, kernel.conj().flip(-1, -2), rtol=0, atol=1e-13)


KINDS: list[tuple[ModulatorKind, float]] = list(
    itertools.product(("lcos-phase", "lcos-amplitude", "dmd"), (0.0, 0.5, 1.0))
)


@pytest.mark.parametrize(("kind", "brightness"), KINDS)
def test_errors_of_gerchberg_and_saxton_never_grow(kind: ModulatorKind, brightness: float) -> None:
    target = spectra(5, count=3)
    found = encode(
        target,
        part(kind),
        method="gerchberg-saxton",
        window=(15, 15),
        brightness=brightness,
        steps=30,
    )
    assert found.history.shape == (31, 3)
    assert bool((found.history[1:] <= found.history[:-1] + 1e-16).all())
    # The history is the error of the drive at the end, at its fixed scale.
    largest = target.abs().amax((-2, -1))
    unit = target / largest[:, None, None]
    total, square = unit.abs().sum((-2, -1)), unit.abs().square().sum((-2, -1))
    if kind == "lcos-phase":
        scale = (total / square) ** brightness
    else:
        scale = 0.25 * (4 / math.pi * total / square) ** brightness
    light = found.output() * found.scale[:, None, None]
    off = (light - (scale / largest)[:, None, None] * found.kernel) * found.window
    torch.testing.assert_close(
        off.abs().square().sum((-2, -1)) / SIDE**2, found.history[-1], rtol=1e-9, atol=1e-18
    )


def test_gerchberg_and_saxton_better_the_double_phase() -> None:
    target = spectra(5, count=3)
    before = encode(target, part("lcos-phase"), method="double-phase", window=(15, 15))
    after = encode(target, part("lcos-phase"), method="gerchberg-saxton", window=(15, 15))
    assert bool((after.snr > 100 * before.snr).all())
    torch.testing.assert_close(after.efficiency, before.efficiency, rtol=0.01, atol=0)


PARTS = {
    "phase of 8 bits": part("lcos-phase", bits=8),
    "phase of 2 bits": part("lcos-phase", bits=2),
    "phase that leaks": part(
        "lcos-phase", bits=8, fill_factor=0.93, dead_zone_amplitude=0.3, crosstalk_px=0.3
    ),
    "phase of less than 2π": part("lcos-phase", bits=6, phase_range_rad=5.0),
    "amplitude of 4 bits": part("lcos-amplitude", bits=4),
    "mirrors": part("dmd", fill_factor=0.92),
}


@pytest.mark.parametrize("name", PARTS)
def test_optimised_is_never_worse_and_mostly_much_better(name: str) -> None:
    target = spectra(3, count=2)
    # On the axis, where a checkerboard's leaks and undiffracted light leave most to be done.
    axis = {"carrier": (0.0, 0.0)} if PARTS[name].kind == "lcos-phase" else {}
    settings = {"window": (9, 9), "brightness": 0.0, **axis}
    before = encode(target, PARTS[name], method="gerchberg-saxton", **settings)  # type: ignore[arg-type]
    after = encode(target, PARTS[name], method="optimised", steps=60, **settings)  # type: ignore[arg-type]
    assert bool((after.snr >= before.snr).all())
    assert float((after.snr / before.snr).log10().mean()) > 0.4
    none = encode(target, PARTS[name], method="optimised", steps=0, **settings)  # type: ignore[arg-type]
    torch.testing.assert_close(none.snr, before.snr, rtol=1e-6, atol=0)


def test_brighter_is_brighter_and_noisier() -> None:
    target = spectra(5)
    for kind in ("lcos-phase", "lcos-amplitude"):
        found = [
            encode(
                target,
                part(kind),
                method="gerchberg-saxton",
                window=(15, 15),
                brightness=brightness,
            )
            for brightness in (0.0, 0.5, 1.0)
        ]
        for less, more in itertools.pairwise(found):
            assert bool((more.efficiency > less.efficiency).all())
            assert bool((more.snr < less.snr).all())
        # The brightest kinoform: |Σ|T||² / (P Σ|T|²) is a bound that no phases pass.
        bound = target.abs().sum((-2, -1)).square() / target.abs().square().sum((-2, -1)) / SIDE**2
        most = bound if kind == "lcos-phase" else bound / math.pi**2
        assert bool((found[-1].efficiency < most).all())
        assert bool((found[-1].efficiency > 0.6 * most).all())


def test_flips_end_where_no_single_one_helps() -> None:
    # Every flip of one pixel, tried by itself.
    shape = (8, 10)
    target = spectra(3, count=1, shape=shape)[0]
    target = target / target.abs().max()
    wave = carrier_wave((0.25, 0.2), shape, torch.complex128, torch.device("cpu"))
    window = torch.zeros(shape, dtype=torch.bool)
    window[3:6, 4:7] = True
    scale = torch.tensor(0.25, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    start = torch.randint(0, 2, shape, generator=generator).double()
    pattern, history = flipped(target, wave, window, scale, start, 400)
    assert bool((history[1:] <= history[:-1]).all())
    wanted = scale * centred_ifft2(target)

    def error(pattern: Tensor) -> float:
        off = (centred_ifft2(pattern * wave.conj()) - wanted) * window
        return float(off.abs().square().sum() / 80)

    assert error(start) == pytest.approx(float(history[0]))
    best = error(pattern)
    assert best == pytest.approx(float(history[-1]))
    for row, column in itertools.product(range(8), range(10)):
        tried = pattern.clone()
        tried[row, column] = 1 - tried[row, column]
        assert error(tried) >= best - 1e-15


EVERY = [(kind, method) for kind, methods in METHODS.items() for method in methods]


@pytest.mark.parametrize(("kind", "method"), EVERY)
def test_batches_are_like_one_by_one(kind: ModulatorKind, method: Method) -> None:
    target = spectra(3, count=4).unflatten(0, (2, 2))
    many = encode(target, part(kind), method=method, window=(9, 9), steps=5)
    assert many.drive.shape == (2, 2, SIDE, SIDE)
    assert many.scale.shape == many.snr.shape == many.efficiency.shape == (2, 2)
    for i, j in itertools.product(range(2), range(2)):
        one = encode(target[i, j], part(kind), method=method, window=(9, 9), steps=5)
        torch.testing.assert_close(many.drive[i, j], one.drive, rtol=0, atol=1e-9)
        torch.testing.assert_close(many.scale[i, j], one.scale)


@pytest.mark.parametrize(("kind", "method"), EVERY)
def test_kernels_without_light_keep_the_scale_of_their_peak(
    kind: ModulatorKind, method: Method
) -> None:
    # As the negative part of kernels that have none; their readings are divided by the scale.
    target = spectra(3)
    target[1] = 0
    peak = 1.1 * float(target.abs().max())
    modulator = part(kind, fill_factor=0.9)
    found = encode(target, modulator, method=method, window=(9, 9), peak=peak, steps=5)
    assert float(found.efficiency[1]) == 0
    nominal = {"complex": 1, "double-phase": 1, "lee": 1 / math.pi}.get(method, 0.25)
    if method in ("gerchberg-saxton", "optimised"):
        nominal = 1 if kind == "lcos-phase" else None
    if nominal is not None:
        assert complex(found.scale[1]) == pytest.approx(0.9 * nominal / peak, rel=1e-12)
    assert bool(torch.isfinite(found.drive).all())
    alone = encode(target[:1], modulator, method=method, window=(9, 9), steps=5)
    assert abs(complex(alone.scale[0])) > abs(complex(found.scale[0]))


@pytest.mark.parametrize(("kind", "method"), EVERY)
def test_single_precision(kind: ModulatorKind, method: Method) -> None:
    target = spectra(3).to(torch.complex64)
    found = encode(target, part(kind), method=method, window=(9, 9), steps=5)
    assert found.drive.dtype == (torch.complex64 if kind == "ideal" else torch.float32)
    assert found.transmission().dtype == torch.complex64
    double = encode(spectra(3), part(kind), method=method, window=(9, 9), steps=5)
    torch.testing.assert_close(found.efficiency.double(), double.efficiency, rtol=0.02, atol=0)
