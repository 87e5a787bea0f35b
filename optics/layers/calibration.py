"""Scales of optical layers from data: input peak and exposure time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from optics.checks import fraction, positive
from optics.errors import InputError
from optics.layers.conv import OpticalConv2d
from optics.layers.measure import evaluating, observe
from optics.layers.quality import LEAST_SNR_DB, expected_snr_db, warn_of_snr
from optics.physical import Bench

_CLOSE = 0.01
"""Relative error to which the exposure is found."""

_DARKEST = 1e-12
"""Of the system's exposure, the least that is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Input peak, exposure and expected signal-to-noise ratio of one layer.

    Attributes:
        input_peak: value of images that drives the input fully.
        exposure_s: exposure time of the camera, in seconds.
        snr_db: signal-to-noise ratio of the result in dB, of all errors of the physical road
            together, see :func:`~optics.layers.quality.expected_snr_db`.
    """

    input_peak: float
    exposure_s: float
    snr_db: float


def calibrate(
    model: nn.Module,
    images: Tensor,
    *,
    headroom: float = 0.8,
    longest_s: float = math.inf,
    least_snr_db: float = LEAST_SNR_DB,
) -> dict[str, Calibration]:
    """Set the input peak and the exposure of each optical layer of a model from a batch.

    The batch goes through the model on the ideal road. The largest value of a layer's input will
    drive its input modulator fully, and its camera will expose so long that the brightest reading,
    found on the physical road without noise and flicker, is ``headroom`` of the camera's limit: the
    full well is used and nothing clips on this data. The time of the layer changes with its
    exposure. On the physical road a layer gets the results of the layers before it, with their
    errors: without any headroom, some of its readings may clip.

    Args:
        model: any module with optical layers, one itself included; roads stay as they are.
        images: input of the model, similar to later inputs.
        headroom: share of the camera's limit that the brightest reading takes, above 0.
        longest_s: longest exposure that may be set, in seconds.
        least_snr_db: expected signal-to-noise ratio in dB below which a layer is warned of.

    Returns:
        Input peak, exposure and expected signal-to-noise ratio, by the layer's name.

    Warns:
        SignalWarning: a layer's expected signal-to-noise ratio is below ``least_snr_db``.

    Raises:
        InputError: no optical layer was called, or the physical road refuses the layer.
    """
    fraction("calibrate", "headroom", headroom, zero=False)
    positive("calibrate", "longest_s", longest_s, infinite=True)
    names = {
        module: name for name, module in model.named_modules() if isinstance(module, OpticalConv2d)
    }
    seen: dict[OpticalConv2d, list[Tensor]] = {}

    def note(layer: OpticalConv2d, given: Tensor) -> None:
        seen.setdefault(layer, []).append(given if given.dim() == 4 else given[None])

    observe_ideal(model, images, names, note)
    if not seen:
        raise InputError("no optical layer was called; convert the model first")
    made = {
        names[layer]: _set(layer, batches, headroom, longest_s) for layer, batches in seen.items()
    }
    warn_of_snr({name: one.snr_db for name, one in made.items()}, least_snr_db)
    return made


def _set(
    layer: OpticalConv2d, batches: list[Tensor], headroom: float, longest_s: float
) -> Calibration:
    layer.calibration = None
    camera = layer.bench.system.camera
    peak = max((float(batch.abs().amax()) for batch in batches if batch.numel()), default=0.0)
    peak = peak if peak > 0 else 1.0
    exposure_s, lit = camera.exposure_s, [batch for batch in batches if batch.numel()]
    if camera.saturation_e < math.inf:
        exposure_s = _longest_s(layer, lit, peak, headroom, longest_s)
    layer.calibration = torch.tensor(
        [peak, exposure_s], dtype=torch.float64, device=layer.weight.device
    )
    snr_db = expected_snr_db(layer, lit[0]) if lit else math.inf
    return Calibration(input_peak=peak, exposure_s=exposure_s, snr_db=snr_db)


def _longest_s(
    layer: OpticalConv2d, batches: list[Tensor], peak: float, headroom: float, longest_s: float
) -> float:
    """Return the longest exposure that fills no well beyond ``headroom``, from below and to 1 %.

    The road counts readings beyond the camera's limit; a camera whose limit is a share of
    the real one is asked for ever longer exposures until some are.
    """
    camera = layer.bench.system.camera
    well_e = headroom * camera.saturation_e
    # Flicker takes light from the brightest readings, and an exposure may have many.
    still = replace(
        layer.bench.system,
        input=replace(layer.bench.system.input, flicker_rad=0.0),
        filter=replace(layer.bench.system.filter, flicker_rad=0.0),
    )

    def clips(exposure_s: float) -> bool:
        tried = replace(
            camera, full_well_e=well_e, bits=None, gain_e_per_dn=None, exposure_s=exposure_s
        )
        system = replace(still, camera=tried)
        bench = replace(layer.bench, system=system, input_peak=peak, noise=False)
        return any(_saturated(layer, bench, batch) for batch in batches)

    low = camera.exposure_s * _DARKEST
    if clips(low):
        raise InputError(
            f"{camera.name}: the reference of {layer.bench.scheme.name} alone goes beyond "
            f"{headroom:g} of its {camera.saturation_e:g} electrons; take a weaker one"
        )

    def too_long(exposure_s: float) -> bool:
        try:
            return clips(exposure_s)
        except InputError:  # a single frame's reference must outshine the light, which grows
            return True

    high = min(camera.exposure_s, longest_s)
    if too_long(high):
        while high / low > 8 and too_long(high / 8):
            high /= 8
        low = max(low, high / 8)
    else:
        while high < longest_s and not too_long(min(8 * high, longest_s)):
            high = min(8 * high, longest_s)
            if high > camera.exposure_s / _DARKEST:  # nothing is bright: data of zeros
                return camera.exposure_s
        low, high = high, min(8 * high, longest_s)
    while high / low > 1 + _CLOSE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if too_long(middle) else (middle, high)
    return low


def _saturated(layer: OpticalConv2d, bench: Bench, images: Tensor) -> int:
    """Return how many readings of a camera without noise are at its limit."""
    generator = torch.Generator(images.device).manual_seed(layer.seed)
    with torch.no_grad():
        return layer.exposed(images, bench, generator).saturated


def observe_ideal(
    model: nn.Module,
    images: Any,
    layers: Collection[OpticalConv2d],
    note: Callable[[OpticalConv2d, Tensor], None],
) -> None:
    """Run a model once in evaluation, its layers on the ideal road; leave it as it was.

    Args:
        model: model that holds the layers.
        images: whatever it takes.
        layers: layers to observe.
        note: called after each call of a layer, with the layer and its input.
    """
    roads = {layer: layer.road for layer in layers}
    try:
        for layer in layers:
            layer.road = "ideal"
        with evaluating(model):
            observe(model, images, layers, note)
    finally:
        for layer, road in roads.items():
            layer.road = road
