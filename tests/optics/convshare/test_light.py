"""The model on light: with ideal parts the electronic logits, and the frames that were planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor, nn

from optics.convshare import MIXINGS, ConvShareConfig, ConvShareViT, Mixing, shapes
from optics.detection import FieldItself, FourShot, ReferenceBeam, Scheme
from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, convert
from optics.physical.exposures import Exposures
from optics.system import FourF
from optics.tiling import ConvShape, plan

CONFIG = ConvShareConfig(image=8, patch=4, map=(4, 4), depth=2, heads=2, classes=10)
SYSTEM = FourF.ideal((64, 64))


def of(mixing: Mixing) -> ConvShareConfig:
    return replace(CONFIG, qkv=mixing, projection=mixing, mlp=mixing)


def digits(count: int) -> Tensor:
    """Photographed handwriting of 8 x 8 pixels."""
    return torch.tensor(load_digits().images[:count, None] / 8 - 1)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the planes that cameras read."""
    seen, read = [0], Exposures.read

    def counting(exposures: Exposures, light: Sequence[Tensor], *rest: Any) -> Any:
        seen[0] += light[0].shape[0]
        return read(exposures, light, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exposures, "read", counting)
        yield seen


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize(
    ("road", "scheme"),
    [("ideal", FourShot()), ("physical", FourShot()), ("physical", FieldItself())],
)
@torch.no_grad()
def test_with_everything_ideal_light_and_electronics_agree_image_by_image(
    mixing: Mixing, road: Any, scheme: Scheme
) -> None:
    model = ConvShareViT(of(mixing), torch.Generator().manual_seed(0)).double().eval()
    images = digits(40)
    done = convert(model, Bench(SYSTEM, scheme=scheme, noise=False), road=road)
    mixed = 0 if mixing == "linear" else 4 * CONFIG.depth
    assert len(done.converted) == 1 + mixed
    electronic, optical = model(images), done.model(images)
    # A root tells a field of rounding's 1e-16 as 1e-8; what follows carries that along.
    torch.testing.assert_close(optical, electronic, rtol=0, atol=1e-6)
    assert torch.equal(optical.argmax(1), electronic.argmax(1))
    assert len(electronic.argmax(1).unique()) > 1  # or the line above would hold of anything


@torch.no_grad()
def test_classes_agree_in_single_precision() -> None:
    model = ConvShareViT(of("shared-valid"), torch.Generator().manual_seed(0)).eval()
    images = digits(200).float()
    electronic = model(images)
    for road in ("ideal", "physical"):
        light = convert(model, Bench(SYSTEM, noise=False), road=road).model  # type: ignore[arg-type]
        assert torch.equal(light(images).argmax(1), electronic.argmax(1))


def frames_of(model: nn.Module, images: Tensor, **options: Any) -> tuple[dict[str, int], Any]:
    """Return how many planes the camera of each layer read, and the model on light."""
    done = convert(model, Bench(**options, noise=False), road="physical")
    read: dict[str, int] = {}
    with counted() as seen, torch.no_grad():
        for name in done.converted:

            def note(_layer: nn.Module, _inputs: Any, _output: Any, name: str = name) -> None:
                read[name] = seen[0] - sum(read.values())

            done.model.get_submodule(name).register_forward_hook(note)
        done.model(images)
    return read, done


SCHEMES = [FieldItself(), FourShot(), ReferenceBeam(electrons=1e6, frames=3)]


@st.composite
def configs(draw: st.DrawFn) -> ConvShareConfig:
    side, mixings = st.integers(2, 5), st.sampled_from(MIXINGS)
    map_ = draw(side), draw(side)
    same = st.tuples(*(st.sampled_from([k for k in (1, 3, 5) if k <= n]) for n in map_))
    made = replace(CONFIG, map=map_, heads=1, depth=1, mlp_ratio=draw(st.integers(1, 3)))
    changes: dict[str, Any] = {name: draw(mixings) for name in ("qkv", "projection", "mlp")}
    if all(mixing.endswith("same") for mixing in changes.values()):
        changes["kernel"] = draw(same)
    elif all(k <= n for k in (3, 3) for n in map_):
        pass
    else:
        changes = {name: m.replace("same", "valid") for name, m in changes.items()}
    return replace(made, **changes)


