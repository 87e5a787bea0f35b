"""What is wrong with a study is told before anything runs: where, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.sweep.reader import load
from tests.edgesim.command import FIVE_PIS, ROOT

BASE = f"base: {FIVE_PIS}\n"


def told(folder: Path, text: str) -> str:
    path = folder / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        load(path)
    return str(raised.value).replace(str(folder), "").replace(str(FIVE_PIS), "BASE")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Key paths
        ("axes: {traffic.rat: [1/s]}",
         "/study.yaml:2:8: traffic.rat: unknown key 'rat' (did you mean 'rate'?)"),
        ("axes:\n  nodes.pi.count: [2]\n  trafic.rate: [1/s]",
         "/study.yaml:4:3: trafic.rate: no key 'trafic' here (did you mean 'traffic'?)"),
        ("axes: {placement.submodel: [2]}",
         "/study.yaml:2:8: placement.submodel: unknown key 'submodel' (did you mean 'submodels'?)"),
        ("axes: {nodes.pi.device.peak: [1]}", "/study.yaml:2:8: nodes.pi.device.peak: "
         "nodes.pi.device is 'raspberry-pi-4b', which has no 'peak'"),
        ("axes: {a..b: [1]}", "/study.yaml:2:8: a..b: expected a key path, as in traffic.rate"),
        # Values
        ("axes: {traffic.rate: [1/s, 2 W]}", "/study.yaml:2:8: traffic.rate: 'W' is no unit"),
        ("axes: {nodes.pi.count: [2, 2.5]}", "expected an integer, got 2.5"),
        ("axes: {nodes.pi.count: {from: 1, to: 2, steps: 3}}", "expected an integer, got 1.5"),
        ("axes: {nodes.pi.count: {from: 0, to: 9}}", "expected at least 1, got 0"),
        ("axes: {traffic.rate: {from: 1/s, to: 2 W, steps: 2}}",
         "/study.yaml:2:38: axes.traffic.rate.to: expected a unit like that of 'from', '/s'"),
        ("axes: {traffic.rate: {from: 1/s, to: 2/s, step: 2}}",
         "/study.yaml:2:43: axes.traffic.rate.step: unknown key 'step' (did you mean 'steps'?)"),
        ("axes: {traffic.rate: {from: 1/s}}", "expected a value for 'to', which is not given"),
        ("axes: {traffic.rate: {from: 1/s, to: 2/s}}",
         "/study.yaml:2:22: axes.traffic.rate: expected 'steps', without which a grid has no end"),
        ("axes: {traffic.rate: {from: 1/s, to: 2/s, steps: 0}}", "expected at least 1, got 0"),
        ("axes: {traffic.rate: 1/s}", "expected a list of values, or {from: …, to: …, steps: …}"),
        ("axes: {nodes.hub.device: [raspberry-pi-5, raspberry-pi-6]}",
         "/study.yaml:2:8: nodes.hub.device: no device is named 'raspberry-pi-6' (did you mean"),
        # Wrong beside every value of the other axis, and beside one of them only.
        ("axes: {placement.submodels: [5, 50], model.classes: [10, 20]}",
         "/study.yaml:2:8: placement.submodels: expected at most 10, one for each class, got 50"),
        ("axes: {placement.submodels: [5, 50], model.classes: [10, 100]}", None),
        ("axes: {nodes.hub.device: [raspberry-pi-6]}",
         "/study.yaml:2:8: nodes.hub.device: no device is named 'raspberry-pi-6' (did you mean"),
        # Empty grids
        ("axes: {}", "/study.yaml:2:7: axes: expected key paths of the scenario"),
        ("axes: []", "/study.yaml:2:7: axes: expected key paths of the scenario"),
        ("", "expected key paths of the scenario and their values, got none"),
        ("axes: {traffic.rate: []}", "axes.traffic.rate: expected at least one value, got an"),
        ("axes: [{}]", "axes.0: expected a mapping of key paths to values, got a mapping"),
        ("points: []", "/study.yaml:2:9: points: expected 'points': at least one"),
        ("combine: list", "expected 'points': at least one mapping of key paths to values"),
        # What goes together
        ("axes: {traffic.rate: [1/s], nodes.pi.count: [2, 3]}\ncombine: zip",
         "axes.nodes.pi.count: goes with 'traffic.rate', which has 1 values; got 2"),
        ("axes: [{traffic.rate: [1/s]}, {traffic.rate: [2/s]}]",
         "axes.1.traffic.rate: is an axis already"),
        ("axes: {traffic.rate: [1/s]}\ncombine: gird", "expected one of grid, zip, random, list"),
        ("axes: {traffic.rate: [1/s]}\ncombine: {kind: grid, count: 3}",
         "/study.yaml:3:23: combine.count: 'count' belongs to random, not to grid"),
        ("axes: {traffic.rate: [1/s]}\npoints: [{traffic.rate: 1/s}]", "points: go with"),
        # What is kept
        ("axes: {traffic.rate: [1/s]}\nkeep: [latency_s.mean, latency_s.p98]",
         "/study.yaml:3:24: keep.1: no result is named 'latency_s.p98' (did you mean"),
        ("axes: {traffic.rate: [1/s]}\nkeep: [latency_s.mean, latency_s.mean]",
         "keep.1: 'latency_s.mean' is in the list already"),
        ("axes: {traffic.rate: [1/s]}\nkeep: []", "keep: expected at least one result, got none"),
        ("axes: {traffic.rate: [1/s]}\nkeep: [nodes.hbu.utilization]",
         "none of nodes is named 'hbu' (did you mean 'hub'?)"),
        ("axes: {traffic.rate: [1/s]}\nkeep: [nodes.pi-12.utilization]", None),
        ("axes: {replications: [1, 2]}\nkeep: [replications]", "'replications' is the axis 1"),
        # Searches
        ("axes: {traffic.rate: [1/s]}\noptimize: {trials: 3}",
         "expected something to 'minimize' or to 'maximize'"),
        ("axes: {traffic.rate: [1/s]}\noptimize: {minimize: latency}", "no result is named"),
        ("axes: {traffic.rate: [1/s]}\noptimize: {minimize: plan.bottleneck}",
         "'plan.bottleneck' is text, which is neither small nor large"),
        ("axes: {traffic.rate: [1/s]}\noptimize: {minimize: latency_s.mean, "
         "subject_to: latency_s.p99 < 2 J}", "'J' is no unit of time"),
        ("axes: {traffic.rate: [1/s]}\noptimize: {minimize: latency_s.mean, "
         "subject_to: latency_s.p99}", "expected a bound such as 'latency_s.p99 < 2 s'"),
        ("axes: {traffic.rate: [1/s]}\ncombine: zip\noptimize: {minimize: latency_s.mean}",
         "combine: a search chooses its points itself"),
        # The file
        ("axis: {traffic.rate: [1/s]}", "/study.yaml:2:1: axis: unknown key 'axis' (did you mean"),
        ("axes: {traffic.rate: [1/s]}\nseed: -1", "/study.yaml:3:7: seed: expected at least 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(
    tmp_path: Path, text: str, message: str | None
) -> None:
    if message is None:
        # Right: what only another point may have, or an error of its own row.
        path = tmp_path / "study.yaml"
        path.write_text(BASE + text)
        load(path)
        return
    assert message in told(tmp_path, BASE + text)


def test_every_wrong_value_of_every_axis_is_reported_at_once(tmp_path: Path) -> None:
    axes = (
        "model.precision: [fp32, fp16, bin], recovery.standby: [[], [pi-0], [pi-7]], "
        "nodes.pi.device: [raspberry-pi-4b, pi-9, pi-10], traffic.requests: {from: 1, to: 2000}"
    )
    assert told(tmp_path, f"{BASE}axes: {{{axes}}}").splitlines() == [
        "BASE:13:30: baselines.1: 'raspberry-pi-4b' does not compute in fp16; it has fp32, int8; "
        "give {device: …, precision: …} (where model.precision is fp16)",
        "/study.yaml:2:8: model.precision: expected one of fp64, fp32, tf32, fp16, bf16, fp8, "
        "int8, int4, got 'bin'",
        "/study.yaml:2:44: recovery.standby.0: no node is named 'pi-7'",
        *(
            f"/study.yaml:2:84: nodes.pi.device: no device is named '{name}'; "
            "`edgesim devices` lists what there is"
            for name in ("pi-9", "pi-10")
        ),
    ]


def test_the_last_value_of_a_long_axis_is_checked(tmp_path: Path) -> None:
    message = told(tmp_path, BASE + "axes: {traffic.warmup: {from: 0, to: 1000}}")
    assert "/study.yaml:2:8: traffic.warmup: a warmup of 1,000 leaves nothing" in message


def test_every_row_of_a_list_is_checked_as_it_is_written(tmp_path: Path) -> None:
    rows = "[{model.classes: 11, placement.submodels: 11}, {placement.submodels: 11}]"
    message = told(tmp_path, f"{BASE}points: {rows}")
    assert message.startswith("/study.yaml:2:30: placement.submodels: expected at most 10, one")
    (tmp_path / "cluster.yaml").write_text(FIVE_PIS.read_text() + "recovery: {standby: [pi-4]}\n")
    message = told(tmp_path, "base: cluster.yaml\npoints: [{seed: 1}, {nodes.pi.count: 4}]")
    assert message == "/cluster.yaml:14:22: recovery.standby.0: no node is named 'pi-4' (point 1)"


def test_a_scenario_is_no_study(tmp_path: Path) -> None:
    message = told(tmp_path, FIVE_PIS.read_text())
    assert "this is a scenario; a study names one as 'base', and has 'axes'" in message


def test_what_is_wrong_with_the_base_is_told_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(FIVE_PIS.read_text().replace("rate:", "rat:"))
    message = told(tmp_path, "base: cluster.yaml\naxes: {nodes.pi.count: [5]}")
    assert "/cluster.yaml:12:30: traffic.rat: unknown key 'rat'" in message
    assert "does not exist" in told(tmp_path, "base: custer.yaml\naxes: {nodes.pi.count: [5]}")
    inline = told(tmp_path, "base: {model: {name: resnet18}}\naxes: {model.classes: [5]}")
    assert "/study.yaml:1:7: expected a value for 'traffic', which is not given" in inline


def test_settings_change_the_base(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(BASE + "axes: {nodes.pi.count: [5]}\nseed: 12\nreplications: 3")
    scenario = load(path, ["traffic.requests=10"]).scenario(0)
    assert (scenario.traffic.requests, scenario.seed, scenario.replications) == (10, 12, 3)
    with pytest.raises(
        InputError, match=r"--set traffic\.request=10: traffic\.request: unknown key"
    ):
        load(path, ["traffic.request=10"])


def test_every_point_has_the_same_seed_and_its_own_values(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(BASE + "axes: {nodes.pi.count: [5, 6], traffic.rate: [1/s, 2/s]}")
    study = load(path)
    scenarios = [study.scenario(point) for point in range(study.size)]
    assert {one.seed for one in scenarios} == {7}
    assert [one.traffic.rate_per_s for one in scenarios] == [1.0, 2.0, 1.0, 2.0]
    assert [len(one.cluster.nodes) for one in scenarios] == [6, 6, 7, 7]


def test_studies_of_artifacts_keep_accuracy(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    base = ROOT / "examples" / "fashion-five-pis.yaml"
    path.write_text(f"base: {base}\naxes: {{traffic.rate: [1/s]}}")
    assert "accuracy.top1" in [one.column.name for one in load(path).results]
    path.write_text(BASE + "axes: {traffic.rate: [1/s]}")
    assert "accuracy.top1" not in [one.column.name for one in load(path).results]


def test_a_study_is_what_it_says_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    text = FIVE_PIS.read_text().replace("rate: 0.5/s, requests: 1000", "file: times.txt")
    (tmp_path / "deeper" / "base.yaml").write_text(text.replace("poisson", "trace"))
    (tmp_path / "deeper" / "times.txt").write_text("0.5\n1.5\n")
    path = tmp_path / "study.yaml"
    path.write_text("base: deeper/base.yaml\naxes: {nodes.pi.count: [5]}")
    study = load(path)
    assert study.scenario(0).traffic.times_s == (0.5, 1.5)
    before: Any = study.meta().fingerprint
    (tmp_path / "deeper" / "times.txt").write_text("0.5\n1.75\n")
    assert load(path).meta().fingerprint != before
