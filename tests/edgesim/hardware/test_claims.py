"""What others print of optical accelerators, out of the command line as users call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgesim.cli import app


def said(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


SCENARIO = """
name: claims
seed: 1
model: {name: %s, classes: %s, precision: %s}
placement: {strategy: single}
nodes:
  one: {device: %s}
traffic: {arrivals: closed, concurrency: 1, requests: 3, samples: %s}
"""


@pytest.mark.parametrize(
    ("model", "samples", "printed"),
    [
        ("resnet18_cifar, up_to: layer4", 64, "3.815e-02"),
        ("fatnet, up_to: res5", 3136, "9.479e-05"),
    ],
    ids=["ResNet-18", "FatNet"],
)
def test_run_says_fatnets_table_3(tmp_path: Path, model: str, samples: int, printed: str) -> None:
    """Both times of an image in print, which leave the classifiers out, by the models' names."""
    file = tmp_path / "fatnet.yaml"
    text = SCENARIO.replace("{name: %s, classes: %s, precision: %s}", "{name: %s}")
    file.write_text(text % (model, "4f-fatnet-2160", samples), encoding="utf-8")
    summary = said("run", str(file), "--out", str(tmp_path / "out"))
    assert f"{summary['latency_s']['mean'] / samples:.3e}" == printed


def test_devices_says_fatnets_time_of_resnet_18() -> None:
    """FatNet, arXiv 2210.16914, Table 3: 3.815e-2 s an image at batch 64, without the classifier.

    1,220,800 pairs of channels, two passes each.
    """
    document = said(
        "devices", "4f-fatnet-2160", "--model", "resnet18_cifar", "--classes", "100",
        "--batch", "64",
    )  # fmt: skip
    convolved = [row for row in document["layers"] if "conv" in row["operators"][0]]
    assert sum(row["frames"] for row in convolved) == 2 * 1_220_800
    assert f"{sum(row['time_s'] for row in convolved) / 64:.3e}" == "3.815e-02"
    assert document["host_s"] == 0.0


@pytest.mark.parametrize(
    ("model", "classes", "precision", "device", "samples", "seconds", "joules", "rel"),
    [
        (
            "resnet18_cifar", 100, "fp32",
            "{kind: optical-4f, preset: fatnet-2160, signs: two-shot, along: [images], "
            "optical: [conv]}",
            64, 3.815e-2, None, 2e-4,
        ),
        # Lightening-Transformer (HPCA 2024), by its simulator.
        ("deit_small_patch16_224", 1000, "int4", "lt-b", 1, 0.0700e-3, 1.421e-3, 0.05),
    ],
    ids=["FatNet", "Lightening-Transformer"],
)  # fmt: skip
def test_run_says_times_and_joules_of_an_image(
    tmp_path: Path,
    model: str,
    classes: int,
    precision: str,
    device: str,
    samples: int,
    seconds: float,
    joules: float | None,
    rel: float,
) -> None:
    """To the digits in print where the model is theirs; see `PhotonicCrossbar` for the rest."""
    file = tmp_path / "claims.yaml"
    file.write_text(SCENARIO % (model, classes, precision, device, samples), encoding="utf-8")
    summary = said("run", str(file), "--out", str(tmp_path / "out"))
    assert summary["latency_s"]["mean"] / samples == pytest.approx(seconds, rel=rel)
    if joules is not None:
        assert summary["energy_j"]["per_request"] / samples == pytest.approx(joules, rel=rel)
