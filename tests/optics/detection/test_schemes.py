"""Sign schemes: exact without noise, and as noisy as their formulas say with it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from optics.camera import Camera
from optics.detection import (
    SCHEMES,
    FieldItself,
    FourShot,
    InField,
    ReferenceBeam,
    Scheme,
    TwoShot,
    check_images,
    detect,
    expose,
    part,
    root,
    scheme,
)
from optics.errors import InputError
from optics.modulator import Modulator

EVERY: list[tuple[Scheme, bool]] = [
    (FieldItself(), True),
    (TwoShot(), False),
    (FourShot(), True),
    (ReferenceBeam(electrons=4e4, frames=1), True),
    (ReferenceBeam(electrons=50.0, frames=2), True),
    (ReferenceBeam(electrons=50.0, frames=3), True),
    (ReferenceBeam(electrons=50.0, frames=4), True),
    (ReferenceBeam(electrons=50.0, frames=5), True),
    (ReferenceBeam(electrons=4e4, frames=1, split_inputs=True), True),
    (ReferenceBeam(electrons=9.0, frames=2, split_inputs=True), True),
    (ReferenceBeam(electrons=9.0, frames=4, split_inputs=True), True),
    (InField(electrons=4e4), True),
]
DRAWS = 100_000


def named(pair: tuple[Scheme, bool]) -> str:
    found = pair[0]
    frames = getattr(found, "frames", "")
    return f"{found.name}{frames}{'-split' if getattr(found, 'split_inputs', False) else ''}"


def light(images: Tensor, kernels: Tensor, found: Scheme) -> Tensor:
    """Fields of every pass, as light sums the channels."""
    return torch.stack(
        [conv2d(part(images, p.inputs), part(kernels, p.kernels)) for p in found.passes]
    )


@pytest.mark.parametrize("pair", EVERY, ids=named)
def test_signed_sums_come_back_exactly_without_noise(pair: tuple[Scheme, bool]) -> None:
    found, signed = pair
    generator = torch.Generator().manual_seed(4)
    images = torch.randn(3, 4, 9, 8, dtype=torch.float64, generator=generator)
    images = images if signed else images.abs()
    kernels = torch.randn(5, 4, 3, 2, dtype=torch.float64, generator=generator)
    fields = light(images, kernels, found)
    camera = Camera(pixels=(9, 8), pitch_m=4e-6, quantum_efficiency=0.7, dark_e_s=5.0)
    summed = found.combine(expose(fields, found, camera, noise=False))
    expected = conv2d(images, kernels)
    atol = 1e-11 if expected.abs().max() < 100 else 1e-9
    torch.testing.assert_close(summed, expected, rtol=0, atol=atol)
    # Complex fields, as the physical road has them.
    summed = found.combine(expose(fields.to(torch.complex128), found, camera, noise=False))
    torch.testing.assert_close(summed, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("frames", [3, 4, 7])
def test_reference_beams_tell_complex_fields(frames: int) -> None:
    generator = torch.Generator().manual_seed(4)
    field = 9 * torch.randn(6, 5, dtype=torch.complex128, generator=generator)
    beam = ReferenceBeam(electrons=2.0, frames=frames)
    readings = expose(field.expand(frames, 6, 5), beam, Camera.ideal(), noise=False)
    torch.testing.assert_close(beam.field(readings), field, rtol=0, atol=1e-12)
    torch.testing.assert_close(beam.combine(readings), field.real, rtol=0, atol=1e-12)


def noise_of(found: Scheme, fields: Tensor, camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance over draws, and the formula's variance, of fields (passes, places)."""
    generator = torch.Generator().manual_seed(11)
    many = fields[:, None].expand(-1, DRAWS, -1)
    summed = found.combine(expose(many, found, camera, generator=generator))
    means = expose(fields, found, camera, noise=False)
    return summed.mean(0), summed.var(0), found.variance(means, camera)


NOISY = Camera(
    pixels=(8, 8),
    pitch_m=4e-6,
    quantum_efficiency=0.8,
    dark_e_s=20.0,
    read_noise_e=6.0,
    gain_e_per_dn=3.0,
    bits=16,
)


@pytest.mark.parametrize("camera", [Camera.ideal(), NOISY], ids=["shot", "all"])
@pytest.mark.parametrize("frames", [2, 3, 4, 5])
@pytest.mark.parametrize("split", [False, True])
def test_noise_of_reference_beams(frames: int, split: bool, camera: Camera) -> None:
    # Linear in the readings, so that formula and mean are exact at any light.
    beam = ReferenceBeam(electrons=400.0, frames=frames, split_inputs=split)
    places = torch.tensor([-15.0, -0.5, 0.0, 2.0, 30.0], dtype=torch.float64)
    fields = places.expand(frames, -1)
    if split:
        fields = torch.cat([fields.clamp(min=0), (-fields).clamp(min=0)])
    mean, variance, expected = noise_of(beam, fields, camera)
    errors = (expected / DRAWS).sqrt()
    assert bool(((mean - places).abs() < 5 * errors).all())
    torch.testing.assert_close(variance, expected, rtol=5 * math.sqrt(2 / DRAWS), atol=0)


