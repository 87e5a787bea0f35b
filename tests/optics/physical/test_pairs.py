"""Kernels of both signs in one transform: the same light as of one after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from optics.detection import FieldItself, FourShot, ReferenceBeam, Scheme, TwoShot
from optics.lens import Lens
from optics.physical import Bench, Geometry, Sampling, physical_convolution
from optics.physical.pairs import are_paired
from optics.system import Alignment, FourF
from optics.tiling import ConvShape

SIDE = 32
IDEAL = FourF.ideal((SIDE, SIDE))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, dtype=torch.float64, generator=generator) - 0.5


def paired(bench: Bench, side: int = SIDE) -> bool:
    return are_paired(bench, Geometry.of(bench.system, (side, side), bench.sampling))


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(filter=2), Sampling(filter=3)])
@pytest.mark.parametrize("scheme", [TwoShot(), FourShot()])
@pytest.mark.parametrize("pupil", [False, True])
def test_light_is_that_of_kernels_one_after_the_other(
    side: int, sampling: Sampling, scheme: Scheme, pupil: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = FourF.ideal((side, side))
    if pupil:
        lens = Lens(focal_length_m=system.lens_1.focal_length_m, pupil_m=0.7 * system.spectrum_m)
        system = replace(system, lens_1=lens)
    bench = Bench(system, scheme=scheme, sampling=sampling, noise=False)
    images, weight = drawn(3, 2, 8, 8), drawn(4, 2, 3, 3, seed=1)
    images = images.abs() if isinstance(scheme, TwoShot) else images
    assert paired(bench, side)

    def light() -> list[torch.Tensor]:
        shown, kernels = images.clone().requires_grad_(), weight.clone().requires_grad_()
        made = physical_convolution(shown, kernels, padding=1, bench=bench).output
        return [made.detach(), *torch.autograd.grad(made.square().sum(), (shown, kernels))]

    together = light()
    monkeypatch.setattr("optics.physical.exposures.are_paired", lambda *_: False)
    for found, wanted in zip(together, light(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    if not pupil and sampling.filter == 1:
        exact = functional.conv2d(images, weight, padding=1)
        torch.testing.assert_close(together[0], exact, rtol=0, atol=1e-12)


def test_noise_is_drawn_of_each_exposure() -> None:
    """Both fields are read apart: the variance of the difference is that of both."""
    lit = replace(IDEAL, laser=replace(IDEAL.laser, power_w=1e-10))
    bench = Bench(lit, scheme=TwoShot(), input_peak=1.0)
    weight = torch.tensor([[[[0.7]]], [[[-0.7]]]], dtype=torch.float64)
    image = torch.full((1, 1, 20, 20), 0.6, dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    done = physical_convolution(image, weight, bench=bench, generator=generator).output
    still = replace(bench, noise=False)
    means = physical_convolution(image, weight, bench=still).output
    torch.testing.assert_close(means[0, 0], -means[0, 1])
    for channel in (0, 1):
        off = done[0, channel] - means[0, channel]
        # 400 readings: the mean lies within 5 standard errors.
        assert float(off.mean().abs()) < 5 * float(off.std()) / 20
    spread = [float(done[0, channel].std()) for channel in (0, 1)]
    assert spread[0] > 0
    # The ratio of two standard deviations of 400 draws each scatters by 5 %.
    assert spread[0] == pytest.approx(spread[1], rel=0.25)
    assert float(torch.corrcoef(done[0].flatten(1))[0, 1].abs()) < 5 / 20


FOCAL_M = IDEAL.lens_1.focal_length_m
BENT = Lens(focal_length_m=FOCAL_M, pupil_m=1.0, zernike_waves=(0, 0, 0, 0, 0, 0, 0.1))


@pytest.mark.parametrize(
    "bench",
    [
        Bench(IDEAL, scheme=ReferenceBeam(electrons=1e4), noise=False),
        Bench(IDEAL, scheme=FieldItself()),
        Bench(IDEAL, sampling=Sampling.squares("filter")),
        Bench(replace(IDEAL, lens_2=BENT)),
        Bench(replace(IDEAL, alignment=Alignment(defocus_m=1e-4))),
        Bench(replace(IDEAL, alignment=Alignment(shift_m=(1e-6, 0.0)))),
        Bench(replace(IDEAL, input=replace(IDEAL.input, flicker_rad=0.1))),
        Bench(replace(IDEAL, filter=replace(IDEAL.filter, flicker_rad=0.1))),
        Bench(replace(IDEAL, filter=replace(IDEAL.filter, bits=4))),
        Bench(replace(IDEAL, input=replace(IDEAL.input, kind="lcos-amplitude", crosstalk_px=0.2))),
    ],
)
def test_light_with_a_phase_or_of_drawn_pixels_is_not_paired(bench: Bench) -> None:
    assert not paired(bench)


def test_exposures_and_filters_count_as_shown() -> None:
    images, weight = drawn(2, 2, 8, 8).abs(), drawn(4, 2, 3, 3)
    bench = Bench(IDEAL, scheme=TwoShot(), noise=False)
    done = physical_convolution(images, weight, bench=bench)
    layout = bench.layout(ConvShape.of(images.shape, weight.shape))
    groups, channels, _, kernels = layout.rounds
    assert (done.exposures, done.filters) == (layout.frames, groups * channels * kernels * 2)
