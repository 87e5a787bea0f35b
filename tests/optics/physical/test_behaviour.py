"""Draws, derivatives, memory, and input that is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from optics.camera import Camera
from optics.detection import FieldItself, FourShot, ReferenceBeam, Scheme, TwoShot
from optics.errors import InputError, SamplingError
from optics.lens import Lens
from optics.modulator import Modulator
from optics.physical import Bench, Geometry, Sampling, physical_convolution
from optics.presets import preset
from optics.system import Alignment, FourF
from optics.tiling import ConvShape, Layout, plan
from tests.optics.ideal.test_conv import peak_bytes

IDEAL = FourF.ideal((24, 24))


def laid(images: Tensor, weight: Tensor, side: int, scheme: Scheme, **shape: Any) -> Layout:
    made = ConvShape.of(images.shape, weight.shape, **shape)
    return plan(made, (side, side), passes=len(scheme.passes))


def draw(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.rand(*shape, dtype=dtype, generator=generator) - 0.3 * (i > 0)
        for i, shape in enumerate(shapes)
    ]


def noisy() -> FourF:
    """A system in which everything is random that can be."""
    bright = IDEAL.laser.photons_per_s / 576
    return replace(
        IDEAL,
        laser=replace(IDEAL.laser, power_w=1e4 / bright),
        input=replace(IDEAL.input, flicker_rad=0.05),
        filter=replace(IDEAL.filter, flicker_rad=0.05),
        camera=replace(IDEAL.camera, read_noise_e=3.0, dark_e_s=10.0),
    )


def test_a_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    images, weight = draw((4, 2, 6, 6), (4, 2, 3, 3))
    scheme = TwoShot()
    layout = laid(images, weight, 24, scheme)

    def once(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return physical_convolution(
            images, weight, bench=Bench(noisy(), scheme=scheme), layout=layout, generator=generator
        ).output

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))
    state = torch.random.get_rng_state()
    once(1)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    "scheme",
    [FieldItself(), TwoShot(), FourShot(), ReferenceBeam(electrons=1e19, frames=3)],
    ids=lambda scheme: scheme.name,
)
def test_gradients_are_those_of_the_convolution(scheme: Scheme) -> None:
    images, weight = draw((3, 2, 6, 6), (4, 2, 3, 3))
    images.requires_grad_()
    weight.requires_grad_()
    bias = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    upstream = torch.rand(3, 4, 6, 6, dtype=torch.float64) - 0.5
    layout = laid(images, weight, 24, scheme, padding=1)
    for max_bytes in (2**28, 400_000):  # the second computes portions again going backward
        output = physical_convolution(
            images, weight, bias, padding=1, layout=layout,
            bench=Bench(IDEAL, scheme=scheme, noise=False, max_bytes=max_bytes),
        ).output  # fmt: skip
        ours = torch.autograd.grad(output, (images, weight, bias), upstream)
        expected = functional.conv2d(images, weight, bias, padding=1)
        theirs = torch.autograd.grad(expected, (images, weight, bias), upstream)
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-9)


@pytest.mark.parametrize("pupils", ["lens", "filter"])
def test_gradcheck_with_every_part_in_the_way(pupils: Any) -> None:
    images, weight = draw((1, 1, 4, 4), (2, 1, 2, 2))
    base = FourF.ideal((10, 10))
    lens = Lens(
        focal_length_m=base.lens_1.focal_length_m, pupil_m=60e-6, zernike_waves=(0, 0, 0, 0.1)
    )
    system = replace(
        base,
        lens_1=lens,
        lens_2=lens,
        filter=replace(base.filter, fill_factor=0.9),
        alignment=Alignment(shift_m=(2e-6, -3e-6), rotation_rad=0.05, defocus_m=1e-5),
        camera=Camera.ideal((15, 15), base.input.pitch_m / 1.5),
    )
    scheme = ReferenceBeam(electrons=1e18, frames=2)
    layout = laid(images, weight, 10, scheme)

    sampling = Sampling.squares(pupils)
    bench = Bench(system, scheme=scheme, noise=False, sampling=sampling, input_peak=1.0)

    def run(images: Tensor, weight: Tensor) -> Tensor:
        return physical_convolution(images, weight, bench=bench, layout=layout).output

    assert torch.autograd.gradcheck(
        run, (images.requires_grad_(), weight.requires_grad_()), atol=1e-4, rtol=1e-4, eps=1e-5
    )


def test_training_through_noise_uses_the_same_noise_both_ways() -> None:
    images, weight = draw((4, 2, 6, 6), (4, 2, 3, 3))
    scheme = TwoShot()
    layout = laid(images, weight, 24, scheme)
    gradients = []
    for max_bytes in (2**28, 600_000):
        tensors = images.clone().requires_grad_(), weight.clone().requires_grad_()
        generator = torch.Generator().manual_seed(3)
        bench = Bench(noisy(), scheme=scheme, max_bytes=max_bytes)
        output = physical_convolution(
            *tensors, bench=bench, layout=layout, generator=generator
        ).output
        output.square().sum().backward()
        gradients.append([t.grad for t in tensors])
    clean = torch.autograd.grad(
        functional.conv2d(*(t.requires_grad_() for t in (images, weight))).square().sum(),
        (images, weight),
    )
    for made in gradients:
        for mine, other in zip(made, clean, strict=True):
            assert mine is not None
            # Noise of some percent in the outputs, and no other difference.
            assert float((mine - other).norm() / other.norm()) < 0.15


@pytest.mark.parametrize(
    ("limit", "pupils"), [(6_000_000, False), (20_000_000, False), (20_000_000, True)]
)
def test_memory_stays_within_the_bound(limit: int, pupils: bool) -> None:
    count = 6 if pupils else 16
    images, weight = draw((count, 8, 12, 12), (count, 8, 3, 3), dtype=torch.float32)
    scheme = TwoShot()
    system, sampling = FourF.ideal((64, 64)), Sampling(filter=2)
    if pupils:
        lens = Lens(focal_length_m=system.lens_1.focal_length_m, pupil_m=4e-4)
        system = replace(system, lens_1=lens, lens_2=lens)
        sampling = Sampling.squares("lens")
    layout = laid(images, weight, 64, scheme, padding=1)
    result_bytes = 4 * count * count * 12 * 12

    bench = Bench(system, scheme=scheme, sampling=sampling, max_bytes=limit)

    def run() -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return physical_convolution(
            images, weight, padding=1, bench=bench, layout=layout, generator=generator
        ).output

    forward = peak_bytes(run)
    assert forward <= limit + 3 * result_bytes
    assert forward >= limit / 10
    images.requires_grad_()
    weight.requires_grad_()

    def both() -> Any:
        return torch.autograd.grad(run().sum(), (images, weight))

    assert peak_bytes(both) <= limit + 6 * result_bytes
    # One plane of every frame would be more, and autograd would keep several.
    side = Geometry.of(system, layout.plane, sampling).side
    assert layout.frames * side**2 * 8 > 0.9 * limit


def test_bound_does_not_change_numbers() -> None:
    images, weight = draw((5, 4, 7, 6), (6, 2, 3, 2))
    scheme = FourShot()
    layout = laid(images, weight, 24, scheme, groups=2)
    made = [
        physical_convolution(
            images - 0.5,
            weight,
            groups=2,
            bench=Bench(IDEAL, scheme=scheme, noise=False, max_bytes=max_bytes),
            layout=layout,
        ).output
        for max_bytes in (2**28, 1_000_000, 400_000)
    ]
    for other in made[1:]:
        torch.testing.assert_close(other, made[0], rtol=0, atol=1e-12)


def test_lcos_preset_runs_with_all_its_limits() -> None:
    system = preset("lcos-pluto")
    images, weight = draw((1, 1, 8, 8), (1, 1, 3, 3), dtype=torch.float32)
    small = replace(
        system,
        input=replace(system.input, pixels=(40, 40)),
        lens_1=replace(system.lens_1, focal_length_m=system.lens_1.focal_length_m * 40.3 / 1039),
        lens_2=replace(system.lens_2, focal_length_m=system.lens_2.focal_length_m * 40.3 / 1039),
        filter=replace(system.filter, pixels=(40, 40)),
        laser=replace(system.laser, power_w=1e-9),
    )
    scheme = TwoShot()
    layout = laid(images, weight, 20, scheme)
    result = physical_convolution(
        images, weight, bench=Bench(small, scheme=scheme), layout=layout,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    expected = functional.conv2d(images, weight)
    likeness = torch.corrcoef(torch.stack([result.output.flatten(), expected.flatten()]))[0, 1]
    assert likeness > 0.7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": -torch.ones(1, 1, 6, 6)}, "two-shot takes images at or above 0"),
        ({"images": torch.full((1, 1, 6, 6), torch.nan)}, "images must be finite"),
        ({"images": torch.ones(1, 1, 6, 6, device="meta")}, "on meta"),
        ({"weight": torch.ones(1, 1, 3, 3, dtype=torch.float64)}, "move one of them"),
        ({"padding": 1}, "the layout is of another convolution"),
        ({"scheme": FourShot()}, "layout has 2 passes, but four-shot takes 4"),
        ({"generator": None}, "drawn at random.*give generator"),
        ({"input_peak": 0.5}, "fully driven at input_peak=0.5"),
        ({"input_peak": -1.0}, "input_peak must be finite and above 0"),
        ({"max_bytes": 1000}, "max_bytes=1000 holds no frame"),
        ({"encoder": {"method": "lee"}}, "takes no encoder; got method"),
        (
            {"system": replace(IDEAL, input=Modulator(kind="lcos-phase", pixels=(24, 24),
                                                     pitch_m=8e-6))},
            "a modulator of phases shows no images",
        ),
    ],
)  # fmt: skip
def test_bad_input_says_what_was_expected(change: dict[str, Any], message: str) -> None:
    images, weight = torch.ones(1, 1, 6, 6), torch.ones(1, 1, 3, 3)
    bench = Bench(IDEAL, scheme=TwoShot())
    good: dict[str, Any] = {
        "images": images,
        "weight": weight,
        "layout": laid(images, weight, 24, TwoShot()),
        "generator": torch.Generator().manual_seed(0),
    }
    physical_convolution(**good, bench=bench)
    settings = {key: value for key, value in change.items() if hasattr(bench, key)}
    others = {key: value for key, value in change.items() if key not in settings}
    with pytest.raises(InputError, match=message):
        physical_convolution(**(good | others), bench=replace(bench, **settings))


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (FourF.ideal((20, 20)), "serves a plane of 20 x 20 pixels at most; got 24 x 24"),
        (
            replace(IDEAL, camera=Camera.ideal((24, 24), 10e-6)),
            "got 24 x 24|take a lens 2 of focal_length_m",
        ),
        (
            replace(IDEAL, camera=Camera.ideal((40, 40), 10e-6)),
            "larger than the image of an input pixel.*focal_length_m=0.0036",
        ),
        (
            replace(IDEAL, lens_1=Lens(focal_length_m=IDEAL.lens_1.focal_length_m, pupil_m=1e-4)),
            "Sampling.squares",
        ),
    ],
)
def test_grids_that_cannot_hold_a_system(system: FourF, message: str) -> None:
    images, weight = torch.ones(1, 1, 6, 6), torch.ones(1, 1, 3, 3)
    with pytest.raises(SamplingError, match=message):
        physical_convolution(
            images, weight, layout=laid(images, weight, 24, TwoShot()),
            bench=Bench(system, scheme=TwoShot(), sampling=Sampling(pupils="lens"), noise=False),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": 0}, "input must be a whole number of samples per pixel"),
        ({"filter": 1.5}, "filter must be a whole number"),
        ({"pupils": "stop"}, "'lens' or 'filter'"),
    ],
)
def test_sampling_says_what_it_takes(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**arguments)