def test_limits_of_reference_beams() -> None:
    # A strong reference leaves 1/8 for two frames, and 1/(2K) for K: light as a field, in all.
    for frames, expected in ((2, 1 / 8), (3, 1 / 6), (4, 1 / 8), (8, 1 / 16)):
        beam = ReferenceBeam(electrons=1e8, frames=frames)
        readings = expose(torch.zeros(frames, 1).double(), beam, Camera.ideal(), noise=False)
        assert float(beam.variance(readings, Camera.ideal())) == pytest.approx(expected)


@pytest.mark.parametrize("camera", [Camera.ideal(), NOISY], ids=["shot", "all"])
@pytest.mark.parametrize(
    "found",
    [
        TwoShot(),
        FourShot(),
        ReferenceBeam(electrons=3000.0, frames=1),
        InField(electrons=3000.0),
    ],
    ids=lambda found: found.name,
)
def test_noise_of_roots(found: Scheme, camera: Camera) -> None:
    # To first order in the noise; the next is of the order of variance / light² of a pass.
    generator = torch.Generator().manual_seed(3)
    fields = 30 + 10 * torch.rand(len(found.passes), 5, dtype=torch.float64, generator=generator)
    mean, variance, expected = noise_of(found, fields, camera)
    torch.testing.assert_close(variance, expected, rtol=0.02, atol=0)
    exact = found.combine(expose(fields, found, Camera.ideal(), noise=False))
    errors = (expected / DRAWS).sqrt()
    assert bool(((mean - exact).abs() < 5 * errors + 0.01).all())
    if camera == Camera.ideal():
        passes = len(found.passes)
        torch.testing.assert_close(expected, torch.full_like(expected, passes / 4))


@pytest.mark.parametrize("mean", [0.0, 0.5, 2.0, 12.5, 100.0])
def test_roots_lack_at_few_photons(mean: float) -> None:
    # E √n of Poisson's law by its sum, against √λ - 1/(8√λ).
    lack = math.sqrt(mean) - sum(
        math.sqrt(n) * math.exp(n * math.log(mean) - mean - math.lgamma(n + 1))
        for n in range(1, 400)
        if mean
    )
    generator = torch.Generator().manual_seed(5)
    photons = torch.full((DRAWS,), mean, dtype=torch.float64)
    found = root(detect(photons, Camera.ideal(), generator=generator))
    assert abs(float(found.mean()) - (math.sqrt(mean) - lack)) < 5 * 0.7 / math.sqrt(DRAWS)
    if mean >= 12.5:
        assert lack == pytest.approx(1 / (8 * math.sqrt(mean)), rel=0.1)
    if mean == 12.5:
        assert lack / math.sqrt(mean) == pytest.approx(0.01, rel=0.1)


def test_darkness_under_read_noise_has_no_mean() -> None:
    generator = torch.Generator().manual_seed(5)
    camera = Camera(pixels=(2, 2), pitch_m=4e-6, read_noise_e=5.0)
    found = root(detect(torch.zeros(DRAWS, dtype=torch.float64), camera, generator=generator))
    assert abs(float(found.mean())) < 5 * float(found.std()) / math.sqrt(DRAWS)


