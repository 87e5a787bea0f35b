"""Whole models to light and back."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, convert, revert
from optics.system import FourF

BENCH = Bench(FourF.ideal((64, 64)))


class Block(nn.Module):
    """A residual block with a strided shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, groups=2),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.body(images) + self.shortcut(images))


def small_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(6, 10),
    )  # fmt: skip


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), Block(4, 6, 2), Block(6, 6, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10),
    )  # fmt: skip


IMAGES = torch.randn(3, 1, 10, 10, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("make", "count"), [(small_cnn, 2), (resnet, 7)])
def test_there_and_back_is_the_same_model(make: Any, count: int) -> None:
    model = make()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    done = convert(model, BENCH, road="ideal")
    light = done.model
    assert len(done.converted) == count
    assert all(isinstance(light.get_submodule(name), OpticalConv2d) for name in done.converted)
    assert not any(isinstance(module, OpticalConv2d) for module in model.modules())
    assert light.state_dict().keys() == before.keys()
    for part in (model, light):
        part.eval()
    torch.testing.assert_close(light(IMAGES), model(IMAGES), rtol=0, atol=1e-5)

    back = revert(light)
    assert repr(back) == repr(model)
    assert [type(module) for module in back.modules()] == [type(m) for m in model.modules()]
    assert torch.equal(back(IMAGES), model(IMAGES))
    for name, value in back.state_dict().items():
        assert torch.equal(value, before[name])
    assert any(isinstance(module, OpticalConv2d) for module in light.modules())


def test_gradients_of_a_whole_model_are_the_same() -> None:
    model = resnet()
    light = convert(model, BENCH, road="ideal").model
    for part in (model, light):
        part.train()
        part(IMAGES).square().sum().backward()
    for ours, theirs in zip(light.parameters(), model.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


def test_in_place_keeps_the_parameters_that_an_optimiser_holds() -> None:
    model = small_cnn()
    held = list(model.parameters())
    done = convert(model, BENCH, road="ideal", inplace=True)
    assert done.model is model
    assert all(a is b for a, b in zip(model.parameters(), held, strict=True))
    assert revert(model, inplace=True) is model
    assert all(a is b for a, b in zip(model.parameters(), held, strict=True))
    assert not any(isinstance(module, OpticalConv2d) for module in model.modules())


def test_a_convolution_by_itself_and_one_used_twice() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1).eval()
    done = convert(layer, BENCH, road="ideal")
    assert isinstance(done.model, OpticalConv2d)
    assert not done.model.training
    assert type(revert(done.model)) is nn.Conv2d
    twice = convert(nn.ModuleList([layer, nn.Sequential(layer)]), BENCH, road="ideal")
    assert twice.converted == ("0", "1.0")
    first, second = (twice.model.get_submodule(name) for name in twice.converted)
    assert first is second


class Own(nn.Conv2d):
    """A convolution that does something else as well."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * 2


def hooked() -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, 3)
    layer.register_forward_hook(lambda *_: None)
    return layer


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Linear(2, 2), "a Linear is no Conv2d; it runs on the host"),
        (nn.ConvTranspose2d(1, 1, 3), "a ConvTranspose2d is no Conv2d"),
        (nn.Conv1d(1, 1, 3), "a Conv1d is no Conv2d"),
        (nn.Conv2d(1, 1, 3, padding_mode="circular"), "got 'circular'"),
        (nn.Conv2d(1, 1, 3, dtype=torch.bfloat16), "got torch.bfloat16"),
        (nn.Conv2d(1, 1, 65), "but the plane has 64x64"),
        (nn.LazyConv2d(1, 3), "forward|not known before"),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 1, 3)), "parametrizations"),
        (hooked(), "hooks or parametrizations"),
        (Own(1, 1, 3), "Own has a forward of its own"),
        (OpticalConv2d(1, 1, 3, bench=BENCH, road="ideal"), "on light already"),
    ],
)
def test_layers_that_stay_tell_why(layer: nn.Module, reason: str) -> None:
    model = nn.ModuleDict({"a": nn.Conv2d(1, 1, 3), "b": layer, "c": nn.ReLU()})
    done = convert(model, BENCH, road="ideal", inplace=True)
    assert done.converted == ("a",)
    assert done.model["b"] is layer  # type: ignore[index]
    assert re.search(reason, done.kept["b"])
    lines = str(done).splitlines()
    assert lines[0].split() == ["a", "on", "light"]
    assert lines[1].split(maxsplit=2) == ["b", "kept:", done.kept["b"]]


def test_only_what_was_selected() -> None:
    done = convert(
        resnet(), BENCH, road="ideal", select=lambda name, layer: layer.kernel_size == (3, 3)
    )
    assert [name for name in done.kept if "shortcut" in name] == ["1.shortcut", "2.shortcut"]
    assert done.kept["1.shortcut"] == "it was not selected"
    assert len(done.converted) == 5


def test_images_that_do_not_fit_are_named_when_they_are_shown_or_when_they_come() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3), nn.Dropout(0.5)
    )
    bench = Bench(FourF.ideal((11, 64)))
    limit = "an image of 10x10 with a kernel of 3x3 takes 12x12 pixels .* but the plane has 11x64"
    done = convert(model, bench, road="ideal", images=IMAGES)
    assert done.converted == ("2",)
    assert re.match(limit, done.kept["0"])
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    done.model(IMAGES)

    blind = convert(model, bench, road="physical")
    assert blind.converted == ("0", "2")
    with pytest.raises(InputError, match=f"^0: {limit}"):
        blind.model(IMAGES)
