"""What an encoding says of itself, against the definitions, and what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from optics.encoding import Encoding, Method, encode
from optics.encoding.direct import NEIGHBOURS, diffusion_weights, error_diffusion
from optics.encoding.encoding import seen
from optics.encoding.window import carrier_wave, off_axis_mask, window_mask
from optics.errors import InputError
from optics.grid import coordinates
from optics.modulation import transmission
from optics.modulator import Modulator, ModulatorKind
from tests.optics.encoding.kernels import SIDE, part, spectra

CPU = torch.device("cpu")


def by_sums(found: Encoding, target: Tensor) -> tuple[complex, float, float]:
    """Scale, efficiency and signal over noise of one target by sums over pixels, no transform."""
    rows, columns = target.shape
    y, x = coordinates(rows, 1.0), coordinates(columns, 1.0)
    steady = Modulator(
        kind=found.modulator.kind,
        pixels=found.modulator.pixels,
        pitch_m=found.modulator.pitch_m,
        bits=found.modulator.bits,
        fill_factor=found.modulator.fill_factor,
    )
    shown = transmission(found.drive, steady)
    wanted, light = [], []
    for i in range(rows):
        for j in range(columns):
            if not bool(found.window[i, j]):
                continue
            turns = y[i] * y[:, None] / rows + x[j] * x / columns
            back = found.carrier[0] * y[:, None] + found.carrier[1] * x
            wanted.append(complex((target * torch.exp(2j * math.pi * turns)).sum()))
            light.append(complex((shown * torch.exp(2j * math.pi * (turns - back))).sum()))
    power = sum(abs(h) ** 2 for h in wanted)
    scale = sum(h.conjugate() * v for h, v in zip(wanted, light)) / power
    rest = sum(abs(v - scale * h) ** 2 for h, v in zip(wanted, light))
    signal = abs(scale) ** 2 * power
    # Sums of a unitary transform are over the root of the pixels, efficiency over all of them.
    return scale, signal / (rows * columns) ** 2, signal / rest


@pytest.mark.parametrize("kind", ["lcos-phase", "lcos-amplitude", "dmd"])
def test_figures_are_what_they_are_defined_as(kind: ModulatorKind) -> None:
    target = spectra(2, count=1, shape=(13, 16))[0]
    bits = {"lcos-amplitude": 3, "dmd": 1}.get(kind)
    modulator = part(kind, bits=bits, fill_factor=0.8, flicker_rad=0.2)
    found = encode(target, modulator, window=(3, 4))
    scale, efficiency, snr = by_sums(found, target)
    assert complex(found.scale) == pytest.approx(scale, rel=1e-9)
    assert float(found.efficiency) == pytest.approx(efficiency, rel=1e-9)
    assert float(found.snr) == pytest.approx(snr, rel=1e-6)


@pytest.mark.parametrize("samples", [2, 3])
@pytest.mark.parametrize("shape", [(12, 16), (13, 15)])
def test_finer_light_has_the_envelope_of_the_pixels(samples: int, shape: tuple[int, int]) -> None:
    # Full pixels are plateaus: sinc(u) sinc(v) over the output, about the axis, not the carrier.
    target = spectra(3, count=1, shape=shape)[0]
    for kind in ("lcos-phase", "lcos-amplitude"):
        found = encode(target, part(kind), window=(3, 3), peak=1.5 * float(target.abs().max()))
        coarse, fine = found.output(), found.output(samples=samples)
        down, right = (
            torch.sinc(coordinates(n, 1.0) / n - nu) for n, nu in zip(shape, found.carrier)
        )
        torch.testing.assert_close(fine, coarse * down[:, None] * right, rtol=0, atol=1e-12)


def test_transmission_is_the_parts_and_its_gradient_the_targets() -> None:
    kinds: tuple[ModulatorKind, ...] = ("lcos-phase", "lcos-amplitude", "dmd")
    for kind in kinds:
        target = spectra(3, shape=(12, 16)).requires_grad_()
        found = encode(target, part(kind, bits=1), window=(3, 3))
        assert not found.drive.requires_grad
        shown = found.transmission(samples=2)
        expected = transmission(found.drive, part(kind, bits=1), samples=2)
        assert torch.equal(shown.detach(), expected)
        generator = torch.Generator().manual_seed(1)
        weights = torch.randn(shown.shape, dtype=shown.dtype, generator=generator)
        (gradient,) = torch.autograd.grad((shown * weights).real.sum(), target)
        blocks = weights.unflatten(-1, (16, 2)).sum(-1).unflatten(-2, (12, 2)).sum(-2)
        torch.testing.assert_close(
            gradient, (blocks * found.scale[:, None, None] * found.wave).conj()
        )


def test_flicker_is_in_the_light_and_not_in_the_figures() -> None:
    target = spectra(3)
    steady, moving = part("lcos-phase"), part("lcos-phase", flicker_rad=0.1)
    found = encode(target, moving)
    torch.testing.assert_close(found.snr, encode(target, steady).snr)
    with pytest.raises(InputError, match="drawn at random"):
        found.transmission()
    one, two = (found.transmission(generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("carrier", [(0.0, 0.0), (0.0, 0.25), (0.11, 0.27), (0.4, -0.3)])
def test_diffusion_puts_a_zero_of_noise_at_the_carrier(carrier: tuple[float, float]) -> None:
    weights = diffusion_weights(carrier)
    phases = [-2j * math.pi * (carrier[0] * a + carrier[1] * b) for a, b in NEIGHBOURS]
    total = sum(w * complex(math.cos(p.imag), math.sin(p.imag)) for w, p in zip(weights, phases))
    assert abs(total - 1) < 1e-12


def test_diffusion_is_pixel_by_pixel_and_keeps_the_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape, carrier in (((7, 9), (0.0, 0.0)), ((9, 6), (0.11, 0.27)), ((1, 5), (0.0, 0.25))):
        wanted = torch.rand(2, *shape, dtype=torch.float64, generator=generator)
        found = error_diffusion(wanted, carrier)
        for image, made in zip(wanted, found):
            rest = {(i, j): float(image[i, j]) for i in range(shape[0]) for j in range(shape[1])}
            for i in range(shape[0]):
                for j in range(shape[1]):
                    on = 1.0 if rest[i, j] >= 0.5 else 0.0
                    assert float(made[i, j]) == on
                    for (a, b), w in zip(NEIGHBOURS, diffusion_weights(carrier)):
                        if (i + a, j + b) in rest:
                            rest[i + a, j + b] += w * (rest[i, j] - on)
    # All error goes on, but for what leaves the plane: at most 1/2 for each pixel of its edge.
    grey = torch.full((64, 64), 0.3, dtype=torch.float64)
    assert abs(float(error_diffusion(grey, (0.0, 0.0)).mean()) - 0.3) < 0.5 * 3 / 64


def test_windows() -> None:
    mask = window_mask((2, 3), (6, 7), CPU)
    assert mask.nonzero().tolist() == [[i, j] for i in (2, 3) for j in (2, 3, 4)]
    assert bool(window_mask(None, (2, 2), CPU).all())
    assert torch.equal(window_mask(mask, (6, 7), CPU), mask)
    wave = carrier_wave((0.0, 0.25), (1, 4), torch.complex128, CPU)
    torch.testing.assert_close(wave[0], torch.tensor([-1, -1j, 1, 1j], dtype=torch.complex128))


@pytest.mark.parametrize("carrier", [(0.0, 0.25), (0.25, 0.25), (7 / 64, 17 / 64), (-0.25, 0.125)])
def test_default_windows_hold_neither_order_zero_nor_the_twin(carrier: tuple[float, float]) -> None:
    # A brute-force search of what each pixel is nearest to, orders repeating beyond the plane.
    mask = off_axis_mask(torch.ones(SIDE, SIDE, dtype=torch.bool), None, carrier)
    places = coordinates(SIDE, 1.0)

    def distance(times: int) -> Tensor:
        down, right = (
            ((places - times * nu * SIDE + SIDE / 2) % SIDE - SIDE / 2) for nu in carrier
        )
        return down[:, None] ** 2 + right**2

    own, zero, twin = distance(0), distance(1), distance(2)
    assert bool(mask[SIDE // 2, SIDE // 2])
    # Where even light really goes.
    undiffracted = seen(torch.ones(SIDE, SIDE, dtype=torch.complex128), carrier).abs()
    assert int(undiffracted.argmax()) == int(zero.argmin())
    assert not bool((mask & ((zero < own) | (twin < own))).any())


def test_windows_that_meet_other_orders_are_refused() -> None:
    target = spectra(3)
    for window in ((9, 33), (SIDE, SIDE), (1, 34)):
        with pytest.raises(InputError, match="meets the undiffracted light or the twin"):
            encode(target, part("lcos-amplitude"), window=window)
    encode(target, part("lcos-amplitude"), window=(SIDE, 31))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("ideal", {"method": "lee"}, "takes complex; got method='lee'"),
        ("lcos-phase", {"method": "off-axis"}, "double-phase, gerchberg-saxton, optimised"),
        ("dmd", {"method": "kinoform"}, "takes lee, error-diffusion"),
        ("lcos-phase", {"window": (0, 3)}, "1 to 64 rows; got 0"),
        ("lcos-phase", {"window": (3, 65)}, "1 to 64 columns; got 65"),
        ("lcos-phase", {"window": torch.ones(3, 3, dtype=torch.bool)}, "of booleans, 64 x 64"),
        ("lcos-phase", {"window": torch.ones(SIDE, SIDE)}, "of booleans"),
        ("lcos-phase", {"window": torch.zeros(SIDE, SIDE, dtype=torch.bool)}, "empty mask"),
        ("lcos-phase", {"carrier": (0.6, 0.0)}, "carrier, down, must be from -1/2 to 1/2"),
        ("lcos-phase", {"carrier": (0.0, math.nan)}, "carrier, right"),
        ("dmd", {"carrier": (0.0, 0.001)}, "needs a carrier of at least one cycle"),
        ("lcos-phase", {"peak": 0.0}, "peak must be finite and at least"),
        ("lcos-phase", {"peak": math.inf}, "peak must be finite"),
        ("lcos-phase", {"peak": 1e-3}, "peak must be finite and at least"),
        ("lcos-phase", {"brightness": 1.5}, "brightness must be from 0 to 1"),
        ("lcos-phase", {"method": "optimised", "steps": -1}, "steps must be a whole number"),
        ("lcos-phase", {"samples": 0}, "samples must be a whole number"),
    ],
)
def test_bad_settings(kind: ModulatorKind, settings: dict[str, Method], message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode(spectra(3), part(kind), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.ones(4, 4), "complex64 or complex128; got torch.float32"),
        ([[1j]], "complex64 or complex128; got list"),
        (torch.ones(4, dtype=torch.complex64), "at least one pixel"),
        (torch.ones(0, 4, dtype=torch.complex64), "at least one pixel"),
        (torch.ones(4, 65, dtype=torch.complex64), "128 x 64 pixels; got a target of 4 x 65"),
        (torch.full((4, 4), math.nan, dtype=torch.complex64), "finite"),
    ],
)
def test_bad_targets(target: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode(target, part("lcos-phase"))
