"""Frames of the simulator are those that simulated cameras read, of traced torch models."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgesim.graph.trace import trace
from optics.detection import FieldItself, FourShot, ReferenceBeam, Scheme
from optics.layers import Bench, convert
from optics.physical.exposures import Exposures
from tests.edgesim.hardware.optical import accelerator

SCHEMES: list[tuple[Any, Scheme]] = [
    ("field", FieldItself()),
    ("four-shot", FourShot()),
    ({"scheme": "reference", "frames": 3}, ReferenceBeam(electrons=1e6, frames=3)),
]


class Tokens(nn.Module):
    """A linear layer as a valid convolution of tokens, as ConvShareViT has it."""

    def __init__(self, side: tuple[int, int], features: int) -> None:
        super().__init__()
        self.side = side
        self.conv = nn.Conv2d(1, features, side, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.reshape(-1, 1, *self.side))


def convolutions(draw: random.Random) -> tuple[nn.Module, Tensor]:
    """Return up to three convolutions with what stands between them, and images."""
    channels, size = draw.randint(1, 4), draw.randint(8, 12)
    images = torch.zeros(draw.randint(1, 4), channels, size, size)
    layers: list[nn.Module] = []
    for _ in range(draw.randint(1, 3)):
        groups = draw.choice([n for n in (1, 2, 3) if channels % n == 0])
        out = groups * draw.randint(1, 3)
        kernel = draw.randint(1, 3), draw.randint(1, 3)
        stride, padding = draw.randint(1, 2), draw.randint(1, 2)
        layers += [nn.Conv2d(channels, out, kernel, stride, padding, 1, groups), nn.GELU()]
        channels = out
    return nn.Sequential(*layers), images


def planes_read(model: nn.Module, images: Tensor, system: Any, scheme: Scheme) -> int:
    """Count the planes that cameras read while a model runs on light."""
    done = convert(model, Bench(system, scheme=scheme, noise=False), road="physical")
    assert done.converted
    seen, read = [0], Exposures.read

    def counting(exposures: Exposures, light: Sequence[Tensor], *rest: Any) -> Any:
        seen[0] += light[0].shape[0]
        return read(exposures, light, *rest)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(Exposures, "read", counting)
        done.model(images)
    return seen[0]


@pytest.mark.parametrize("seed", range(6))
def test_frames_of_a_traced_model_are_planes_that_cameras_read(seed: int) -> None:
    draw = random.Random(seed)
    model, images = convolutions(draw)
    signs, scheme = SCHEMES[seed % len(SCHEMES)]
    device = accelerator(plane=[draw.randint(24, 48), draw.randint(24, 48)], signs=signs)
    layers = device.layers(trace(model, images[:1]), "fp32", batch=len(images))
    frames = sum(layer.light.exposures for layer in layers if layer.light is not None)
    assert frames == planes_read(model, images, device.system, scheme)


def test_a_linear_layer_is_planned_as_the_convolution_of_tokens_that_light_runs() -> None:
    """Four samples of six tokens of 3 x 4 numbers, and five outputs of each."""
    device = accelerator(plane=32)
    layers = device.layers(trace(nn.Linear(12, 5, bias=False), torch.zeros(1, 6, 12)), "fp32", 4)
    frames = sum(layer.light.exposures for layer in layers if layer.light is not None)
    tokens = torch.zeros(4, 6, 12)
    assert frames == planes_read(Tokens((3, 4), 5), tokens, device.system, FourShot())
