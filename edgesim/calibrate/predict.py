"""Predictions of the catalog against the published figures of a device."""

from __future__ import annotations

from dataclasses import dataclass

from edgesim.calibrate.rows import graph_of
from edgesim.hardware import Device, catalog
from edgesim.hardware.device import Published
from edgesim.hardware.processor import Processor
from edgesim.hardware.runtimes import RuntimeChoice, with_runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Prediction for one published figure.

    Attributes:
        published: published figure.
        image_size: height and width of the images, in pixels; None where it is not known.
        predicted_s: time of the batch in seconds, at the row's clock and with its runtime; None
            where the model cannot be built here, or no device can be given the runtime.
        error: predicted / published - 1, of the time.
        predicted_j: energy of the batch in joules, where it is published.
        missing: what there is no prediction for, in two words.
    """

    published: Published
    image_size: int | None = None
    predicted_s: float | None = None
    error: float | None = None
    predicted_j: float | None = None
    missing: str = ""


def predictions(device: str | Device) -> list[Prediction]:
    """Return a prediction for every published figure of a device.

    Each is what a scenario gives that names this device, with the row's runtime and clock.

    Args:
        device: device, or its name in the catalog.

    Raises:
        InputError: no device has this name.
    """
    one = catalog.device(device) if isinstance(device, str) else device
    return [_prediction(one, published) for published in one.published]


def _prediction(device: Device, published: Published) -> Prediction:
    graph = graph_of(published)
    side = published.image_size
    if graph is None:
        return Prediction(published=published, image_size=side, missing="no builder")
    if side is None and graph.input_shape[1:]:
        side = graph.input_shape[-1]
    under = as_measured(device, published)
    if under is None:
        return Prediction(published=published, image_size=side, missing="no runtime")
    cost = under.graph_cost(graph, published.precision, published.batch)
    joules = None if published.energy_j is None else cost.power_w * cost.time_s
    return Prediction(
        published=published,
        image_size=side,
        predicted_s=cost.time_s,
        error=cost.time_s / published.latency_s - 1.0,
        predicted_j=joules,
    )


def as_measured(device: Device, published: Published) -> Device | None:
    """Return a device with the clock and the runtime of one of its published figures.

    None where scenarios cannot give it the runtime. A device of no runtime takes any figure.
    """
    if isinstance(device, Processor):
        device = device.at_clock(published.clock_ratio)
    possible = {device.runtime, *device.runtimes} - {""}
    if not possible:
        return device
    if published.runtime not in possible:
        return None
    return with_runtime(device, RuntimeChoice(name=published.runtime), published.precision)
