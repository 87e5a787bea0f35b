"""The ideal layer against ``torch.nn.Conv2d``: values, gradients, parameters, bad input."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, optical_conv2d
from optics.presets import preset
from optics.system import FourF

BENCH = Bench(FourF.ideal((128, 128)))

# Relative to the largest value: rounding of a product of spectra grows with log of the plane and
# the root of the channels, so that these are a few units in the last place.
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-12}


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alike(arguments: dict[str, Any], **extra: Any) -> tuple[nn.Conv2d, OpticalConv2d]:
    """Return torch's layer and ours with the same parameters."""
    theirs = nn.Conv2d(**arguments)
    ours = OpticalConv2d(**arguments, **({"bench": BENCH, "road": "ideal"} | extra))
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@st.composite
def layers(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Arguments of a layer and the shape of its images; some are impossible."""
    groups = draw(st.integers(1, 3))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    padding = draw(
        st.sampled_from(["same", "valid"])
        | st.integers(0, 4)
        | st.tuples(st.integers(0, 5), st.integers(0, 5))
    )
    arguments = {
        "in_channels": groups * draw(st.integers(1, 4)),
        "out_channels": groups * draw(st.integers(1, 4)),
        "kernel_size": draw(st.integers(1, 5) | st.tuples(st.integers(1, 6), st.integers(1, 6))),
        "stride": 1 if padding == "same" else draw(st.integers(1, 3) | pairs),
        "padding": padding,
        "dilation": draw(st.integers(1, 3) | pairs),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    size = draw(st.tuples(st.integers(1, 17), st.integers(1, 17)))
    return arguments, (draw(st.integers(0, 4)), arguments["in_channels"], *size)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=60)
@given(layer=layers(), seed=st.integers(0, 2**32), unbatched=st.booleans())
def test_equals_torch_forward_and_backward(
    dtype: torch.dtype, layer: tuple[dict[str, Any], tuple[int, ...]], seed: int, unbatched: bool
) -> None:
    arguments, size = layer
    theirs, ours = alike(arguments | {"dtype": dtype})
    generator = rng(seed)
    images = torch.randn(size, dtype=dtype, generator=generator)
    if unbatched and size[0]:
        images = images[0]
    images.requires_grad_()
    try:
        expected = theirs(images)
    except RuntimeError:
        assume(False)
    output = ours(images)
    assert output.shape == expected.shape
    upstream = torch.randn(expected.shape, dtype=dtype, generator=generator)
    pairs = [(output, expected)]
    pairs += zip(
        torch.autograd.grad(output, [images, *ours.parameters()], upstream),
        torch.autograd.grad(expected, [images, *theirs.parameters()], upstream),
        strict=True,
    )
    for mine, other in pairs:
        scale = max(1.0, float(other.detach().abs().amax()) if other.numel() else 1.0)
        torch.testing.assert_close(mine, other, rtol=0, atol=CLOSE[dtype] * scale)


def test_function_and_layer_are_twins() -> None:
    _, layer = alike({"in_channels": 4, "out_channels": 6, "kernel_size": 3, "groups": 2})
    images = torch.randn(2, 4, 9, 9, generator=rng(0))
    output = optical_conv2d(images, layer.weight, layer.bias, groups=2, bench=BENCH, road="ideal")
    assert torch.equal(output, layer(images))


def test_state_dict_is_that_of_torch_both_ways_and_through_safetensors(tmp_path: Path) -> None:
    theirs, ours = alike({"in_channels": 2, "out_channels": 3, "kernel_size": 3})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    save_file(ours.state_dict(), tmp_path / "layer.safetensors")
    fresh = nn.Conv2d(2, 3, 3)
    fresh.load_state_dict(load_file(tmp_path / "layer.safetensors"))
    images = torch.randn(1, 2, 8, 8, generator=rng(0))
    assert torch.equal(fresh(images), theirs(images))


def test_initialisation_is_torchs() -> None:
    made: list[Tensor] = []
    for kind, extra in ((nn.Conv2d, {}), (OpticalConv2d, {"bench": BENCH, "road": "ideal"})):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made.append(kind(3, 4, 3, **extra).weight)
    assert torch.equal(*made)


def test_road_is_never_in_doubt() -> None:
    with pytest.raises(TypeError, match="road"):
        OpticalConv2d(1, 1, 3, bench=BENCH)  # type: ignore[call-arg]
    layer = OpticalConv2d(1, 1, 3, bench=BENCH, road="ideal")
    assert "system='ideal 4f', road='ideal'" in repr(layer)
    with pytest.raises(InputError, match="'ideal' or 'physical'; got 'optical'"):
        layer.road = "optical"  # type: ignore[assignment]
    assert layer.road == "ideal"


def test_settings_of_the_bench_are_set_on_the_bench() -> None:
    layer = OpticalConv2d(1, 1, 3, bench=BENCH, road="ideal")
    with pytest.raises(AttributeError, match=r"replace\(layer.bench, noise=...\)"):
        layer.noise = False
    layer.bench = replace(layer.bench, noise=False)
    assert not layer.bench.noise


def test_changed_weights_are_noticed() -> None:
    theirs, ours = alike({"in_channels": 2, "out_channels": 2, "kernel_size": 3})
    images = torch.randn(1, 2, 8, 8, generator=rng(0))
    ours(images)
    for module in (theirs, ours):
        module.weight.data.neg_()
    torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=1e-5)
    other = copy.deepcopy(ours)
    other.weight.data.neg_()
    assert not torch.allclose(other(images), ours(images))


def test_layer_tells_frames_time_and_joules() -> None:
    layer = OpticalConv2d(3, 8, 3, padding=1, bench=Bench(preset("dmd-dlp7000")), road="ideal")
    assert layer.last_shape is None
    layer(torch.zeros(2, 3, 32, 32))
    assert layer.last_shape == layer.shape_for(2, (32, 32))
    timing = layer.timing(2, (32, 32))
    assert timing.layout == layer.layout(2, (32, 32))
    assert timing.exposures == timing.layout.frames
    assert layer.energy(2, (32, 32)).total_j == pytest.approx(206 * timing.total_s)


def make(**changes: Any) -> OpticalConv2d:
    arguments = {"in_channels": 2, "out_channels": 4, "kernel_size": 3, "bench": BENCH}
    return OpticalConv2d(**(arguments | {"road": "ideal"} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding_mode": "reflect"}, "'zeros': outside of an image it is dark; got 'reflect'"),
        ({"dtype": torch.float16}, "float32 or torch.float64; got torch.float16"),
        ({"kernel_size": 129}, "but the plane has 128x128"),
        ({"kernel_size": 65, "dilation": 2}, "but the plane has 128x128"),
        ({"road": "real"}, "road is 'ideal' or 'physical'"),
        ({"padding": "full"}, "padding"),
    ],
)
def test_bad_arguments_say_what_was_expected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.ones(1, 3, 8, 8), "takes images of 2 channels, got 3"),
        (torch.ones(8, 8), "expected images"),
        (torch.ones(1, 2, 8, 8, dtype=torch.float64), "move one of them"),
        (torch.ones(1, 2, 8, 8, dtype=torch.float16), "must be float32 or float64"),
        (torch.ones(1, 2, 8, 8, device="meta"), "on meta"),
        (torch.full((1, 2, 8, 8), torch.inf), "images must be finite"),
        (torch.ones(1, 2, 127, 8), "takes 129x10 pixels with its guard band"),
        (torch.ones(1, 2, 2, 8), "may not be larger than the padded image"),
    ],
)
def test_bad_images_say_what_was_expected(images: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()(images)
