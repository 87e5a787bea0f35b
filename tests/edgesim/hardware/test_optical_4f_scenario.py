"""Accelerators in scenario files: the schema, bad input with its place, runs without torch."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from edgesim import api
from edgesim.common.errors import InputError
from edgesim.common.text import joules
from edgesim.report import console
from edgesim.report.page import run_page
from edgesim.results.tables_csv import columns
from edgesim.scenario import from_mapping
from edgesim.scenario.json_schema import schema
from tests.edgesim.command import assert_fails, edgesim, environment

SCENARIO: dict[str, Any] = {
    "name": "light",
    "seed": 1,
    "model": {"name": "resnet18", "classes": 10, "image_size": 32},
    "placement": {"strategy": "single", "nodes": ["light"]},
    "nodes": {"light": {"device": {"kind": "optical-4f", "preset": "dmd-dlp7000"}},
              "pi": {"device": "raspberry-pi-5"}},
    "network": {"switch": {"bandwidth": "1 Gbit/s"}},
    "traffic": {"arrivals": "closed", "concurrency": 1, "requests": 3},
}  # fmt: skip


def with_device(**figures: Any) -> dict[str, Any]:
    device = {"kind": "optical-4f", "preset": "dmd-dlp7000", **figures}
    nodes = {**SCENARIO["nodes"], "light": {"device": device}}
    return {**SCENARIO, "nodes": nodes}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


RIGHT: list[dict[str, Any]] = [
    {},
    {"plane": 2160, "frame_rate": "1 MHz"},
    {"plane": [1080, 1920], "signs": "two-shot", "along": ["images", "kernels"]},
    {"signs": {"scheme": "reference", "frames": 3, "split_inputs": True}},
    {"laser": {"power": "50 mW", "wall_plug_efficiency": "20 %"}, "light": "0.1 %"},
    {"input": {"frame_rate": "30 kHz", "power": "5 W"}, "camera": {"bits": 8, "readout": "1 us"}},
    {"host": "nvidia-rtx-4090", "link": "10 GB/s", "whole_frames": False},
    {"host": {"peak": {"fp32": "1 TFLOP/s"}}, "overflow": "host", "linear": "fewest"},
    {"link": "10 GB/s", "stored_kernels": True},
    {"optical": ["conv"], "planes": 8, "source": {"planes": "estimate"}},
]
WRONG: list[dict[str, Any]] = [
    {"plane": 0},
    {"plane": [1080]},
    {"frame_rate": "0 Hz"},
    {"frame_rate": "1 parsec"},
    {"signs": "three-shot"},
    {"signs": {"scheme": "reference", "frames": 0}},
    {"light": 0},
    {"along": []},
    {"optical": ["attention"]},
    {"camera": {"exposur": "1 ms"}},
    {"host": {"peak": {}}},
    {"preset": "dlp7000"},
    {"linear": "both"},
]


@pytest.mark.parametrize("figures", RIGHT, ids=json.dumps)
def test_schema_and_reader_take_what_is_right(
    figures: dict[str, Any], validator: Draft202012Validator
) -> None:
    validator.validate(with_device(**figures))
    from_mapping(with_device(**figures))


@pytest.mark.parametrize("figures", WRONG, ids=json.dumps)
def test_the_reader_refuses_what_is_wrong_and_so_does_the_schema(
    figures: dict[str, Any], validator: Draft202012Validator
) -> None:
    with pytest.raises(InputError):
        from_mapping(with_device(**figures))
    # A pattern of numbers cannot tell zero with a unit.
    if figures != {"frame_rate": "0 Hz"}:
        assert not validator.is_valid(with_device(**figures))


def test_bad_input_names_file_line_layer_and_limit(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"

    def told(figures: dict[str, Any]) -> str:
        path.write_text(json.dumps(with_device(**figures)), encoding="utf-8")
        with pytest.raises(InputError) as caught:
            api.place(api.load(path))
        return str(caught.value)

    rate = told({"frame_rate": "0 Hz"})
    assert "scenario.yaml:1:" in rate
    assert rate.endswith("nodes.light.device.frame_rate: expected more than 0, got '0 Hz'")
    bright = told({"light": "5 %"})
    for part in ("scenario.yaml:1:", "37.5 us", "227,324 photons", "20,000 electrons"):
        assert part in bright
    narrow = told({"plane": 36})
    for part in ("layer 'conv1'", "38x38", "the plane has 36x36"):
        assert part in narrow
    assert_fails(edgesim("check", path), 2, [narrow])


def test_a_run_needs_no_torch_and_gives_the_same_numbers_in_any_process(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(json.dumps(with_device(host="intel-i9-10940x")), encoding="utf-8")
    code = (
        "import json, sys\n"
        "from edgesim import api\n"
        f"result = api.run(api.load({str(path)!r}))\n"
        "told = result.recordings[0].latency_s.tolist(), result.summary['nodes']['light']\n"
        "print(json.dumps([*told, 'torch' in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    latency_s, node, torch = json.loads(done.stdout)
    here = api.run(api.load(path))
    assert latency_s == here.recordings[0].latency_s.tolist()
    assert node == here.summary["nodes"]["light"]
    assert not torch


def test_a_result_tells_joules_by_part_in_summary_console_and_page() -> None:
    scenario = from_mapping({**with_device(host="intel-i9-10940x"), "replications": 2})
    result = api.run(scenario)
    node = result.summary["nodes"]["light"]
    assert math.fsum(node["energy_by_part_j"].values()) == pytest.approx(node["energy_j"])
    assert "energy_by_part_j" not in result.summary["nodes"]["pi"]
    # The camera draws 100 W for as long as the run is.
    assert node["energy_by_part_j"]["camera"] == pytest.approx(100 * result.summary["simulated_s"])
    file = io.StringIO()
    console.show(result, Console(file=file, width=80, highlight=False))
    text = file.getvalue()
    assert max(map(len, text.split("\n"))) <= 80
    (line,) = [line for line in text.split("\n") if line.split()[:1] == ["camera"]]
    shown = run_page.page(result.summary, columns(result.recordings), result.recordings[0].spans)
    assert line.split()[1:3] == joules(node["energy_by_part_j"]["camera"]).split()
    assert f"<td>{joules(node['energy_by_part_j']['camera'])}</td>" in shown
