"""The ideal road against torch's own convolution, its derivatives, its memory and bad input."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from optics.errors import InputError
from optics.ideal import KernelCache, ideal_conv2d, is_finite

# Relative to the largest value: rounding of a product of spectra grows with log of the plane and
# the root of the channels, so that these are a few units in the last place.
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-12}


@st.composite
def layers(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    """Shapes of images and weight, and the arguments of a convolution; some are impossible."""
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    named = st.sampled_from(["same", "valid"])
    padding = draw(named | st.integers(0, 4) | st.tuples(st.integers(0, 7), st.integers(0, 7)))
    arguments = {
        "stride": 1 if padding == "same" else draw(st.integers(1, 4) | pairs),
        "padding": padding,
        "dilation": draw(st.integers(1, 3) | pairs),
        "groups": groups,
    }
    size = draw(st.tuples(st.integers(1, 17), st.integers(1, 17)))
    images = (draw(st.integers(0, 4)), groups * inputs, *size)
    return images, (groups * outputs, inputs, *kernel), arguments


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=150)
@given(layer=layers(), seed=st.integers(0, 2**32), small=st.booleans())
def test_equals_torch_forward_and_backward(
    dtype: torch.dtype, layer: tuple[Any, Any, dict[str, Any]], seed: int, small: bool
) -> None:
    (images_shape, weight_shape, arguments), close = layer, CLOSE[dtype]
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(images_shape, dtype=dtype, generator=generator, requires_grad=True)
    weight = torch.randn(weight_shape, dtype=dtype, generator=generator, requires_grad=True)
    bias = torch.randn(weight_shape[0], dtype=dtype, generator=generator, requires_grad=True)
    try:
        expected = functional.conv2d(images, weight, bias, **arguments)
    except RuntimeError:
        assume(False)
    # The small bound takes 0.3 MB, a few planes of 40 x 40 in double precision.
    output = ideal_conv2d(images, weight, bias, **arguments, max_bytes=300_000 if small else 2**28)
    assert output.shape == expected.shape
    assert output.dtype == dtype
    upstream = torch.randn(expected.shape, dtype=dtype, generator=generator)
    tensors = (images, weight, bias)
    theirs = torch.autograd.grad(expected, tensors, upstream)
    ours = torch.autograd.grad(output, tensors, upstream)
    for mine, other in zip((output, *ours), (expected, *theirs), strict=True):
        scale = max(1.0, float(other.detach().abs().amax()) if other.numel() else 1.0)
        torch.testing.assert_close(mine, other, rtol=0, atol=close * scale)


def test_large_kernels_do_not_wrap() -> None:
    # The published simulator wraps a kernel of 15 on 32 x 32 images: an error of 27 %.
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=generator)
    weight = torch.randn(4, 3, 15, 15, dtype=torch.float64, generator=generator)
    for padding in (0, 7, 14, 40):
        expected = functional.conv2d(images, weight, padding=padding)
        torch.testing.assert_close(
            ideal_conv2d(images, weight, padding=padding), expected, rtol=0, atol=1e-11
        )


def test_derivatives_of_any_order() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 2, 5, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(4, 1, 3, 2, dtype=torch.float64, generator=generator, requires_grad=True)

    def layer(images: Tensor, weight: Tensor) -> Tensor:
        return ideal_conv2d(images, weight, None, (1, 2), 1, (1, 2), 2)

    assert torch.autograd.gradcheck(layer, (images, weight))
    assert torch.autograd.gradgradcheck(layer, (images, weight))


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (False, False)])
def test_only_gradients_that_are_asked_for(wanted: tuple[bool, bool]) -> None:
    images = torch.ones(1, 1, 4, 4, requires_grad=wanted[0])
    weight = torch.ones(1, 1, 2, 2, requires_grad=wanted[1])
    output = ideal_conv2d(images, weight)
    assert output.requires_grad == any(wanted)
    if any(wanted):
        output.sum().backward()
    assert (images.grad is not None, weight.grad is not None) == wanted


def test_cache_notices_every_change_of_a_weight() -> None:
    cache = KernelCache()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1)))
    for change in (1.0, 1.0, -2.0):
        weight.data.mul_(change)  # leaves the version counter of the parameter as it is
        for padding in (0, 1, 3):
            output = ideal_conv2d(images, weight, padding=padding, cache=cache)
            expected = functional.conv2d(images, weight, padding=padding)
            torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)
    gradient = torch.autograd.grad(output.square().sum(), weight)
    expected_gradient = torch.autograd.grad(expected.square().sum(), weight)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-3)


def peak_bytes(work: Any) -> int:
    """Return the most bytes that the allocator of torch held at once beyond what it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = work()
    del kept
    events = profiler.profiler.kineto_results.events()  # type: ignore[union-attr]
    held = peak = 0
    for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


