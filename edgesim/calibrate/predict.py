"""Predictions of the catalog against the published figures of a device."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgesim.calibrate.families import fused_by
from edgesim.calibrate.rows import graph_of
from edgesim.graph import OpKind
from edgesim.hardware import Device, catalog
from edgesim.hardware.device import Published
from edgesim.hardware.processor import Processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Prediction for one published figure.

    Attributes:
        published: published figure.
        predicted_s: time of the batch in seconds, at the row's clock and with its runtime; None
            where the model cannot be built here.
        error: predicted / published - 1, of the time.
        predicted_j: energy of the batch in joules, where it is published.
    """

    published: Published
    predicted_s: float | None
    error: float | None
    predicted_j: float | None = None


def predictions(device: str | Device) -> list[Prediction]:
    """Return a prediction for every published figure of a device.

    Args:
        device: name in the catalog, which has factors of other runtimes; or any device.

    Raises:
        InputError: no device has this name.
    """
    found = []
    entry, one = (device, catalog.device(device)) if isinstance(device, str) else ("", device)
    for published in one.published:
        graph = graph_of(published)
        predicted_s = error = predicted_j = None
        if graph is not None:
            model, factor = _as_measured(entry, one, published)
            cost = model.graph_cost(graph, published.precision, published.batch)
            predicted_s = cost.time_s * factor
            error = predicted_s / published.latency_s - 1.0
            if published.energy_j is not None:
                predicted_j = cost.power_w * predicted_s
        found.append(
            Prediction(
                published=published,
                predicted_s=predicted_s,
                error=error,
                predicted_j=predicted_j,
            )
        )
    return found


def _as_measured(entry: str, model: Device, published: Published) -> tuple[Device, float]:
    """Return a device under the conditions of a figure, and the factor of its time.

    An entry's figures hold for its own clock and runtime; only processors have other ones.
    """
    if not isinstance(model, Processor):
        return model, 1.0
    row = published.runtime, published.precision
    factors = catalog.runtime_factors(entry, *row) if entry else {}
    ratio, shares = published.clock_ratio, model.efficiency.get(published.precision, {})
    under = replace(
        model,
        peak_flop_s={key: rate * ratio for key, rate in model.peak_flop_s.items()},
        launch_overhead_s=model.launch_overhead_s / ratio,
        efficiency={
            published.precision: {
                kind: share / factors.get(kind if OpKind(kind).is_product else "moves", 1.0)
                for kind, share in shares.items()
            }
        },
        fused=fused_by(entry, published.runtime, model.fused),
    )
    return under, factors.get("time", 1.0)
