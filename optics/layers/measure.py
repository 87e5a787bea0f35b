"""Time and energy of the optical layers of a whole model."""

from __future__ import annotations

from torch import Tensor, nn

from optics.errors import InputError
from optics.layers.conv import OpticalConv2d
from optics.layers.observe import observe
from optics.system import FourF
from optics.timing import NetworkTiming, Timing, energy


def time_model(model: nn.Module, images: Tensor, *, whole_frames: bool = True) -> NetworkTiming:
    """Run a model on images and return the time and joules of its optical layers, in their order.

    A layer that is called twice counts twice. What runs on the host between the layers
    (activations, normalisation, linear layers) is not timed.

    Args:
        model: with at least one optical layer; all on the same system. It runs without gradients,
            in the mode in which it is.
        images: whatever the model takes.
        whole_frames: what crosses the link, see :func:`optics.timing.traffic`.

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
        raise InputError(f"layers of one model are timed on one system; {names} came")
    return NetworkTiming(
        system=systems[0],
        layers=tuple(timings),
        energies=tuple(energy(systems[0], timing) for timing in timings),
    )
