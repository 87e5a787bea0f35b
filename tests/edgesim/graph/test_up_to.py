"""The part of a model up to a module or an operator."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgesim.common.errors import InputError
from edgesim.graph import zoo
from edgesim.graph.trace import trace
from edgesim.graph.up_to import up_to


def test_a_stage_of_a_resnet_is_the_resnet_without_what_follows() -> None:
    whole = zoo.build("resnet18")
    part = up_to(whole, "layer2")
    names = [op.name for op in whole]
    end = max(index for index, name in enumerate(names) if name.startswith("layer2."))
    assert [op.name for op in part] == names[: end + 1]
    # (128, 28, 28) of an image of 224: arXiv 1512.03385, table 1.
    assert part.output_elements == 128 * 28 * 28
    assert part.input_shape == whole.input_shape
    assert part.name == "resnet18 up to layer2"


def test_a_module_up_to_a_part_is_the_module_that_ends_there() -> None:
    first, second, third = nn.Linear(8, 6), nn.Linear(6, 4), nn.Linear(4, 2)
    whole = trace(nn.Sequential(first, nn.Sequential(second, nn.ReLU()), third), torch.zeros(1, 8))
    shorter = trace(nn.Sequential(first, nn.Sequential(second, nn.ReLU())), torch.zeros(1, 8))
    part = up_to(whole, "1")
    assert part.ops == shorter.ops
    assert part.edges == shorter.edges
    assert part.outputs == shorter.outputs
    assert up_to(whole, "1.0").outputs == ["1.0"]


def test_branches_that_the_part_does_not_need_are_gone() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.left(x), self.right(x)

    part = up_to(trace(Two(), torch.zeros(1, 4)), "right")
    assert [op.name for op in part] == ["right"]
    assert part.input_readers == part.outputs == ["right"]


def test_a_name_that_is_none() -> None:
    with pytest.raises(InputError, match=r"no module or operator 'layr2' \(did you mean 'layer2'"):
        up_to(zoo.build("resnet18"), "layr2")
