"""What every model of the catalog takes on a device, and which of them are worth it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edgesim.graph import zoo
from edgesim.hardware import catalog
from edgesim.report import model_costs
from tests.edgesim.command import assert_fails, document, edgesim


def said(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = document(edgesim("models", *words, "--json").stdout)
    return found


def test_times_and_joules_are_those_of_the_device() -> None:
    found = said("--on", "nvidia-a100", "--precision", "fp16", "--batch", "64")
    rows = {row["name"]: row for row in found["models"]}
    assert rows.keys() == set(zoo.names())
    device = catalog.device("nvidia-a100")
    for name in ("resnet50", "vit_large_patch16_384", "fatnet"):
        cost = device.graph_cost(zoo.build(name), "fp16", 64)
        assert rows[name]["time_s"] == cost.time_s / 64
        assert rows[name]["per_s"] * rows[name]["time_s"] == pytest.approx(1.0)
        assert rows[name]["energy_j"] == pytest.approx(cost.time_s * cost.power_w / 64)
    times = [row["time_s"] for row in found["models"]]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        # As the papers print it; weights of timm that others trained are not comparable.
        ("deit_tiny_patch16_224", 72.2), ("deit_small_patch16_224", 79.8),
        ("deit_base_distilled_patch16_224", 83.4), ("swin_tiny_patch4_window7_224", 81.3),
        ("convit_small", 81.3), ("crossvit_small_240", 81.0), ("pvt_v2_b2", 82.0),
        ("volo_d1_224", 84.2), ("efficientvit_b1", 79.4),
    ],
)  # fmt: skip
def test_accuracies_are_those_in_print(name: str, printed: float) -> None:
    """Another preprocessing of the images moves them by up to 0.2 points."""
    assert zoo.info(name).top1 == pytest.approx(printed, abs=0.2)


def test_models_without_published_accuracy_have_none() -> None:
    without = {name for name in zoo.names() if zoo.info(name).top1 is None}
    assert {"fatnet", "resnet18_cifar", "convsharevit_72", "vit_tiny_patch14_224"} <= without
    assert {"resnet50", "nextvit_small"} & without == set()
    assert all((zoo.info(name).weights is None) == (name in without) for name in zoo.names())


@pytest.mark.parametrize("device", ["raspberry-pi-zero-2-w", "4f-dmd-dlp7000", "jetson-nano"])
def test_the_front_is_what_no_model_beats(device: str) -> None:
    rows = model_costs.on_device(device)["models"]
    able = [row for row in rows if row["fits"] and row["top1"] is not None]

    def beats(one: dict[str, float], other: dict[str, float]) -> bool:
        sides = [
            (one["time_s"], other["time_s"]),
            (one["energy_j"], other["energy_j"]),
            (-one["top1"], -other["top1"]),
        ]
        return all(a <= b for a, b in sides) and any(a < b for a, b in sides)

    front = {row["name"] for row in able if not any(beats(other, row) for other in able)}
    assert {row["name"] for row in rows if row["pareto"]} == front
    assert front


def test_what_has_no_room_is_in_no_front() -> None:
    """1.2 GB of weights do not fit 512 MiB."""
    found = model_costs.on_device("raspberry-pi-zero-2-w")
    large = next(row for row in found["models"] if row["name"] == "vit_large_patch16_384")
    assert (large["fits"], large["pareto"]) == (False, False)
    console = Console(width=120, record=True, file=io.StringIO())
    model_costs.show(found, console)
    lines = console.export_text().splitlines()
    (line,) = [one for one in lines if "vit_large_patch16_384" in one]
    assert "no room" in line
    assert not line.strip().startswith("*")
    assert any(one.strip().startswith("* mobilenetv3_small_100") for one in lines)


def test_the_file_holds_what_the_document_says(tmp_path: Path) -> None:
    file = tmp_path / "models.csv"
    found = said("--on", "raspberry-pi-5", "--out", str(file))
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["name"] for row in rows] == [row["name"] for row in found["models"]]
    for row, known in zip(rows, found["models"], strict=True):
        assert float(row["time_s"]) == known["time_s"]
        assert row["top1"] == ("" if known["top1"] is None else str(known["top1"]))
        assert row["pareto"] == str(known["pareto"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch", "8"), "--batch belongs to --on DEVICE"),
        (("resnet50", "--on", "raspberry-pi-5"), "devices raspberry-pi-5 --model resnet50"),
        (("--on", "raspberry-pi-6"), "did you mean 'raspberry-pi-5'"),
        (("--on", "raspberry-pi-5", "--precision", "fp8"), "fp8"),
        (("--on", "raspberry-pi-5", "--out", "models.txt"), "name a file that ends in .csv"),
    ],
)
def test_wrong_options_are_one_message(words: tuple[str, ...], message: str) -> None:
    assert_fails(edgesim("models", *words), 2, [message])
