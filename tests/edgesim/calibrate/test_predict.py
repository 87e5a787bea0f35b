"""What `edgesim devices` predicts for a published row is what `edgesim run` gives for it."""

from __future__ import annotations

from typing import Any

import pytest

from edgesim import api
from edgesim.calibrate.predict import Prediction, predictions
from edgesim.hardware import catalog

LARGE = {"capacity": "10 TB"}
"""Batches of 1,024 were published of cards on which a plan keeps every activation."""


def scenario(device: str, prediction: Prediction) -> dict[str, Any]:
    """Return a scenario of one request of the batch that a row is of."""
    row = prediction.published
    model = {"name": row.model, "precision": row.precision, "classes": row.classes}
    amended: dict[str, Any] = {"base": device}
    if catalog.kind(catalog.written(device)["kind"]).__name__ == "Processor":
        amended["memory"] = LARGE
    if row.clock_ratio != 1.0:
        amended["clock"] = f"{(catalog.clock_hz(device) or 0.0) * row.clock_ratio!r} Hz"
    usual = row.batch == 1 and row.clock_ratio == 1.0
    node: dict[str, Any] = {"device": device if usual else amended}
    if catalog.device(device).runtime:
        node["runtime"] = row.runtime
    if row.image_size is not None:
        model["image_size"] = row.image_size
    return {
        "name": "row",
        "model": {key: value for key, value in model.items() if value is not None},
        "placement": {"strategy": "single"},
        "nodes": {"one": node},
        "traffic": {"arrivals": "closed", "requests": 1, "samples": row.batch},
    }


@pytest.mark.parametrize("device", catalog.names())
def test_every_row_is_predicted_as_a_run_gives_it(device: str) -> None:
    for one in predictions(device):
        if one.missing:
            continue
        result = api.run(api.load(scenario(device, one)))
        latency_s = result.summary["latency_s"]["mean"]
        assert latency_s == pytest.approx(one.predicted_s, rel=1e-12), one.published
        node = result.summary["nodes"]["one"]
        if catalog.device(device).runtime:
            assert node["runtime"] == one.published.runtime
        if one.predicted_j is not None:
            assert node["energy_j"] == pytest.approx(one.predicted_j, rel=1e-9)
