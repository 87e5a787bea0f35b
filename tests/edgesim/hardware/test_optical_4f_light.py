"""Whether the light of a 4f accelerator says anything: photons, full well, effective bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from edgesim import api
from edgesim.cli import app
from edgesim.hardware import catalog
from edgesim.hardware.optical_4f import Optical4F
from edgesim.report import plan_tables
from optics.detection import FourShot, detect
from optics.timing import LightBudget

SCENARIO: dict[str, Any] = {
    "name": "light",
    "model": {"name": "resnet18_cifar"},
    "placement": {"strategy": "single"},
    "traffic": {"arrivals": "closed", "requests": 1},
}


def device(**changes: Any) -> Optical4F:
    found = catalog.from_mapping("light", {"base": "4f-dmd-dlp7000", **changes})
    assert isinstance(found, Optical4F)
    return found


def scenario(power: str) -> dict[str, Any]:
    changed = {"base": "4f-dmd-dlp7000", "laser": {"power": power}}
    return {**SCENARIO, "nodes": {"light": {"device": changed}}}


def test_the_budget_is_that_of_the_camera_that_optics_simulates() -> None:
    """Electrons, noise and effective bits of 100,000 drawn four-shot exposures."""
    made = device()
    budget = LightBudget.of(made.system, made.light)
    photons = torch.full((4, 100_000), budget.photons, dtype=torch.float64)
    # The brightest camera pixel gets the share of an input pixel's image that it covers.
    photons *= budget.electrons / (budget.photons * made.system.camera.quantum_efficiency)
    generator = torch.Generator().manual_seed(3)
    readings = detect(photons, made.system.camera, generator=generator)
    field = FourShot().combine(readings)
    span = 2 * budget.electrons**0.5
    drawn = float(torch.log2(span / (field.std() * 12**0.5)))
    assert made.effective_bits == pytest.approx(drawn, abs=0.02)
    assert float(readings.mean()) == pytest.approx(budget.electrons, rel=1e-3)


def test_a_picowatt_says_nothing_and_both_commands_say_so() -> None:
    read = api.load(scenario("1 pW"))
    plan = api.place(read)
    (warning,) = read.warnings_on(plan)
    assert "leave 0 effective bits: its results say next to nothing; raise laser.power" in warning
    assert warning in api.run(read).summary["warnings"]
    document = plan_tables.examine(read, plan).document()
    assert document["warnings"] == [warning]
    assert document["light"]["light"]["effective_bits"] == 0.0


def test_light_in_plenty_is_attenuated_and_warns_of_nothing() -> None:
    read = api.load(scenario("1 kW"))
    plan = api.place(read)
    assert read.warnings_on(plan) == []
    light = plan_tables.examine(read, plan).document()["light"]["light"]
    assert light["share_of_full_well"] == pytest.approx(0.8, rel=1e-9)
    assert light["share"] < 1e-3
    assert not light["clipped"]
    assert 1.0 < light["effective_bits"] < 16.0


def test_a_laser_without_power_is_refused_or_dark() -> None:
    with pytest.raises(Exception, match="laser"):
        device(laser={"power": "0 W"})


def test_bits_stand_beside_the_precision_of_baselines(tmp_path: Path) -> None:
    file = tmp_path / "light.yaml"
    file.write_text(json.dumps({**scenario("1 mW"), "baselines": ["raspberry-pi-5"]}))
    words = ["run", str(file), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    bits = api.run(api.load(file)).summary["nodes"]["light"]["effective_bits"]
    assert f"this cluster, {bits:.1f} effective bits" in result.output


def test_a_layer_tells_of_its_light() -> None:
    made = device()
    graph = api.load(scenario("1 mW")).placement.model.graph
    assert graph is not None
    layer = next(op.name for op in graph if op.kind in made.kinds)
    explained = made.explain(graph, "fp32", operator=layer)
    light = explained.figures["light"]
    assert light["effective_bits"] == made.effective_bits
    assert light["photons"] == made.budget.photons
    assert explained.details is not None
    assert f"{made.effective_bits:.1f} effective bits" in explained.details.facts[-1]
