"""Scales of optical layers from data: what drives the input fully, and how long to expose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from optics.checks import fraction, positive
from optics.errors import InputError
from optics.layers.conv import OpticalConv2d
from optics.layers.functional import fitting_peak
from optics.physical import physical_convolution

_CLOSE = 0.01
"""Relative error to which the brightest reading is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was set for one layer.

    Attributes:
        input_peak: value of images that drives the input fully.
        exposure_s: of the camera.
        brightest_e: electrons of the brightest reading in that exposure, without noise; ``nan``
            for a camera without a limit, which keeps its exposure.
    """

    input_peak: float
    exposure_s: float
    brightest_e: float


def calibrate(
    model: nn.Module,
    images: Tensor,
    *,
    headroom: float = 0.8,
    longest_s: float = math.inf,
) -> dict[str, Calibration]:
    """Set the scales of a model's optical layers by what a batch shows of them.

    The batch goes through the model by the ideal road. The largest value that comes to a layer will
    drive its input modulator fully, and its camera will expose so long that the brightest reading,
    found on the physical road without noise, is ``headroom`` of the camera's limit: the full well
    is used and nothing clips on this data. The time of the layer changes with its exposure.

    Args:
        model: any module with optical layers, one itself included; roads stay as they are.
        images: whatever the model takes; like those to come.
        headroom: share of the camera's limit that the brightest reading takes, above 0.
        longest_s: exposure that is not exceeded, however dark.

    Returns:
        What was set, by the layer's name.

    Raises:
        InputError: no optical layer was called, or what the physical road refuses.
    """
    fraction("calibrate", "headroom", headroom, zero=False)
    positive("calibrate", "longest_s", longest_s, infinite=True)
    names = {
        module: name for name, module in model.named_modules() if isinstance(module, OpticalConv2d)
    }
    seen: dict[OpticalConv2d, list[Tensor]] = {}

    def note(layer: nn.Module, inputs: Any, _output: Any) -> None:
        assert isinstance(layer, OpticalConv2d)
        given = inputs[0].detach()
        seen.setdefault(layer, []).append(given if given.dim() == 4 else given[None])

    roads = {layer: layer.road for layer in names}
    hooks = [layer.register_forward_hook(note) for layer in names]
    was_training = {module: module.training for module in model.modules()}
    try:
        model.eval()  # statistics of normalisation are not those of this batch
        for layer in names:
            layer.road = "ideal"
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
        for layer, road in roads.items():
            layer.road = road
        for module, training in was_training.items():
            module.training = training
    if not seen:
        raise InputError("no optical layer was called; convert the model first")
    return {
        names[layer]: _set(layer, batches, headroom, longest_s) for layer, batches in seen.items()
    }


def _set(
    layer: OpticalConv2d, batches: list[Tensor], headroom: float, longest_s: float
) -> Calibration:
    layer.calibration = None
    camera = layer.system.camera
    peak = max((float(batch.abs().amax()) for batch in batches if batch.numel()), default=0.0)
    peak = peak if peak > 0 else 1.0
    exposure_s, brightest_e = camera.exposure_s, math.nan
    if camera.saturation_e < math.inf:
        brightest_e = max(_brightest_e(layer, batch, peak) for batch in batches if batch.numel())
        if brightest_e > 0:
            wanted_s = exposure_s * headroom * camera.saturation_e / brightest_e
            exposure_s, before_s = min(wanted_s, longest_s), exposure_s
            brightest_e *= exposure_s / before_s
    layer.calibration = torch.tensor(
        [peak, exposure_s], dtype=torch.float64, device=layer.weight.device
    )
    return Calibration(input_peak=peak, exposure_s=exposure_s, brightest_e=brightest_e)


def _brightest_e(layer: OpticalConv2d, images: Tensor, peak: float) -> float:
    """Return the brightest reading in electrons, dark ones included, from above and to 1 %.

    The road tells how many readings are beyond the camera's limit. A camera with a well of any
    depth and no converter is asked until the limit is found that none exceeds.
    """

    def exceeded(well_e: float) -> bool:
        camera = replace(layer.system.camera, full_well_e=well_e, bits=None, gain_e_per_dn=None)
        with torch.no_grad():
            done = physical_convolution(
                images,
                layer.weight,
                None,
                layer.stride,
                layer.padding,  # type: ignore[arg-type]
                layer.dilation,
                layer.groups,
                system=replace(layer.system, camera=camera),
                layout=layer.layout(images.shape[0], (images.shape[-2], images.shape[-1])),
                scheme=layer.scheme,
                sampling=layer.sampling,
                encoder=layer.encoder,
                input_peak=fitting_peak(images, peak),
                noise=False,
                generator=torch.Generator(images.device).manual_seed(layer.seed),
                max_bytes=layer.max_bytes,
            )
        return done.saturated > 0

    high = layer.system.camera.saturation_e
    if exceeded(high):
        while exceeded(high):
            low, high = high, high * 8
    else:
        low = high / 8
        while not exceeded(low):
            low, high = low / 8, low
            if low < 1e-9:
                return 0.0
    while high / low > 1 + _CLOSE:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if exceeded(middle) else (low, middle)
    return high