def test_sums_over_channels_are_of_fields() -> None:
    # By light within a frame, by electronics after the roots between frames; both are the signed
    # sum, while a sum of intensities is not. Electronics have the noise of every frame.
    generator = torch.Generator().manual_seed(6)
    images = torch.rand(1, 6, 5, 5, dtype=torch.float64, generator=generator) * 20
    kernels = torch.randn(2, 6, 3, 3, dtype=torch.float64, generator=generator)
    found, ideal = TwoShot(), Camera.ideal()
    by_light = expose(light(images, kernels, found), found, ideal, noise=False)
    frames = [
        expose(light(images[:, c : c + 1], kernels[:, c : c + 1], found), found, ideal, noise=False)
        for c in range(6)
    ]
    by_electronics = sum(found.combine(frame) for frame in frames)
    assert isinstance(by_electronics, Tensor)
    expected = conv2d(images, kernels)
    torch.testing.assert_close(found.combine(by_light), expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(by_electronics, expected, rtol=0, atol=1e-11)
    wrong = found.combine(torch.stack(frames).sum(0))
    assert float((wrong - expected).abs().max()) > 0.1 * float(expected.abs().max())
    noise = [found.variance(frame, ideal) for frame in frames]
    torch.testing.assert_close(torch.stack(noise).sum(0), torch.full_like(expected, 3.0))
    torch.testing.assert_close(found.variance(by_light, ideal), torch.full_like(expected, 0.5))


def test_root_is_differentiable_and_bounded() -> None:
    values = torch.tensor([-40.0, -1.5, 1.2, 30.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(root, values)
    assert torch.autograd.gradgradcheck(root, values)
    dim = torch.tensor([-0.5, 0.0, 1e-9], requires_grad=True)
    (found,) = torch.autograd.grad(root(dim).sum(), dim)
    assert found.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("pair", EVERY, ids=named)
def test_derivatives_through_all_of_it(pair: tuple[Scheme, bool]) -> None:
    found, signed = pair
    generator = torch.Generator().manual_seed(4)
    # Readings of more than one electron, where the derivative of the root is its own.
    images = 6 * torch.rand(1, 1, 3, 3, dtype=torch.float64, generator=generator) + 2
    kernels = torch.randn(1, 1, 2, 2, dtype=torch.float64, generator=generator)
    kernels = kernels.sign() * (kernels.abs() + 0.5)
    kernels[..., 0, 0], kernels[..., 1, 1] = 1, -1
    if signed and found.name == "four-shot":
        images[..., ::2, :] *= -1
    images.requires_grad_()
    kernels.requires_grad_()

    def layer(images: Tensor, kernels: Tensor) -> Tensor:
        fields = light(images, kernels, found)
        return found.combine(expose(fields, found, Camera.ideal(), noise=False))

    assert torch.autograd.gradcheck(layer, (images, kernels))


def test_passes_and_what_they_show() -> None:
    assert {name: len(kind().passes) for name, kind in SCHEMES.items() if "shot" in name} == {
        "two-shot": 2,
        "four-shot": 4,
    }
    assert [(p.inputs, p.kernels) for p in FourShot().passes] == [
        ("positive", "positive"),
        ("positive", "negative"),
        ("negative", "positive"),
        ("negative", "negative"),
    ]
    beam = scheme("reference", electrons=9.0, frames=4, split_inputs=True)
    assert len(beam.passes) == 8
    assert [abs(p.reference) for p in beam.passes] == pytest.approx([3.0] * 8)
    assert len(scheme("in-field", electrons=9.0).passes) == 1
    values = torch.tensor([-2.0, 0.0, 3.0])
    assert part(values, "positive").tolist() == [0, 0, 3]
    assert part(values, "negative").tolist() == [2, 0, 0]
    assert part(values, "whole") is values


def test_what_would_lose_signs_is_refused() -> None:
    images = torch.tensor([[1.0, -0.5]])
    mirrors = Modulator(kind="dmd", pixels=(2, 2), pitch_m=1e-5, bits=1, name="mirrors")
    beam = ReferenceBeam(electrons=9.0)
    with pytest.raises(InputError, match=r"two-shot takes images at or above 0; got -0\.5"):
        check_images(images, TwoShot(), Modulator.ideal())
    with pytest.raises(InputError, match="mirrors shows no negative values"):
        check_images(images, beam, mirrors)
    check_images(images, beam, Modulator.ideal())
    check_images(images, FourShot(), mirrors)
    check_images(images.abs(), TwoShot(), mirrors)
    weak = ReferenceBeam(electrons=9.0, frames=1)
    with pytest.raises(InputError, match=r"at least 16 electrons .* got 9"):
        expose(torch.tensor([[-4.0]]), weak, Camera.ideal(), noise=False)
    with pytest.raises(InputError, match="in-field: a single frame needs"):
        expose(torch.tensor([[-4.0]]), InField(electrons=9.0), Camera.ideal(), noise=False)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="there are field, two-shot, four-shot, reference"):
        scheme("three-shot")
    with pytest.raises(InputError, match="sign scheme 'two-shot'"):
        scheme("two-shot", electrons=3.0)
    with pytest.raises(InputError, match="sign scheme 'reference'"):
        scheme("reference")
    for electrons in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="electrons must be"):
            ReferenceBeam(electrons=electrons)
        with pytest.raises(InputError, match="electrons must be"):
            InField(electrons=electrons)
    with pytest.raises(InputError, match="frames must be a whole number"):
        ReferenceBeam(electrons=1.0, frames=0)
    with pytest.raises(InputError, match="2 passes"):
        TwoShot().combine(torch.ones(3, 2))
    with pytest.raises(InputError, match="4 passes"):
        expose(torch.ones(2, 3), FourShot(), Camera.ideal(), noise=False)
    with pytest.raises(InputError, match="2 frames give no phase"):
        ReferenceBeam(electrons=1.0, frames=2).field(torch.ones(2, 3))
