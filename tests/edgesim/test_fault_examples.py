"""The examples of faults run as they stand, and each policy does what its example says."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgesim import api
from edgesim.report import folder
from tests.edgesim.command import ROOT, edgesim

FOLDER = ROOT / "examples" / "faults"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if "study" not in path.stem)


def played(name: str, *settings: str) -> dict[str, Any]:
    overrides = ["traffic.requests=3000", *settings]
    return dict(api.run(api.load(FOLDER / f"{name}.yaml", overrides=overrides)).summary)


@pytest.mark.parametrize("name", NAMES)
def test_examples_account_for_every_request(name: str) -> None:
    summary = played(name)
    requests, found = summary["requests"], summary["faults"]
    answered = requests["completed"] + requests["degraded"]
    assert answered + requests["failed"] == requests["offered"] == 3000
    assert sum(found["answered"].values()) == answered
    assert sum(found["reasons"].values()) == requests["failed"]
    assert found["availability"] == answered / 3000
    assert bool(summary["lost_parts"]) == bool(requests["degraded"])
    assert sum(summary["lost_parts"].values()) >= requests["degraded"]


def test_what_answers_go_without_is_on_the_console_and_on_the_page(tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = ("--set", "traffic.requests=3000", "--set", "baselines=[]", "--out", out)
    done = edgesim("run", FOLDER / "links.yaml", *settings)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    lost = summary["lost_parts"]
    kinds = {re.fullmatch(r"part-(\d) on pi-\1: (.*)", name)[2] for name in lost}  # type: ignore[index]
    assert kinds == {"no answer within 1.00 s"}
    text, page = " ".join(done.stdout.split()), (out / "report.html").read_text()
    for name, many in lost.items():
        assert f"{many:,} answered without a part: {name}" in text
        assert f"{many:,} answered without a part: {name}" in page


def test_a_standby_leaves_nothing_out_and_nothing_done_does() -> None:
    nothing, standby = played("none"), played("standby")
    assert standby["faults"]["whole"] == 1.0
    assert standby["faults"]["answered"]["standby"] > 0
    # Everything that the one leaves out, the other answers in full.
    lacking = nothing["requests"]["degraded"]
    assert lacking == standby["faults"]["answered"]["standby"]
    assert nothing["accuracy"]["top1"] < standby["accuracy"]["top1"]


def test_a_hedge_cuts_the_tail_and_costs_joules() -> None:
    hedged, alone = played("hedge"), played("hedge", "recovery={}")
    assert hedged["latency_s"]["p99"] < alone["latency_s"]["p99"] / 3
    assert hedged["faults"]["answered"]["hedge"] > 0
    assert hedged["faults"]["lost_j"] > 0.0 == alone["faults"]["lost_j"]


def test_heat_is_told_and_a_cool_board_keeps_its_speed() -> None:
    hot, cool = played("heat"), played("heat", "nodes.pi.ambient='15 °C'")
    assert hot["faults"]["nodes"]["pi"]["hottest_c"] == pytest.approx(80.0)
    assert cool["faults"]["nodes"]["pi"]["slow_s"] == 0.0
    assert hot["throughput_per_s"] < cool["throughput_per_s"]


def test_the_study_compares_the_policies(tmp_path: Path) -> None:
    text = (FOLDER / "policies-study.yaml").read_text()
    text = text.replace("../fashion-5", str(ROOT / "examples" / "fashion-5"))
    study = tmp_path / "study.yaml"
    study.write_text(text.replace("requests: 20000", "requests: 300"))
    done = edgesim("sweep", study, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "out" / "table.csv").read_text().splitlines()))
    assert len(rows) == 10
    assert not any(row["error"] for row in rows)
    for row in rows:
        assert 0.0 <= float(row["faults.whole"]) <= float(row["faults.availability"]) <= 1.0


def test_the_events_are_in_the_folder_and_on_the_page(tmp_path: Path) -> None:
    scenario = api.load(FOLDER / "none.yaml", overrides=["traffic.requests=3000"])
    result = api.run(scenario)
    written = folder.write(result, tmp_path / "out")
    rows = list(csv.DictReader((written / "faults.csv").read_text().splitlines()))
    record = result.recordings[0].faults
    assert record is not None
    assert [(float(row["time_s"]), row["target"], row["what"]) for row in rows] == [
        one[:3] for one in record.events
    ]
    page = (written / "report.html").read_text()
    whole = json.dumps(result.summary["faults"]["whole"])
    assert f"data-key=\"faults.whole\" data-value='{whole}'" in page
    # A result with this file is replaced like any other.
    assert folder.write(result, written) == written


def test_nothing_is_told_of_faults_where_nothing_can_fail(tmp_path: Path) -> None:
    scenario = api.load(ROOT / "examples" / "five-pis.yaml", overrides=["traffic.requests=100"])
    result = api.run(scenario)
    assert result.summary["faults"] is None
    written = folder.write(result, tmp_path / "out")
    assert not (written / "faults.csv").exists()