@settings(max_examples=15)
@given(
    config=configs(),
    scheme=st.sampled_from(SCHEMES),
    batch=st.integers(1, 3),
    plane=st.tuples(st.integers(12, 40), st.integers(12, 40)),
)
def test_frames_of_the_planner_are_those_that_cameras_read(
    config: ConvShareConfig, scheme: Scheme, batch: int, plane: tuple[int, int]
) -> None:
    model = ConvShareViT(config, torch.Generator().manual_seed(0))
    read, _ = frames_of(model, digits(batch).float(), system=FourF.ideal(plane), scheme=scheme)
    passes = len(scheme.passes)
    planned = {
        name: plan(shape, plane, passes=passes).frames
        for name, shape in shapes(config, batch).items()
    }
    assert read == planned


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, list[ConvShape], Tensor]:
    """Convolutions one after the other, with shapes written down beside them."""
    batch, size = draw(st.integers(1, 4)), (draw(st.integers(6, 12)), draw(st.integers(6, 12)))
    channels = draw(st.integers(1, 4))
    images = torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(0))
    layers: list[nn.Module] = []
    found: list[ConvShape] = []
    for _ in range(draw(st.integers(1, 3))):
        groups = draw(st.sampled_from([n for n in (1, 2, 3) if channels % n == 0]))
        out = groups * draw(st.integers(1, 3))
        kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        stride, dilation, padding = (draw(st.integers(1, 2)) for _ in range(3))
        if any(n + 2 * padding < dilation * (k - 1) + 1 for n, k in zip(size, kernel)):
            continue
        layers += [nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups), nn.GELU()]
        found.append(
            ConvShape(
                batch=batch, in_channels=channels, out_channels=out, size=size, kernel=kernel,
                groups=groups, stride=(stride, stride), dilation=(dilation, dilation),
                padding=((padding, padding), (padding, padding)),
            )
        )  # fmt: skip
        channels, size = out, found[-1].out_size
    return nn.Sequential(*layers), found, images


@settings(max_examples=25)
@given(
    network=networks(),
    scheme=st.sampled_from(SCHEMES),
    plane=st.tuples(st.integers(24, 48), st.integers(24, 48)),
)
def test_frames_of_random_networks_are_those_that_cameras_read(
    network: tuple[nn.Module, list[ConvShape], Tensor], scheme: Scheme, plane: tuple[int, int]
) -> None:
    model, written, images = network
    read, done = frames_of(model, images, system=FourF.ideal(plane), scheme=scheme)
    passes = len(scheme.passes)
    assert list(read.values()) == [plan(s, plane, passes=passes).frames for s in written]
    for name in done.converted:
        layer = done.model.get_submodule(name)
        assert isinstance(layer, OpticalConv2d)
        assert layer.last_shape is not None
        shape = layer.last_shape
        assert read[name] == layer.layout(shape.batch, shape.size).frames
        assert read[name] == layer.timing(shape.batch, shape.size).exposures


def test_layers_that_no_plane_holds_are_named_with_the_limit() -> None:
    config = replace(CONFIG, image=16, map=(4, 6), projection="shared-same", depth=1)
    model = ConvShareViT(config, torch.Generator().manual_seed(0))
    images = torch.zeros(1, 1, 16, 16)
    done = convert(model, Bench(FourF.ideal((9, 9))), road="ideal", images=images)
    # 4x6 with kernels of 3x3 takes 6x8; as many, 7x11; and the image with its patches 19x19.
    assert done.converted == ("blocks.0.attn.proj",)
    told = "an image of {} with a kernel of {} takes {} pixels with its guard band, but the plane"
    assert done.kept["blocks.0.attn.qkv"].startswith(told.format("4x6", "4x6", "7x11"))
    assert done.kept["patch_embed.proj"].startswith(told.format("16x16", "4x4", "19x19"))
    assert done.kept["head"] == "a Linear is no Conv2d; it runs on the host"
    assert "blocks.0.mlp.fc2    kept: an image of 4x6" in str(done)
    with torch.no_grad():
        torch.testing.assert_close(done.model(images), model.eval()(images), rtol=0, atol=1e-5)

    blind = convert(model, Bench(FourF.ideal((9, 12))), road="ideal").model
    with pytest.raises(InputError, match=r"^patch_embed\.proj: an image of 16x16 .* has 9x12"):
        blind(images)
