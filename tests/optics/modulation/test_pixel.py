"""Levels, fill factor, phase errors and crosstalk against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from optics.errors import InputError
from optics.grid import centred_fft2
from optics.modulation import axis_sample, transmission
from optics.modulator import Modulator, ModulatorKind

TURN = 2 * math.pi


def part(kind: ModulatorKind = "lcos-phase", **figures: object) -> Modulator:
    settings: dict[str, object] = {"pixels": (256, 256), "pitch_m": 8e-6, "kind": kind}
    return Modulator(**(settings | figures))  # type: ignore[arg-type]


def blaze(period: int, periods: int, rows: int = 1) -> Tensor:
    """A phase ramp in the middle of whose pixels lies the phase of that place."""
    places = torch.arange(period * periods, dtype=torch.float64)
    return (TURN * (places + 0.5) / period).expand(rows, -1)


def orders(field: Tensor, periods: int, samples_per_period: int) -> Tensor:
    """Power of orders 0, 1, … of a grating along columns; each sample is a plateau of light."""
    amplitude = torch.fft.fft(field, norm="forward")[..., ::periods]
    order = torch.fft.fftfreq(samples_per_period, 1 / samples_per_period, dtype=torch.float64)
    return (amplitude.abs() * torch.sinc(order / samples_per_period)).square()


@pytest.mark.parametrize("levels", [2, 4, 8, 16])
def test_quantised_blaze_sends_sinc_squared_into_its_order(levels: int) -> None:
    # Several pixels to a level: the levels are plateaus, and the first order of the light, told
    # exactly by the plateau of each sample, is sinc²(1/L). The ramp is off the level edges.
    bits = levels.bit_length() - 1
    field = transmission(blaze(8 * levels, 2), part(bits=bits))
    found = orders(field, 2, 8 * levels)[..., 1]
    expected = math.sin(math.pi / levels) ** 2 / (math.pi / levels) ** 2
    torch.testing.assert_close(found, torch.full_like(found, expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_one_sample_a_level_is_blind_to_the_levels(levels: int) -> None:
    # The trap: with one sample to a level the discrete spectrum has everything in one order.
    bits = levels.bit_length() - 1
    drive = blaze(levels, 4) - math.pi / levels
    blind = torch.fft.fft(transmission(drive, part(bits=bits)), norm="forward")[..., 4]
    torch.testing.assert_close(blind.abs(), torch.ones_like(blind.abs()), rtol=1e-12, atol=0)
    fine = transmission(drive, part(bits=bits), samples=6)[:1]
    found = orders(fine, 4, 6 * levels)[..., 1]
    expected = torch.sinc(torch.tensor(1 / levels, dtype=torch.float64)).square().expand(1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("samples", [1, 2, 3, 8])
@pytest.mark.parametrize("fill", [0.3, 0.92])
def test_fill_factor_squared_in_the_order_zero(fill: float, samples: int) -> None:
    field = transmission(
        torch.zeros(4, 4, dtype=torch.float64), part(fill_factor=fill), samples=samples
    )
    assert float(field.mean().abs() ** 2) == pytest.approx(fill**2, rel=1e-13)


def test_fill_factor_orders_are_a_sinc_and_keep_power() -> None:
    # A square of half the pitch: F = 1/4, orders (m, n) of amplitude F sinc(m/2) sinc(n/2). Its
    # edges fall on the samples' edges, so that all power F is there.
    samples = 32
    field = transmission(
        torch.zeros(1, 1, dtype=torch.float64), part(fill_factor=0.25), samples=samples
    )
    spectrum = torch.fft.fft2(field, norm="forward").abs()
    m = torch.fft.fftfreq(samples, 1 / samples, dtype=torch.float64)
    plateau = torch.sinc(m / samples)
    expected = 0.25 * torch.outer(torch.sinc(m / 2), torch.sinc(m / 2)).abs()
    found = spectrum * plateau[:, None] * plateau
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    assert float(field.abs().square().mean()) == pytest.approx(0.25, rel=1e-13)


def test_dead_zone_reflects_at_phase_zero() -> None:
    drive = torch.full((2, 2), math.pi, dtype=torch.float64)
    for samples in (1, 4, 5):
        field = transmission(drive, part(fill_factor=0.8, dead_zone_amplitude=0.3), samples=samples)
        assert field.mean().real == pytest.approx(-0.8 + 0.2 * 0.3, rel=1e-13)


def test_flicker_leaves_exp_minus_variance_in_the_order_zero() -> None:
    sigma, pixels, frames = 0.6, 64 * 64, 200
    generator = torch.Generator().manual_seed(5)
    drive = torch.zeros(frames, 64, 64, dtype=torch.float64)
    field = transmission(drive, part(flicker_rad=sigma), generator=generator)
    power = field.mean((-2, -1)).abs().square()
    # |mean of n phasors|² has the mean e^-σ² + (1 - e^-σ²)/n.
    ruled = math.exp(-(sigma**2))
    expected = ruled + (1 - ruled) / pixels
    error = float(power.std()) / math.sqrt(frames)
    assert abs(float(power.mean()) - expected) < 4 * error
    assert error < 1e-3
    # Frames flicker each by itself, and the same seed gives the same frames.
    assert not torch.equal(field[0], field[1])
    again = transmission(drive, part(flicker_rad=sigma), generator=generator.manual_seed(5))
    assert torch.equal(field, again)


@pytest.mark.parametrize("fill", [0.5, 0.92])
def test_dmd_orders(fill: float) -> None:
    # Mirrors on and off by columns of two: amplitudes 1/2, 1/π, 0, 1/(3π), power 1/4, 1/π², 0,
    # 1/(9π²); the gaps of the mirrors take F² of each.
    on = torch.tensor([1.0, 1, 0, 0], dtype=torch.float64).repeat(4, 4)
    field = transmission(on, part("dmd", bits=1))
    found = orders(field[:1], 4, 4)[0]
    power = [0.25, 1 / math.pi**2, 0, 1 / math.pi**2]
    torch.testing.assert_close(found, torch.tensor(power, dtype=torch.float64), rtol=0, atol=1e-15)
    fine = transmission(on, part("dmd", bits=1), samples=8)[:1]
    found = orders(fine, 4, 32)[0, :4]
    power = [0.25, 1 / math.pi**2, 0, 1 / (9 * math.pi**2)]
    torch.testing.assert_close(found, torch.tensor(power, dtype=torch.float64), rtol=0, atol=1e-15)
    gaps = transmission(on, part("dmd", bits=1, fill_factor=fill))[:1]
    torch.testing.assert_close(gaps, field[:1] * fill)


@pytest.mark.parametrize("kind", ["ideal", "lcos-amplitude", "dmd"])
@pytest.mark.parametrize("samples", [2, 3, 5])
def test_the_mean_over_pixels_does_not_depend_on_samples(kind: ModulatorKind, samples: int) -> None:
    generator = torch.Generator().manual_seed(1)
    drive = torch.rand(3, 6, 5, dtype=torch.float64, generator=generator)
    if kind == "ideal":
        drive = torch.polar(drive, 9 * drive)
    modulator = part(
        kind,
        bits=1 if kind == "dmd" else None,
        fill_factor=1.0,
        crosstalk_px=0.4,
        dead_zone_amplitude=0.2,
    )
    coarse = transmission(drive, modulator)
    fine = transmission(drive, modulator, samples=samples)
    assert fine.shape == (3, 6 * samples, 5 * samples)
    mean = fine.unflatten(-1, (5, samples)).mean(-1).unflatten(-2, (6, samples)).mean(-2)
    torch.testing.assert_close(mean, coarse, rtol=0, atol=1e-12)


def test_crosstalk_is_the_gaussian_of_a_step() -> None:
    # Mean of Φ(x/σ) over samples, by quadrature; replicated edges leave an even plane even.
    sigma, samples, pixels = 0.7, 4, 24
    drive = (torch.arange(pixels) >= pixels // 2).to(torch.float64).expand(1, -1)
    found = transmission(drive, part("lcos-amplitude", crosstalk_px=sigma), samples=samples)
    steps = 200
    fine = (torch.arange(pixels * samples * steps, dtype=torch.float64) + 0.5) / (samples * steps)
    step = torch.special.ndtr((fine - pixels / 2) / sigma).unflatten(0, (-1, steps)).mean(-1)
    torch.testing.assert_close(found.real[0], step, rtol=0, atol=1e-7)
    even = transmission(torch.full((3, 3), 0.5), part("lcos-amplitude", crosstalk_px=sigma))
    torch.testing.assert_close(even.real, torch.full((3, 3), 0.5))


def test_crosstalk_blurs_the_jump_of_a_wrapped_phase() -> None:
    # A blaze loses its first order to the flyback, which a blur of the field would not show.
    drive = blaze(8, 8, rows=4)
    sharp = transmission(drive, part(), samples=8)
    blurred = transmission(drive, part(crosstalk_px=0.5), samples=8)
    first = [float(orders(field[:1], 8, 64)[0, 1]) for field in (sharp, blurred)]
    assert first[0] == pytest.approx(float(torch.sinc(torch.tensor(1 / 8.0)) ** 2), rel=1e-6)
    assert first[1] < 0.8 * first[0]
    assert torch.allclose(blurred.abs(), torch.ones(()).double())


@pytest.mark.parametrize("range_rad", [1.2 * math.pi, 2 * math.pi, 3 * math.pi])
@pytest.mark.parametrize("bits", [None, 1, 3, 8])
def test_phase_goes_to_the_nearest_level_on_the_circle(range_rad: float, bits: int | None) -> None:
    drive = torch.linspace(-7, 14, 2001, dtype=torch.float64).expand(1, -1)
    part_of_range = part(bits=bits, phase_range_rad=range_rad, pixels=(1, 2001))
    field = transmission(drive, part_of_range)
    count = 40001 if bits is None else 2**bits
    span = range_rad if bits is None else range_rad * (count - 1) / count
    reachable = torch.linspace(0, span, count, dtype=torch.float64)
    reachable = reachable[reachable <= TURN]
    distance = (torch.exp(1j * drive[0, ::20]) - torch.exp(1j * reachable)[:, None]).abs()
    found = (field[0, ::20] - torch.exp(1j * drive[0, ::20])).abs()
    # Without bits the reference has steps of its own.
    torch.testing.assert_close(
        found, distance.amin(0), rtol=0, atol=2.5e-4 if bits is None else 1e-12
    )


def test_levels_of_amplitude_and_of_complex_numbers() -> None:
    drive = torch.linspace(0, 1, 101, dtype=torch.float64).expand(1, -1)
    field = transmission(drive, part("lcos-amplitude", bits=2))
    assert set((field.real * 3).round().int().flatten().tolist()) == {0, 1, 2, 3}
    assert float((field.real - drive).abs().max()) <= 1 / 6 + 1e-12
    both = torch.polar(drive, 20 * drive)
    ideal = transmission(both, part("ideal", bits=2))
    assert set((ideal.abs() * 3).round().int().flatten().tolist()) == {0, 1, 2, 3}
    torch.testing.assert_close(transmission(both, part("ideal")), both, rtol=0, atol=0)


def test_mirrors_are_on_from_one_half() -> None:
    drive = torch.tensor([[0.0, 0.49, 0.5, 1.0]])
    field = transmission(drive, part("dmd", bits=1))
    assert field.real.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("kind", ["ideal", "lcos-phase", "lcos-amplitude"])
def test_derivatives(kind: ModulatorKind) -> None:
    generator = torch.Generator().manual_seed(2)
    drive = 0.1 + 0.8 * torch.rand(2, 3, 2, dtype=torch.float64, generator=generator)
    if kind == "ideal":
        drive = torch.polar(drive, drive)
    drive.requires_grad_()
    modulator = part(kind, fill_factor=0.7, crosstalk_px=0.4, dead_zone_amplitude=0.2)

    def field(drive: Tensor) -> Tensor:
        return transmission(drive, modulator, samples=2)

    assert torch.autograd.gradcheck(field, drive)
    assert torch.autograd.gradgradcheck(field, drive)


@pytest.mark.parametrize("kind", ["lcos-phase", "lcos-amplitude", "dmd"])
def test_levels_pass_the_gradient_straight_through(kind: ModulatorKind) -> None:
    generator = torch.Generator().manual_seed(3)
    drive = torch.rand(5, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    stepped = transmission(drive, part(kind, bits=1))
    weights = torch.rand(5, 4, dtype=torch.float64, generator=generator)
    (found,) = torch.autograd.grad((stepped.imag + stepped.real * weights).sum(), drive)
    settings = stepped.detach()
    # d exp(iφ)/dφ = i exp(iφ), taken at the level that is shown.
    expected = weights if kind != "lcos-phase" else settings.real - settings.imag * weights
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("count", [4, 5])
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_axis_lies_in_the_middle_of_its_pixel(count: int, samples: int) -> None:
    # The light of one lit pixel has its centre of mass where axis_sample says.
    drive = torch.zeros(count, count, dtype=torch.float64)
    drive[count // 2, count // 2] = 1
    field = transmission(drive, part("lcos-amplitude"), samples=samples).real.sum(0)
    places = torch.arange(count * samples, dtype=torch.float64)
    assert float((field * places).sum() / field.sum()) == axis_sample(count, samples)


def test_precision_and_frames_are_kept() -> None:
    for real, made in ((torch.float32, torch.complex64), (torch.float64, torch.complex128)):
        field = transmission(torch.zeros(2, 3, 4, 5, dtype=real), part(fill_factor=0.9), samples=2)
        assert field.dtype == made
        assert field.shape == (2, 3, 8, 10)


@pytest.mark.parametrize(
    ("kind", "drive", "message"),
    [
        ("ideal", torch.zeros(2, 2), "complex64 or complex128"),
        ("ideal", torch.full((2, 2), 1.1 + 0j), "scale it, or encode it first"),
        ("lcos-phase", torch.zeros(2, 2, dtype=torch.complex64), "phase in radians"),
        ("lcos-phase", torch.zeros(2, 2, dtype=torch.int64), "float32 or float64"),
        ("lcos-phase", torch.zeros(2, 300), "256 x 256 pixels"),
        ("lcos-phase", torch.zeros(2), "at least one pixel"),
        ("lcos-phase", torch.zeros(0, 2), "at least one pixel"),
        ("lcos-phase", torch.tensor([[0.0, math.nan]]), "finite"),
        ("lcos-amplitude", torch.tensor([[-0.1, 0.5]]), "-0.1 to 0.5"),
        ("dmd", torch.tensor([[0.0, 2.0]]), "0 or 1"),
        ("dmd", [[0.0, 1.0]], "must be a tensor"),
    ],
)
def test_bad_drives(kind: ModulatorKind, drive: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        transmission(drive, part(kind, bits=1 if kind == "dmd" else None))


def test_bad_samples_and_generators() -> None:
    drive = torch.zeros(2, 2)
    for samples in (0, -1, 1.5, True):
        with pytest.raises(InputError, match="samples must be a whole number"):
            transmission(drive, part(), samples=samples)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"flicker_rad=0\.1 is drawn at random"):
        transmission(drive, part(flicker_rad=0.1))


def test_the_plane_of_pixels_has_its_axis_where_the_grid_has_it() -> None:
    # One sample per pixel is an integer-centred grid: an even plane has a flat spectrum's phase.
    drive = torch.zeros(6, 5, dtype=torch.float64)
    drive[3, 2] = 1
    spectrum = centred_fft2(transmission(drive, part("lcos-amplitude")))
    torch.testing.assert_close(spectrum, torch.full_like(spectrum, 30**-0.5))
