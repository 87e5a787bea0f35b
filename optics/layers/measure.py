"""One run of a model: input shapes of its layers, and their time and energy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from optics.errors import InputError
from optics.layers.conv import OpticalConv2d
from optics.system import FourF
from optics.tiling.shape import ConvShape
from optics.timing import NetworkTiming, Timing, energy

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
        model: model, which runs in its present mode.
        images: whatever it takes.
        layers: layers to observe, each with one tensor as its input.
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


def time_model(model: nn.Module, images: Tensor, *, whole_frames: bool = True) -> NetworkTiming:
    """Run a model on images and return the time and joules of its optical layers, in their order.

    A layer that is called twice counts twice. What runs on the host between the layers
    (activations, normalisation, linear layers) is not timed.

    Args:
        model: model with at least one optical layer, all on the same system. It runs without
            gradients, in its present mode.
        images: whatever the model takes.
        whole_frames: whether all pixels cross the link, see :func:`optics.timing.traffic`.

    Raises:
        InputError: the model has no optical layer that was called, or they are of several systems.
    """
    timings: list[Timing] = []
    systems: list[FourF] = []

    def note(layer: OpticalConv2d, _images: Tensor) -> None:
        shape = layer.last_shape
        assert shape is not None
        timings.append(layer.timing(shape.batch, shape.size, whole_frames=whole_frames))
        systems.append(layer.bench.system)

    layers = [one for one in model.modules() if isinstance(one, OpticalConv2d)]
    observe(model, images, layers, note)
    if not systems:
        raise InputError("no optical layer was called; convert the model first")
    if any(system != systems[0] for system in systems):
        names = ", ".join(sorted({system.name for system in systems}))
        raise InputError(f"layers of one model are timed on one system; got {names}")
    return NetworkTiming(
        system=systems[0],
        layers=tuple(timings),
        energies=tuple(energy(systems[0], timing) for timing in timings),
    )
