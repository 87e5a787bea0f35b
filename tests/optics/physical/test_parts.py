"""What each part does to the result, beside closed forms, and how fast its limits go away."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from optics.camera import Camera
from optics.detection import FieldItself, ReferenceBeam, Scheme, TwoShot, part
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator
from optics.physical import Bench, Exposed, Sampling, physical_convolution
from optics.system import Alignment, FourF
from optics.tiling import ConvShape, Layout, plan

SIDE, PITCH_M = 32, 8e-6
IDEAL = FourF.ideal((SIDE, SIDE), PITCH_M)


def draw(seed: int = 0, channels: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(3, channels, 8, 8, dtype=torch.float64, generator=generator)
    weight = torch.randn(4, channels, 3, 3, dtype=torch.float64, generator=generator)
    return images, weight


def exposed(
    images: Tensor,
    weight: Tensor,
    system: FourF,
    scheme: Scheme | None = None,
    *,
    plane: int = SIDE,
    generator: torch.Generator | None = None,
    **settings: Any,
) -> Exposed:
    scheme = TwoShot() if scheme is None else scheme
    shape = ConvShape.of(images.shape, weight.shape, padding=1)
    layout = plan(shape, (plane, plane), passes=len(scheme.passes))
    bench = Bench(system, scheme=scheme, **{"noise": False} | settings)
    return physical_convolution(
        images, weight, padding=1, bench=bench, layout=layout, generator=generator
    )


def rms(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).square().mean().sqrt())


def slope(x: list[float], y: list[float]) -> float:
    """Exponent of a power law through the points."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


@pytest.mark.parametrize("name", ["two-shot", "reference"])
def test_shot_noise_falls_as_the_root_of_light(name: str) -> None:
    images, weight = draw()
    expected = functional.conv2d(images, weight, padding=1)
    powers, errors = [1e4, 1e6, 1e8], []
    for photons in powers:  # in the image of a bright pixel
        power_w = photons * SIDE**2 * IDEAL.laser.photon_energy_j
        system = replace(IDEAL, laser=replace(IDEAL.laser, power_w=power_w))
        beam = ReferenceBeam(electrons=10 * photons, frames=2)
        scheme: Scheme = TwoShot() if name == "two-shot" else beam
        generator = torch.Generator().manual_seed(1)
        result = exposed(images, weight, system, scheme, noise=True, generator=generator)
        errors.append(rms(result.output, expected))
    # 768 outputs tell an rms to 2.6 %, and the slope over four decades to 0.004.
    assert slope(powers, errors) == pytest.approx(-0.5, abs=0.02)


def test_size_of_shot_noise() -> None:
    """√I₊ - √I₋ has half an electron of variance; a reference of two frames an eighth."""
    images, weight = draw()
    expected = functional.conv2d(images, weight, padding=1)
    photons = 1e8
    system = replace(
        IDEAL, laser=Laser(wavelength_m=532e-9, power_w=photons * SIDE**2 * 3.7339e-19)
    )
    photons = system.laser.photons_per_s / SIDE**2
    for scheme, variance in ((TwoShot(), 1 / 2), (ReferenceBeam(electrons=1e10, frames=2), 1 / 8)):
        generator = torch.Generator().manual_seed(2)
        result = exposed(images, weight, system, scheme, noise=True, generator=generator)
        clean = exposed(images, weight, system, scheme)
        noise = result.output - clean.output
        torch.testing.assert_close(clean.output, expected, rtol=0, atol=1e-8)
        shape = ConvShape.of(images.shape, weight.shape, padding=1)
        layout = plan(shape, (SIDE, SIDE))
        assert layout.partial_sums == 1
        # A filter's brightest pixel is fully on, as is the brightest of the images.
        gain = float(images.max()) ** 2 * _brightest_squared(weight, layout, scheme) / photons
        # 768 outputs tell a variance to 5 %.
        assert float(noise.square().mean()) == pytest.approx(variance * gain, rel=0.2)