@pytest.mark.parametrize("limit", [1_000_000, 4_000_000, 40_000_000])
def test_memory_stays_within_the_bound(limit: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(16, 32, 24, 24, generator=generator, requires_grad=True)
    weight = torch.randn(48, 32, 3, 3, generator=generator, requires_grad=True)
    result_bytes = 4 * 16 * 48 * 24 * 24
    forward = peak_bytes(lambda: ideal_conv2d(images, weight, padding=1, max_bytes=limit))
    assert forward <= result_bytes + limit
    # The measurement sees what it should: the result, and a working memory that is made use of.
    assert forward >= result_bytes + min(limit, 5_000_000) / 3

    upstream = torch.randn(16, 48, 24, 24, generator=generator)
    output = ideal_conv2d(images, weight, padding=1, max_bytes=limit)
    backward = peak_bytes(
        lambda: torch.autograd.grad(output, (images, weight), upstream, retain_graph=True)
    )
    gradients_bytes = 4 * (images.numel() + weight.numel())
    assert backward <= gradients_bytes + limit


def test_batch_out_in_and_plane_never_stand_in_memory_together() -> None:
    images, weight = torch.ones(32, 32, 30, 30), torch.ones(32, 32, 3, 3)
    everything = 4 * 32 * 32 * 32 * 32 * 32
    peak = peak_bytes(lambda: ideal_conv2d(images, weight, padding=1))
    assert peak < everything / 4


def test_pieces_give_the_same_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(5, 6, 9, 11, dtype=torch.float64, generator=generator)
    weight = torch.randn(8, 3, 3, 4, dtype=torch.float64, generator=generator)
    whole = ideal_conv2d(images, weight, padding=2, groups=2)
    for limit in (8 * 16 * 9 * 16, 50_000, 200_000):  # the first holds one plane of each
        pieces = ideal_conv2d(images, weight, padding=2, groups=2, max_bytes=limit)
        torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.ones(1, 3, 8, 8)}, "takes images of 2 channels, got 3"),
        ({"images": torch.ones(2, 8, 8)}, "expected images"),
        ({"images": torch.ones(1, 2, 8, 8, dtype=torch.float64)}, "move one of them"),
        ({"images": torch.ones(1, 2, 8, 8, dtype=torch.complex64)}, "float32 or float64"),
        ({"images": torch.ones(1, 2, 8, 8, device="meta")}, "on meta"),
        ({"images": torch.full((1, 2, 8, 8), torch.nan)}, "images must be finite"),
        ({"weight": torch.full((4, 2, 3, 3), -torch.inf)}, "weight must be finite"),
        ({"weight": torch.ones(4, 2, 9, 3)}, "larger than the padded image; got 9x3"),
        ({"bias": torch.ones(3)}, "each of 4 output channels"),
        ({"padding": "full"}, "'same' or 'valid'"),
        ({"padding": "same", "stride": 2}, "takes stride 1"),
        ({"padding": -1}, "padding is at least 0"),
        ({"stride": 0}, "at least 1, got stride"),
        ({"stride": (1, 2, 3)}, "one whole number or two"),
        ({"dilation": 0}, "at least 1"),
        ({"groups": 0}, "at least 1, got groups=0"),
        ({"groups": 2}, "takes images of 4 channels"),
        ({"max_bytes": 100}, "allow at least that"),
    ],
)
def test_bad_input_says_what_was_expected(change: dict[str, Any], message: str) -> None:
    arguments = {"images": torch.ones(1, 2, 8, 8), "weight": torch.ones(4, 2, 3, 3)} | change
    with pytest.raises(InputError, match=message):
        ideal_conv2d(**arguments)


def test_finite_values_whose_sum_overflows_are_finite() -> None:
    assert is_finite(torch.full((4,), 3e38))
    assert not is_finite(torch.tensor([3e38, 3e38, torch.inf]))
    assert not is_finite(torch.tensor([torch.inf, -torch.inf]))
    assert is_finite(torch.empty(0))
