"""With ideal parts the physical road is the ideal one: any shape, tiling, scheme and precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from optics.detection import FieldItself, FourShot, ReferenceBeam, Scheme, TwoShot
from optics.ideal import ideal_conv2d
from optics.physical import Bench, Sampling, physical_convolution
from optics.system import FourF
from optics.tiling import ConvShape, plan

# Two transforms and a root: a few units in the last place of the largest value. A reference takes
# the difference of intensities that it made larger than the field by itself.
CLOSE = {torch.float32: 2e-6, torch.float64: 5e-15}


@st.composite
def layers(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 3)))
    dilation = draw(st.integers(1, 2))
    extent = max((n - 1) * dilation + 1 for n in kernel)
    size = draw(st.tuples(st.integers(extent, 9), st.integers(extent, 9)))
    arguments = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.tuples(st.integers(0, 6), st.integers(0, 3))),
        "dilation": dilation,
        "groups": groups,
    }
    images = (draw(st.integers(1, 4)), groups * inputs, *size)
    return images, (groups * outputs, inputs, *kernel), arguments


@settings(max_examples=40)
@given(
    layer=layers(),
    side=st.integers(16, 40),
    scheme=st.sampled_from([FieldItself(), TwoShot(), FourShot()]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    samples=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_ideal_parts_equal_the_ideal_road(
    layer: tuple[Any, Any, dict[str, Any]],
    side: int,
    scheme: Scheme,
    dtype: torch.dtype,
    samples: int,
    seed: int,
) -> None:
    images_shape, weight_shape, arguments = layer
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(images_shape, dtype=dtype, generator=generator)
    if scheme.signed_inputs:
        images = images - 0.5
    weight = torch.randn(weight_shape, dtype=dtype, generator=generator)
    bias = torch.randn(weight_shape[0], dtype=dtype, generator=generator)
    shape = ConvShape.of(images_shape, weight_shape, **arguments)
    layout = plan(shape, (side, side), passes=len(scheme.passes))
    # Square filter pixels are undone exactly; square input pixels are not (see rates).
    sampling = Sampling(filter=samples)
    bench = Bench(FourF.ideal((side, side)), scheme=scheme, sampling=sampling, noise=False)
    result = physical_convolution(images, weight, bias, **arguments, bench=bench)
    expected = ideal_conv2d(images, weight, bias, **arguments)
    assert result.output.dtype == dtype
    assert result.exposures == layout.frames
    # The four parts of signed numbers are larger than their sum.
    most = ideal_conv2d(images.abs(), weight.abs(), bias.abs(), **arguments)
    # A root of the rounding of a larger neighbour stands where there is no light at all.
    dark = 1.0 if isinstance(scheme, FieldItself) else 10.0
    error = float((result.output - expected).abs().max() / most.abs().max())
    assert error < CLOSE[dtype] * dark


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
@pytest.mark.parametrize("split", [False, True])
def test_reference_beams(frames: int, split: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 2, 8, 7, dtype=torch.float64, generator=generator) - 0.5
    weight = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=generator)
    system = FourF.ideal((40, 40))
    # Electrons of a bright pixel: those of the laser over the input's pixels.
    bright = system.laser.photons_per_s * system.camera.exposure_s / 1600
    scheme = ReferenceBeam(electrons=100 * bright, frames=frames, split_inputs=split)
    shape = ConvShape.of(images.shape, weight.shape, padding=1)
    layout = plan(shape, (40, 40), passes=len(scheme.passes))
    for sampling in (Sampling(), Sampling(filter=2), Sampling(filter=3)):
        bench = Bench(system, scheme=scheme, sampling=sampling, noise=False)
        result = physical_convolution(images, weight, padding=1, bench=bench, layout=layout)
        expected = ideal_conv2d(images, weight, padding=1)
        torch.testing.assert_close(result.output, expected, rtol=0, atol=1e-12)
        assert result.exposures == layout.frames
