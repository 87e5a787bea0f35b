"""A model run once, to see what comes to its layers and what they do with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from optics.tiling.shape import ConvShape

Layer = TypeVar("Layer", bound=nn.Module)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation for a while, so that statistics of normalisation stay."""
    was_training = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, training in was_training.items():
            module.training = training


def observe(
    model: nn.Module, images: Any, layers: Iterable[Layer], note: Callable[[Layer, Tensor], None]
) -> None:
    """Run a model once, without gradients.

    Args:
        model: in the mode in which it is.
        images: whatever it takes.
        layers: those to observe, each with one tensor for its input.
        note: called after each call of a layer, with the layer and its input.
    """
    hooks = [
        layer.register_forward_hook(lambda own, inputs, _output: note(own, inputs[0]))
        for layer in layers
    ]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()


def shapes_seen(model: nn.Module, images: Any) -> dict[nn.Module, list[ConvShape]]:
    """Run a model once in evaluation; return the shapes that its convolutions were called with.

    Args:
        model: left as it was.
        images: whatever it takes.
    """
    seen: dict[nn.Module, list[ConvShape]] = {}

    def note(layer: nn.Conv2d, images: Tensor) -> None:
        shape = ConvShape.of(
            images.shape if images.dim() == 4 else (1, *images.shape),
            layer.weight.shape,
            stride=layer.stride,
            padding=layer.padding,  # type: ignore[arg-type]
            dilation=layer.dilation,
            groups=layer.groups,
        )
        seen.setdefault(layer, []).append(shape)

    with evaluating(model):
        observe(model, images, [one for one in model.modules() if isinstance(one, nn.Conv2d)], note)
    return seen