def _brightest_squared(weight: Tensor, layout: Layout, scheme: Scheme) -> float:
    """Return the mean over filters and parts of the brightest power of the spectrum."""
    found = []
    for frame in layout:
        for name in {shown.kernels for shown in scheme.passes}:
            response = torch.zeros(layout.plane, dtype=torch.float64)
            for where in layout.kernel_rectangles(frame):
                _, channel, kernel = where.index
                values = part(weight[kernel, channel].flip(0, 1), name)
                response[where.top : where.top + 3, where.left : where.left + 3] = values
            found.append(float(torch.fft.fft2(response).abs().max()) ** 2)
    return float(np.mean(found))


@pytest.mark.parametrize("which", ["filter", "input", "camera"])
def test_quantisation_halves_with_every_bit(which: str) -> None:
    images, weight = draw()
    clean = exposed(images, weight, IDEAL, ReferenceBeam(electrons=1e18, frames=2)).output
    numbers, errors = [6, 8, 10, 12], []
    for bits in numbers:
        scheme: Scheme = FieldItself()
        if which == "filter":
            system = replace(IDEAL, filter=replace(IDEAL.filter, bits=bits))
        elif which == "input":
            display = Modulator(
                kind="lcos-amplitude", pixels=(SIDE, SIDE), pitch_m=PITCH_M, bits=bits
            )
            system = replace(IDEAL, input=display)
        else:
            bright = IDEAL.laser.photons_per_s / SIDE**2
            camera = replace(IDEAL.camera, bits=bits, full_well_e=4 * bright)
            system = replace(IDEAL, camera=camera)
            scheme = ReferenceBeam(electrons=bright, frames=2)
        errors.append(rms(exposed(images, weight, system, scheme).output, clean))
    steps = [2.0**bits - 1 for bits in numbers]
    assert slope(steps, errors) == pytest.approx(-1, abs=0.06)


