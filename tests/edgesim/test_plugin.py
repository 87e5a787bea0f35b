"""The four extension points, by the package of examples/plugin, and what a wrong one is told."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests import needs
from tests.edgesim.command import COMMAND, environment
from tests.edgesim.plugin import install, install_example

SCENARIO: dict[str, Any] = {
    "model": {"name": "vit_tiny_patch16_224", "classes": 10},
    "placement": {"strategy": "first-node"},
    "nodes": {"slow": {"device": {"kind": "metronome", "beat": "20 ms", "power": "3 W"}}},
    "traffic": {"arrivals": "bursts", "rate": "0.01/s", "burst": 4, "requests": 400},
}
"""Bursts of four are 400 s apart: their latencies are 20, 40, 60 and 80 ms."""
STUDY = {
    "name": "bursts", "base": SCENARIO, "axes": {"traffic.burst": [1, 2, 4]},
    "keep": ["tail_ratio", "latency_s.mean"],
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages with the example in it, and a scenario and a study that need it."""
    install_example(tmp_path)
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(SCENARIO))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def play(site: Path, *arguments: str, before: tuple[str, ...] = ()) -> Any:
    return subprocess.run(
        [*before, *COMMAND, *arguments],
        cwd=site, env=environment(site), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_all_four_play_in_a_run(site: Path) -> None:
    done = play(site, "run", "scenario.yaml", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["latency_s"]["mean"] == pytest.approx(0.05)
    assert found["tail_ratio"] == pytest.approx(0.08 / 0.04)
    # 400 executions of 20 ms, and 3 W between them too.
    assert found["energy_j"]["total"] == pytest.approx(3.0 * found["simulated_s"])
    assert found["nodes"]["slow"]["utilization"] == pytest.approx(8.0 / found["simulated_s"])
    assert "Tail / median 2.00" in play(site, "run", "scenario.yaml").stdout


@pytest.mark.parametrize("how", ["alone", "workers", "mpi"])
def test_all_four_play_in_a_study(site: Path, how: str) -> None:
    ranks = (needs.MPI.require(), "-n", "2") if how == "mpi" else ()
    more = ("--workers", "2") if how == "workers" else ()
    done = play(site, "sweep", "study.yaml", "--out", "out", *more, before=ranks)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((site / "out" / "table.csv").read_text().splitlines()))
    assert [int(row["traffic.burst"]) for row in rows] == [1, 2, 4]
    # Of a burst of b the mean is (b + 1) / 2 beats, the 99th percentile b, the median b / 2.
    means = [float(row["latency_s.mean"]) for row in rows]
    assert means == pytest.approx([0.02, 0.03, 0.05])
    assert [float(row["tail_ratio"]) for row in rows] == pytest.approx([1.0, 2.0, 2.0])


def test_editors_know_the_keys_and_the_names(site: Path) -> None:
    schema = json.loads(play(site, "schema").stdout)
    validator = Draft202012Validator(schema)
    validator.validate(SCENARIO)
    wrong = {**SCENARIO, "traffic": {**SCENARIO["traffic"], "burst": 0}}
    assert not validator.is_valid(wrong)
    other = {"arrivals": "poisson", "rate": "1/s", "requests": 3, "burst": 4}
    assert not validator.is_valid({**SCENARIO, "traffic": other})
    described = schema["$defs"]["TrafficSpec"]["properties"]["burst"]["description"]
    assert described == "bursts: number of requests that arrive at once"
    result = json.loads(play(site, "schema", "--result").stdout)
    assert result["properties"]["tail_ratio"]["description"].startswith("99th percentile of")


def test_a_key_of_another_process_is_told(site: Path) -> None:
    settings = ("--set", "traffic.arrivals=poisson")
    done = play(site, "check", "scenario.yaml", *settings)
    assert done.returncode == 2
    assert "traffic.burst: 'burst' belongs to bursts, not to poisson" in done.stderr


MISTAKES = """
from dataclasses import dataclass
from typing import Literal
from edgesim.common.validation import spec
from edgesim.results.metrics import Metric
from edgesim.simulate import Traffic
import numpy as np

def fail(run):
    raise ZeroDivisionError("by nothing")

raises = Metric("mine", "", "Mine.", fail)
nan = Metric("mine", "", "Mine.", lambda run: float("nan"))
text = Metric("mine", "", "Mine.", lambda run: "three")
taken = Metric("latency_s", "s", "Mine.", lambda run: 1.0)
dotted = Metric("a.b", "", "Mine.", lambda run: 1.0)
number = 3

@spec
@dataclass(frozen=True, kw_only=True)
class Backward(Traffic):
    arrivals: Literal["backward"] = "backward"

    def times(self, generator):
        return -np.arange(self.requests, dtype=float)
"""


@pytest.mark.parametrize(
    ("group", "name", "value", "status", "told"),
    [
        ("metrics", "m", "raises", 1,
         "metric 'm' (mistakes:raises): expected a finite number or None, got ZeroDivisionError: "
         "by nothing"),
        ("metrics", "m", "nan", 1, "metric 'm' (mistakes:nan): expected a finite number or None, "),
        ("metrics", "m", "text", 1,
         "metric 'm' (mistakes:text): expected a finite number or None, got 'three'"),
        ("metrics", "m", "taken", 2,
         "metric 'm' (mistakes:taken): summary.json has a 'latency_s' already; give the metric "
         "another name"),
        ("metrics", "summary", "nan", 2, "metric 'summary' is registered twice, as mistakes:nan "
         "and by edgesim itself"),
        ("metrics", "m", "dotted", 2, "metric 'm' (mistakes:dotted): expected an edgesim."),
        ("metrics", "m", "number", 2, "metric 'm' (mistakes:number): expected an edgesim."),
        ("metrics", "m", "absent", 2, "metric 'm' is registered as mistakes:absent, which cannot"),
        ("arrivals", "closed", "Backward", 2, "arrival process 'closed' is registered twice"),
        ("arrivals", "backward", "number", 2, "'backward' is registered as mistakes:number, expec"),
        ("arrivals", "backward", "Backward", 1,
         "arrival process 'backward': expected 3 finite ascending times of at least 0, got"),
    ],
)  # fmt: skip
def test_a_wrong_plug_in_is_told_in_one_message(
    tmp_path: Path, group: str, name: str, value: str, status: int, told: str
) -> None:
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    install(tmp_path, "mistaken", {f"edgesim.{group}": {name: f"mistakes:{value}"}})
    arrivals = name if group == "arrivals" else "closed"
    scenario = {
        **SCENARIO,
        "placement": {"strategy": "single"},
        "nodes": {"pi": {"device": "raspberry-pi-5"}},
        "traffic": {"arrivals": arrivals, "requests": 3},
    }
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    done = play(tmp_path, "run", "scenario.yaml", "--out", "out")
    assert done.returncode == status, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
