"""Which images come to the convolutions of a model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from optics.tiling.shape import ConvShape


def shapes_seen(model: nn.Module, images: Any) -> dict[nn.Module, list[ConvShape]]:
    """Run a model once and return the shapes that its convolutions were called with.

    Without gradients, and in evaluation, so that statistics of normalisation stay as they are.

    Args:
        model: left as it was.
        images: whatever it takes.
    """
    seen: dict[nn.Module, list[ConvShape]] = {}

    def note(layer: nn.Module, inputs: Any) -> None:
        assert isinstance(layer, nn.Conv2d)
        given = inputs[0].shape
        shape = ConvShape.of(
            given if len(given) == 4 else (1, *given),
            layer.weight.shape,
            stride=layer.stride,
            padding=layer.padding,  # type: ignore[arg-type]
            dilation=layer.dilation,
            groups=layer.groups,
        )
        seen.setdefault(layer, []).append(shape)

    hooks = [
        module.register_forward_pre_hook(note)
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    ]
    was_training = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in was_training.items():
            module.training = training
    return seen