def test_pupils_in_the_filters_plane_cut_the_spectrum() -> None:
    images, weight = draw(channels=1)
    pitch = IDEAL.filter.pitch_m
    errors = []
    for pixels in (8.0, 16.0, 24.0, 40.0, 48.0):
        lens = Lens(focal_length_m=IDEAL.lens_1.focal_length_m, pupil_m=2 * pixels / 2 * pitch)
        system = replace(IDEAL, lens_1=lens)
        found = exposed(images, weight, system, FieldItself()).output
        # Independent: the convolution on a periodic plane, cut at ρ/(λf), radius in bins.
        k = np.fft.fftfreq(SIDE, 1 / SIDE)
        fine = (np.arange(8) + 0.5) / 8 - 0.5
        expected = torch.empty_like(found)
        opening = np.zeros((SIDE, SIDE))
        for dy in fine:
            for dx in (np.arange(400) + 0.5) / 400 - 0.5:
                inside = np.hypot(k[:, None] + dy, k[None, :] + dx) <= pixels / 2
                opening += inside / 3200
        layout = plan(ConvShape.of(images.shape, weight.shape, padding=1), (SIDE, SIDE))
        for frame in layout:
            plane, response = np.zeros((2, SIDE, SIDE))
            for where in layout.image_rectangles(frame):
                plane[where.top : where.top + 8, where.left : where.left + 8] += images[
                    where.index[2], where.index[1]
                ].numpy()
            for where in layout.kernel_rectangles(frame):
                response[where.top : where.top + 3, where.left : where.left + 3] += (
                    weight[where.index[2], where.index[1]].flip(0, 1).numpy()
                )
            response = np.roll(response, (-SIDE // 2, -SIDE // 2), (0, 1))
            spectrum = np.fft.fft2(plane) * np.fft.fft2(response) * opening
            image = np.fft.ifft2(spectrum).real
            for where in layout.output_rectangles(frame):
                window = image[where.top + 1 : where.top + 9, where.left + 1 : where.left + 9]
                expected[where.index[1], where.index[2]] = torch.from_numpy(window)
        # The opening is summed here over 400 points a line: 1/400 of an edge sample.
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
        errors.append(rms(found, functional.conv2d(images, weight, padding=1)))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1
    assert errors[-1] < 1e-14  # beyond √2 · 16 pixels nothing is cut


@pytest.mark.parametrize("samples", [1, 3])
def test_a_shifted_filter_turns_the_kernels_phase(samples: int) -> None:
    """H(x - δ) has the impulse response h(m) exp(2πi δ m p / (λf)), so that taps interfere."""
    images = draw(channels=1)[0]
    weight = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    weight[0, 0, 0, 1] = weight[0, 0, 2, 1] = 1
    shape = ConvShape.of((1, 1, 8, 8), weight.shape, padding=1)
    layout = plan(shape, (SIDE, SIDE), passes=2)
    for steps in (1, 2):
        shift_m = steps * PITCH_M / samples
        system = replace(IDEAL, alignment=Alignment(shift_m=(shift_m, 0.0)))
        found = physical_convolution(
            images[:1],
            weight,
            padding=1,
            bench=Bench(system, scheme=TwoShot(), sampling=Sampling(filter=samples), noise=False),
            layout=layout,
        ).output
        turn = 2 * math.pi * shift_m / PITCH_M / SIDE
        above = functional.pad(images[:1], (0, 0, 1, 0))[:, :, :8]
        below = functional.pad(images[:1], (0, 0, 0, 1))[:, :, 1:]
        field = above * np.exp(1j * turn) + below * np.exp(-1j * turn)
        torch.testing.assert_close(found, field.abs(), rtol=0, atol=1e-13)


def test_alignments_that_are_the_same_thing() -> None:
    """A quarter turn of a square filter is a kernel turned; no shift is no misalignment."""
    images, weight = draw(channels=1)
    side = 33  # odd, so that the filter's centre pixel is its middle
    system = FourF.ideal((side, side), PITCH_M)
    turned = replace(system, alignment=Alignment(rotation_rad=math.pi / 2))
    one = weight[:1]
    found = exposed(images[:1], one, turned, FieldItself(), plane=side).output
    # From the row axis (down) towards the column axis (right) is counter-clockwise on the screen.
    expected = functional.conv2d(images[:1], torch.rot90(one, 1, (2, 3)), padding=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    close = replace(system, alignment=Alignment(magnification=1 + 1e-12))
    torch.testing.assert_close(
        exposed(images, weight, close, FieldItself(), plane=side).output,
        functional.conv2d(images, weight, padding=1),
        rtol=0,
        atol=1e-9,
    )


def test_misalignment_costs_as_its_square_or_itself() -> None:
    images, weight = draw(channels=1)
    expected = functional.conv2d(images, weight, padding=1)
    shifts, errors = [0.01, 0.02, 0.04], []
    for pixels in shifts:
        system = replace(IDEAL, alignment=Alignment(shift_m=(pixels * PITCH_M, 0.0)))
        errors.append(
            rms(
                exposed(images, weight, system, FieldItself(), sampling=Sampling(filter=2)).output,
                expected,
            )
        )
    # The real part of a small turn of phase falls off as its square, but a part of a pixel blends
    # two neighbours, which costs as the shift itself.
    assert 0.9 < slope(shifts, errors) < 2.1


def test_random_phases_leave_the_mean_field_exp_of_half_their_variance() -> None:
    sigma, side = 0.7, SIDE
    system = replace(IDEAL, filter=replace(IDEAL.filter, flicker_rad=sigma))
    image = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    image[0, 0, 4, 3] = 1
    weight = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    weight[0, 0, 1, 1] = 1
    amplitudes = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        found = exposed(image, weight, system, TwoShot(), generator=generator).output
        amplitudes.append(float(found[0, 0, 4, 3]))
    # |mean of exp(iφ)|² = exp(-σ²) + (1 - exp(-σ²)) / K² for K² pixels (Goodman, Statistical
    # Optics, ch. 8); both passes are shown, the negative one is dark.
    wanted = math.exp(-(sigma**2)) + (1 - math.exp(-(sigma**2))) / side**2
    power = np.square(amplitudes)
    deviation = power.std(ddof=1) / math.sqrt(len(power))
    assert abs(power.mean() - wanted) < 4 * deviation
    assert deviation < 0.01


def test_an_exposure_adds_up_the_intensities_of_its_flickers() -> None:
    """Its mean is that of one flicker, and its variance that over the number of flickers."""
    sigma, side, draws = 0.7, SIDE, 16
    exposure_s = IDEAL.camera.exposure_s
    image = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    image[0, 0, 4, 3] = 1
    weight = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    weight[0, 0, 1, 1] = 1
    variance = {}
    for count in (1, draws):
        flickering = replace(IDEAL.filter, flicker_rad=sigma, flicker_time_s=exposure_s / count)
        system = replace(IDEAL, filter=flickering)
        powers = []
        for seed in range(40):
            generator = torch.Generator().manual_seed(seed)
            # One negative kernel is dark: the reading is the root of the mean intensity.
            found = exposed(image, weight, system, TwoShot(), generator=generator).output
            powers.append(float(found[0, 0, 4, 3]) ** 2)
        wanted = math.exp(-(sigma**2)) + (1 - math.exp(-(sigma**2))) / side**2
        deviation = np.std(powers, ddof=1) / math.sqrt(len(powers))
        assert abs(np.mean(powers) - wanted) < 5 * deviation
        variance[count] = np.var(powers, ddof=1)
    # The ratio of two variances of 40 draws each lies within a factor of 3 (F test, 5e-4).
    assert draws / 3 < variance[1] / variance[draws] < draws * 3


def test_the_input_flickers_within_an_exposure_as_the_filter_does() -> None:
    sigma, side = 0.5, 16
    system = FourF.ideal((side, side), PITCH_M)
    flickering = replace(
        system.input, flicker_rad=sigma, flicker_time_s=system.camera.exposure_s / 64
    )
    image = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    weight = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    found = exposed(
        image, weight, replace(system, input=flickering), TwoShot(), plane=side, generator=generator
    ).output
    # Nine waves of random phases: |mean|² = exp(-σ²) 81 + (1 - exp(-σ²)) 9 on the average.
    still = math.exp(-(sigma**2))
    wanted = 81 * still + 9 * (1 - still)
    inner = found[0, 0, 1:3, 1:3].square()
    # 64 flickers of a standard deviation of about 17 each.
    assert abs(float(inner.mean()) - wanted) < 5 * 17 / math.sqrt(64)
    single = Modulator(
        kind="ideal", pixels=(4, 4), pitch_m=1e-6, flicker_rad=0.1, flicker_time_s=1e-3
    )
    assert [single.draws(exposure) for exposure in (1e-4, 1e-3, 1e-2)] == [1, 1, 10]


def test_camera_pixels_gather_by_area() -> None:
    """A camera of finer pixels reads the same outputs with less light."""
    images, weight = draw()
    expected = functional.conv2d(images, weight, padding=1)
    for ratio in (1, 2, 3, 2.5):
        count = math.ceil(SIDE * ratio)
        camera = Camera.ideal((count, count), PITCH_M / ratio)
        found = exposed(images, weight, replace(IDEAL, camera=camera))
        if ratio in (1, 3):
            torch.testing.assert_close(found.output, expected, rtol=0, atol=1e-12)
        # Between pixel centres, readings of both sides are mixed.
        assert rms(found.output, expected) < 0.5


def test_saturated_readings_are_counted() -> None:
    images, weight = draw()
    bright = IDEAL.laser.photons_per_s / SIDE**2
    system = replace(IDEAL, camera=replace(IDEAL.camera, full_well_e=0.01 * bright))
    assert exposed(images, weight, system).saturated > 0
    system = replace(IDEAL, camera=replace(IDEAL.camera, full_well_e=1e3 * bright))
    assert exposed(images, weight, system).saturated == 0


@pytest.mark.parametrize("kind", ["lcos-phase", "lcos-amplitude", "dmd"])
def test_real_filters_make_the_convolution_beside_their_own_noise(kind: Any) -> None:
    """Encoded filters, on the axis or at a carrier to which the camera moves."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 1, 6, 6, dtype=torch.float64, generator=generator)
    weight = torch.rand(1, 1, 3, 3, dtype=torch.float64, generator=generator)
    system = FourF.ideal((64, 64), PITCH_M)
    bits = 1 if kind == "dmd" else None
    display = Modulator(kind=kind, pixels=(64, 64), pitch_m=PITCH_M, bits=bits)
    system = replace(system, filter=display)
    expected = functional.conv2d(images, weight, padding=1)
    # Amplitudes have light on the axis and a twin; the plane has to lie beside both.
    found = exposed(images, weight, system, FieldItself(), plane=8).output
    error = rms(found, expected) / rms(expected, torch.zeros_like(expected))
    # Double phases are exact but for an arc cosine's digits at the brightest pixel; mirrors have
    # two levels, which leave their noise.
    assert error < {"lcos-phase": 1e-6, "lcos-amplitude": 1e-12, "dmd": 0.15}[kind]
