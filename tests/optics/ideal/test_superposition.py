"""Many small images: superpositions of shifted point spreads, beside torch's convolution."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from optics.ideal import KernelCache, ideal_conv2d
from optics.ideal.problem import Problem
from optics.ideal.superposition import enough, pays
from optics.tiling import ConvShape
from tests.optics.ideal.test_conv import peak_bytes


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Transforms:
    """Counts the planes that are transformed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.planes = 0
        plain = torch.fft.rfft2

        def counting(maps: Tensor, *rest: Any, **more: Any) -> Tensor:
            self.planes += maps[..., 0, 0].numel()
            return plain(maps, *rest, **more)

        patch.setattr(torch.fft, "rfft2", counting)


@st.composite
def layers(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    groups, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    size = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    kernel = draw(st.integers(1, (size[0] + 1) // 2)), draw(st.integers(1, size[1]))
    arguments = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, 2)),
        "dilation": (draw(st.integers(1, 2)), 1),
        "groups": groups,
    }
    batch = draw(st.integers(60, 70))
    return (batch, groups * inputs, *size), (groups * outputs, inputs, *kernel), arguments


@settings(max_examples=60)
@given(layers())
def test_equals_torch_forward_and_backward(drawn: Any) -> None:
    images_shape, weight_shape, arguments = drawn
    shape = ConvShape.of(images_shape, weight_shape, **arguments)
    assert pays(Problem(shape, 2**28), 8)
    assert enough(Problem(shape, 2**28), images_shape[0])
    draw = rng(0)
    images = torch.randn(images_shape, dtype=torch.float64, generator=draw, requires_grad=True)
    weight = torch.randn(weight_shape, dtype=torch.float64, generator=draw, requires_grad=True)
    bias = torch.randn(weight_shape[0], dtype=torch.float64, generator=draw, requires_grad=True)
    with pytest.MonkeyPatch.context() as patch:
        transforms = Transforms(patch)
        output = ideal_conv2d(images, weight, bias, **arguments)
        # Bright points and kernels were transformed, not the images.
        assert transforms.planes == shape.in_group * (shape.in_channels + shape.out_channels)
    expected = functional.conv2d(images, weight, bias, **arguments)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    assert output.is_contiguous()
    upstream = torch.randn(output.shape, dtype=torch.float64, generator=draw)
    found, right = (
        torch.autograd.grad(y, (images, weight, bias), upstream) for y in (output, expected)
    )
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_derivatives_of_any_order() -> None:
    images = torch.randn(4, 2, 2, 2, dtype=torch.float64, generator=rng(0), requires_grad=True)
    weight = torch.randn(2, 1, 2, 1, dtype=torch.float64, generator=rng(1), requires_grad=True)

    def work(x: Tensor, w: Tensor) -> Tensor:
        return ideal_conv2d(x, w, padding=1, groups=2)

    assert torch.autograd.gradcheck(work, (images, weight))
    assert torch.autograd.gradgradcheck(work, (images, weight))


@pytest.mark.parametrize("groups", [1, 2])
def test_responses_are_put_in_place_once_it_pays(
    groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, transforms = KernelCache(), Transforms(monkeypatch)
    double = torch.float64
    images = torch.randn(10, 2 * groups, 8, 8, dtype=double, generator=rng(0))
    weight = torch.nn.Parameter(torch.randn(4 * groups, 2, 3, 3, dtype=double, generator=rng(1)))
    shape = ConvShape.of(images.shape, weight.shape, padding=1, groups=groups)
    least = next(n for n in range(1, 99) if enough(Problem(shape, 2**28), n))
    assert 10 < least <= 30

    def planes_of(x: Tensor) -> int:
        before = transforms.planes
        with torch.no_grad():
            output = ideal_conv2d(x, weight, padding=1, groups=groups, cache=cache)
            expected = functional.conv2d(x, weight, padding=1, groups=groups)
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
        return transforms.planes - before

    kernels, shown, points = weight.shape[0] * 2, 10 * 2 * groups, 2 * 2 * groups
    found = [planes_of(images) for _ in range(3)]
    if least <= 20:  # it pays in the second call already
        assert found == [shown + kernels, points + kernels, 0]
    else:
        assert found == [shown + kernels, shown, points + kernels]
    assert planes_of(images) == planes_of(images[:1]) == 0
    weight.data.mul_(2)  # leaves the version counter of the parameter as it is
    assert planes_of(images) == shown + kernels
    assert planes_of(torch.cat([images] * 3)) == points + kernels
    assert planes_of(images) == 0
    # Gradients of a weight go through its responses, which are found again.
    many = torch.cat([images] * 3)
    output = ideal_conv2d(many, weight, padding=1, groups=groups, cache=cache)
    gradient = torch.autograd.grad(output.square().sum(), weight)
    plain = functional.conv2d(many, weight, padding=1, groups=groups)
    expected = torch.autograd.grad(plain.square().sum(), weight)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-9)


def test_images_of_another_size_find_their_own() -> None:
    cache = KernelCache()
    weight = torch.randn(2, 1, 2, 2, generator=rng(1))
    for size in ((4, 3), (3, 4), (2, 6), (4, 3)):
        for padding in (0, 1):
            images = torch.randn(20, 1, *size, generator=rng(0))
            output = ideal_conv2d(images, weight, padding=padding, cache=cache)
            expected = functional.conv2d(images, weight, padding=padding)
            torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 5])
def test_memory_stays_within_the_bound(groups: int) -> None:
    images = torch.randn(500, groups, 8, 8, generator=rng(0))
    weight = torch.randn(40 * groups, 1, 8, 8, generator=rng(1))
    result_bytes = 4 * 500 * 40 * groups
    held = groups * (64 * 3 * 40 + 500 * 64 + (500 * 40 if groups > 1 else 0))
    shape = ConvShape.of(images.shape, weight.shape, groups=groups)
    for limit, fits in ((8 * held, True), (8 * held - 1, False)):
        assert pays(Problem(shape, limit), 4) == fits
        for tensor in (images, images.flip(3).transpose(2, 3)):
            with torch.no_grad():
                peak = peak_bytes(
                    lambda x=tensor, m=limit: ideal_conv2d(x, weight, groups=groups, max_bytes=m)  # type: ignore[misc]
                )
            assert peak <= result_bytes + limit


def test_large_images_are_transformed() -> None:
    """Where products with responses were more work than transforms, however many images come."""
    shape = ConvShape.of((10**6, 16, 32, 32), (16, 16, 3, 3), padding=1)
    assert not pays(Problem(shape, 2**40), 4)
