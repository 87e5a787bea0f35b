"""What ``edgesim devices`` tells of crossbars: layers, one layer, and energies as published."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from typer.testing import CliRunner

from edgesim.cli import app
from edgesim.common.errors import InputError
from edgesim.graph import zoo
from edgesim.hardware import catalog
from edgesim.hardware.crossbar import PhotonicCrossbar
from edgesim.report import device_layers

TINY = "deit_tiny_patch16_224"


def told(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["devices", *words, "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, ["devices", *words], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_layers_of_a_model_make_its_cost() -> None:
    document = told("lt-b", "--model", TINY, "--precision", "int8", "--batch", "2")
    device, graph = catalog.device("lt-b"), zoo.build(TINY)
    cost = device.graph_cost(graph, "int8", 2)
    assert document["time_s"] == cost.time_s
    assert document["energy_by_part_j"] == cost.by_part_j
    layers_s = math.fsum(row["time_s"] for row in document["layers"])
    assert layers_s == pytest.approx(cost.time_s, rel=1e-12)
    rings_j = device.power.idle_w * cost.time_s
    layers_j = math.fsum(row["energy_j"] for row in document["layers"])
    assert layers_j + rings_j == pytest.approx(cost.power_w * cost.time_s, rel=1e-9)
    # 4 x 2 cores of 12 x 12 x 12 at 5 GHz.
    assert document["use"] == pytest.approx(2 * graph.macs / (cost.time_s * 69.12e12), rel=1e-12)
    assert [row["operator"] for row in document["layers"]] == [op.name for op in graph]


def test_one_layer_is_told_with_its_events() -> None:
    document = told("lt-b", "--model", TINY, "--layer", "head")
    assert document["precision"] == "int4"
    assert document["product"] == [1000, 192, 1, 1]
    assert document["limit"] == "memory"
    assert document["events"]["shots"] == 84 * 16
    assert document["events"]["weights"] == 192_000
    assert document["macs"] == 192_000
    total_j = math.fsum(document["energy_by_part_j"].values())
    assert document["joules_per_mac"] == pytest.approx(total_j / 192_000, rel=1e-12)


def test_tables_say_what_binds_and_what_things_cost() -> None:
    whole = printed("lt-b", "--model", TINY)
    assert "3 × (197, 64) @ (64, 197)" in whole
    assert "98.1 % of it in products" in whole
    assert "314 fJ a multiply-accumulate" in whole
    one = printed("lt-b", "--model", TINY, "--layer", "head")
    assert "bound by the memory" in one
    assert "elements encoded in light" in one


def test_published_energies_stand_beside_predicted_ones() -> None:
    rows = told("lt-b")["published"]
    assert all(0 < row["predicted_j"] / row["published_j"] - 1 < 0.03 for row in rows)
    text = printed("lt-b")
    assert "Published and predicted time and energy of a batch" in text
    assert "5.44 mJ" in text
    # A device without energies has no such columns.
    assert "energy of a batch" not in printed("nvidia-l4")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lt-b", TINY, "blocks.0.attn.q"), "'blocks.0.attn.q' is no operator of deit_tiny"),
        (("lt-b", TINY, "blocks.0.attn.softmax"), "'blocks.0.attn.softmax' is no matrix product"),
        (("lt-b", None, "head"), "name both"),
        (("lt-c", TINY, None), "no device is named 'lt-c'"),
    ],
)
def test_what_cannot_be_told_says_why(
    words: tuple[str, str | None, str | None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        device_layers.explain(*words)


def test_a_precision_that_a_crossbar_lacks_is_refused() -> None:
    device = catalog.device("lt-b")
    assert isinstance(device, PhotonicCrossbar)
    with pytest.raises(InputError, match="does not compute in fp32; it has int4, int8"):
        device_layers.explain("lt-b", TINY, None, precision="fp32")
