"""Timing of whole models."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, convert, time_model
from optics.presets import preset
from optics.system import FourF


def test_every_call_of_a_layer_counts() -> None:
    system = preset("lcos-pluto")
    twice = nn.Conv2d(4, 4, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), twice, nn.MaxPool2d(2), twice)
    light = convert(model, Bench(system), road="ideal").model
    network = time_model(light, torch.zeros(3, 1, 20, 20))
    shapes = [layer.layout.shape for layer in network.layers]
    assert [shape.size for shape in shapes] == [(20, 20), (16, 16), (8, 8)]
    assert [shape.batch for shape in shapes] == [3, 3, 3]
    first = light[0]  # type: ignore[index]
    assert network.layers[0] == first.timing(3, (20, 20))
    assert network.energies[0] == first.energy(3, (20, 20))
    assert not any(module._forward_hooks for module in light.modules())


def test_models_without_light_or_on_two_systems_are_refused() -> None:
    with pytest.raises(InputError, match="no optical layer was called"):
        time_model(nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 8, 8))
    mixed = nn.Sequential(
        OpticalConv2d(1, 1, 3, bench=Bench(FourF.ideal()), road="ideal"),
        OpticalConv2d(1, 1, 3, bench=Bench(preset("lcos-pluto")), road="ideal"),
    )
    with pytest.raises(InputError, match="on one system; got ideal 4f, lcos-pluto"):
        time_model(mixed, torch.zeros(1, 1, 8, 8))
