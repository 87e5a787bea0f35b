"""Layers on the physical road: the ideal limit, noise by seed, and training through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from optics.detection import FieldItself, FourShot, ReferenceBeam, Scheme, TwoShot
from optics.errors import InputError
from optics.layers import (
    Bench,
    OpticalConv2d,
    SaturationWarning,
    SignalWarning,
    calibrate,
    convert,
    optical_conv2d,
)
from optics.system import FourF

IDEAL = FourF.ideal((48, 48))


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noisy(full_well_e: float = 1000.0, side: int = 48, **camera: Any) -> FourF:
    """An ideal system but for its camera: 8 bits, 3 electrons of read noise, a well."""
    system = FourF.ideal((side, side))
    figures = {"full_well_e": full_well_e, "bits": 8, "read_noise_e": 3.0, "exposure_s": 1e-3}
    return replace(
        system,
        laser=replace(system.laser, power_w=1e-9),
        camera=replace(system.camera, **(figures | camera)),
    )


def off_zero(shape: Sequence[int], draw: torch.Generator) -> torch.Tensor:
    """Signed numbers of modulus 0.1 and more.

    The derivative of a root is as uncertain as rounding over the field that it is taken of, so that
    light that is faint, not dark, has a gradient of few digits.
    """
    drawn = torch.randn(*shape, dtype=torch.float64, generator=draw)
    return drawn + 0.1 * drawn.sign()


@settings(max_examples=40)
@given(
    scheme=st.sampled_from([FieldItself(), FourShot(), ReferenceBeam(electrons=1e4)]),
    groups=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    size=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    batch=st.integers(1, 3),
)
def test_ideal_parts_give_the_ideal_result_and_gradient(
    scheme: Scheme, groups: int, channels: tuple[int, int], size: tuple[int, int], batch: int,
    **arguments: Any,
) -> None:  # fmt: skip
    layer = OpticalConv2d(
        groups * channels[0], groups * channels[1], arguments.pop("kernel"), groups=groups,
        dtype=torch.float64, bench=Bench(IDEAL, scheme=scheme, noise=False), road="physical",
        **arguments,
    )  # fmt: skip
    draw = rng(0)
    images = off_zero((batch, layer.in_channels, *size), draw).requires_grad_()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(off_zero(parameter.shape, draw))
    found = []
    for road in ("physical", "ideal"):
        layer.road = road  # type: ignore[assignment]
        found.append(output_and_gradients(layer, images))
        assert layer.last_road == road
    # A sum is as exact as its terms are large, not as the sum is: terms may cancel.
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.abs_()
    sizes = output_and_gradients(layer, images.detach().abs().requires_grad_())
    for physical, ideal, size_of_terms in zip(*found, sizes, strict=True):
        # A root of a field of 0 has no derivative: its gradient there is left out of neither.
        close = 1e-10 * max(1.0, float(size_of_terms.amax()))
        torch.testing.assert_close(physical, ideal, rtol=0, atol=close)


def output_and_gradients(layer: OpticalConv2d, images: torch.Tensor) -> list[torch.Tensor]:
    output = layer(images)
    upstream = torch.ones_like(output) + torch.arange(output.numel()).view_as(output) / 100
    gradients = torch.autograd.grad(output, [images, *layer.parameters()], upstream)
    return [output.detach(), *gradients]


def test_function_takes_the_physical_road_as_the_layer_does() -> None:
    layer = OpticalConv2d(2, 2, 3, bench=Bench(noisy()), road="physical", seed=5)
    layer.calibration = torch.tensor([4.0, 1e-3], dtype=torch.float64)
    images = torch.randn(2, 2, 8, 8, generator=rng(0))
    output = optical_conv2d(
        images, layer.weight, layer.bias, bench=Bench(noisy(), input_peak=4.0), road="physical",
        generator=rng(5),
    )  # fmt: skip
    assert torch.equal(layer(images), output)
    one, batch = (
        optical_conv2d(part, layer.weight, bench=Bench(IDEAL, noise=False), road="physical")
        for part in (images[0], images[:1])
    )
    assert torch.equal(one, batch[0])
    assert layer(images[:0]).shape == (0, 2, 6, 6)


def test_noise_comes_from_the_seed_alone() -> None:
    images = torch.randn(2, 2, 8, 8, generator=rng(0))

    def layer(seed: int) -> OpticalConv2d:
        made = OpticalConv2d(2, 2, 3, bench=Bench(noisy()), road="physical", seed=seed)
        made.load_state_dict(first.state_dict())
        return made

    first = OpticalConv2d(2, 2, 3, bench=Bench(noisy()), road="physical", seed=1)
    one, two, other = layer(1), layer(1), layer(2)
    outputs = [one(images), one(images)]
    torch.manual_seed(99)  # the global generator is of no concern
    assert torch.equal(two(images), outputs[0])
    assert torch.equal(two(images), outputs[1])
    assert not torch.equal(*outputs)
    assert not torch.equal(other(images), outputs[0])
    two.reseed()
    assert torch.equal(two(images), outputs[0])
    two.reseed(2)
    other.reseed()
    assert torch.equal(two(images), other(images))
    two.eval()
    assert not torch.equal(two(images), two(images))


def test_layers_of_a_model_draw_different_noise() -> None:
    model = nn.ModuleList([nn.Conv2d(1, 1, 3) for _ in range(3)])
    seeds = [
        [layer.seed for layer in convert(model, Bench(noisy()), road="physical", seed=seed).model]  # type: ignore[union-attr]
        for seed in (7, 7, 8)
    ]
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 6


def test_too_much_light_warns() -> None:
    layer = OpticalConv2d(1, 1, 3, bench=Bench(noisy(), scheme=TwoShot()), road="physical")
    layer.calibration = torch.tensor([1.0, 1.0], dtype=torch.float64)
    with pytest.warns(SaturationWarning, match="readings of ideal camera are at its limit"):
        layer(torch.ones(1, 1, 8, 8))
    with pytest.warns(SaturationWarning):
        optical_conv2d(
            torch.ones(1, 1, 8, 8), layer.weight, bench=layer.tuned_bench, road="physical",
            generator=rng(0),
        )  # fmt: skip
    assert layer.last_saturated > 0


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("scheme", [FourShot(), ReferenceBeam(electrons=200.0)])
def test_calibration_uses_the_well_and_clips_nothing(scheme: Scheme, seed: int) -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 3))
    with torch.no_grad():
        for weight in model.parameters():
            weight.uniform_(-0.3, 0.3, generator=rng(seed))
    images = torch.randn(4, 1, 9, 9, generator=rng(0))
    light = convert(model, Bench(noisy(), scheme=scheme, noise=False), road="physical").model
    done = calibrate(light, images, headroom=1.0)
    assert list(done) == ["0", "2"]
    assert done["0"].input_peak == pytest.approx(float(images.abs().max()))
    for name, found in done.items():
        layer = light.get_submodule(name)
        assert isinstance(layer, OpticalConv2d)
        assert (layer.road, layer.training) == ("physical", True)
        given = images if name == "0" else torch.relu(model[0](images))
        layer(given)  # warns of nothing
        assert layer.last_saturated == 0
        # 2 % more light, and some reading is at its limit.
        layer.calibration = torch.tensor([found.input_peak, 1.02 * found.exposure_s])
        with pytest.warns(SaturationWarning):
            layer(given)
    # Layers after the first get what light made of the images, which calibration did not see.
    calibrate(light, images)
    light(images)  # warns of nothing


def test_headroom_is_a_share_of_the_well() -> None:
    layer = OpticalConv2d(1, 1, 3, bench=Bench(noisy()), road="physical")
    images = torch.randn(1, 1, 8, 8, generator=rng(0))
    whole, half = (calibrate(layer, images, headroom=h)[""].exposure_s for h in (1.0, 0.5))
    assert half / whole == pytest.approx(0.5, rel=0.02)
    strong = OpticalConv2d(
        1, 1, 3, bench=Bench(noisy(), scheme=ReferenceBeam(electrons=2e3)), road="physical"
    )
    with pytest.raises(InputError, match=r"reference alone goes beyond 0\.8 of its"):
        calibrate(strong, images)


def test_calibration_leaves_a_camera_without_limit_and_keeps_to_the_longest_exposure() -> None:
    layer = OpticalConv2d(1, 1, 3, bench=Bench(IDEAL), road="physical")
    found = calibrate(layer, torch.full((1, 1, 8, 8), 3.0))[""]
    assert (found.input_peak, found.exposure_s) == (3.0, IDEAL.camera.exposure_s)
    dark = OpticalConv2d(1, 1, 3, bench=Bench(noisy(1e9)), road="physical")
    with pytest.warns(SignalWarning):
        found = calibrate(dark, torch.ones(1, 1, 8, 8), longest_s=2e-3)[""]
    assert found.exposure_s == 2e-3
    assert dark.tuned_bench.system.camera.exposure_s == 2e-3
    assert dark.timing(1, (8, 8)).frame_s == pytest.approx(2e-3)
    assert "input_peak=1, exposure_s=0.002" in repr(dark)
    with pytest.raises(InputError, match="no optical layer was called"):
        calibrate(nn.Conv2d(1, 1, 3), torch.ones(1, 1, 8, 8))
    with pytest.raises(InputError, match=r"headroom must be above 0 and at most 1; got 1\.5"):
        calibrate(dark, torch.ones(1, 1, 8, 8), headroom=1.5)


def test_brighter_images_than_those_of_calibration_are_scaled_not_clipped() -> None:
    layer = OpticalConv2d(
        1, 2, 3, bench=Bench(IDEAL, noise=False), road="physical", dtype=torch.float64
    )
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64, generator=rng(0))
    calibrate(layer, images / 10)
    expected = functional.conv2d(images, layer.weight, layer.bias)
    torch.testing.assert_close(layer(images), expected, rtol=0, atol=1e-12)


def test_calibration_goes_with_the_state_dict() -> None:
    layer = OpticalConv2d(1, 1, 3, bench=Bench(noisy()), road="physical")
    calibrate(layer, torch.rand(1, 1, 8, 8, generator=rng(0)))
    fresh = OpticalConv2d(1, 1, 3, bench=Bench(noisy()), road="physical")
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh.calibration, layer.calibration)  # type: ignore[arg-type]
    # Weights of torch's layer load as well, and leave the scales alone.
    fresh.load_state_dict(nn.Conv2d(1, 1, 3).state_dict())
    assert fresh.tuned_bench == layer.tuned_bench


def digits() -> tuple[Tensor, Tensor]:
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32)[:, None]
    order = torch.randperm(len(images), generator=rng(0))
    return images[order], torch.tensor(data.target)[order]


def network(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip


# Weights change in training, and with them the brightest output.
@pytest.mark.filterwarnings("ignore::optics.layers.SaturationWarning")
def test_a_small_cnn_learns_digits_through_the_noise() -> None:
    images, labels = digits()
    accuracies: dict[str, list[float]] = {"electronic": [], "noisy": []}
    for seed in (0, 1):
        light = convert(
            network(seed), Bench(noisy(side=40), scheme=TwoShot()), road="physical", seed=seed
        ).model
        calibrate(light, images[:50])
        for name, model in (("electronic", network(seed)), ("noisy", light)):
            optimiser = torch.optim.Adam(model.parameters(), 2e-2)
            batches, losses = rng(seed), []
            for _ in range(40):
                chosen = torch.randint(1000, (32,), generator=batches)
                loss = functional.cross_entropy(model(images[chosen]), labels[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
            assert sum(losses[-10:]) < 0.35 * sum(losses[:10])
            with torch.no_grad():
                right = model(images[1000:]).argmax(1) == labels[1000:]
            accuracies[name].append(float(right.float().mean()))
    # Chance is 10 %. At wells of 1,000 electrons and 3 of read noise a few percent are lost; the
    # spread over seeds and the 797 images tested is about 2 % itself.
    means = {name: sum(values) / 2 for name, values in accuracies.items()}
    assert means["noisy"] > 0.8
    assert means["noisy"] > means["electronic"] - 0.06
