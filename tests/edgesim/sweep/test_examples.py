"""The studies that lie in examples: each is read, and says what it is there to say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from edgesim.sweep.pool import PointSimulator, Task
from edgesim.sweep.reader import from_mapping, load
from edgesim.sweep.run import run_study
from tests import needs
from tests.edgesim.command import ROOT, assert_fails, document, edgesim

EXAMPLES = ROOT / "examples"
STUDIES = [
    path for path in sorted(EXAMPLES.glob("*.yaml")) if "base" in yaml.safe_load(path.read_text())
]


def test_there_are_studies() -> None:
    assert [path.stem for path in STUDIES] == [
        "fewest-pis-study", "five-pis-study", "sweep-of-a-sweep",
    ]  # fmt: skip


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_is_right(path: Path) -> None:
    study = load(path)
    assert study.name == path.stem
    if study.aims is None:
        *_, error = PointSimulator(study).row(Task(0))
        assert error is None


def test_two_hundred_points_of_five_pis() -> None:
    assert load(EXAMPLES / "five-pis-study.yaml").size == 200


@needs.OPTUNA.mark
def test_the_search_finds_what_all_points_have() -> None:
    content = yaml.safe_load((EXAMPLES / "fewest-pis-study.yaml").read_text())
    less = ["traffic.requests=100"]
    found = run_study(from_mapping(content, less, folder=EXAMPLES))
    aims = content.pop("optimize")
    content["keep"] += ["latency_s.p99"]
    # Of the points that the search could choose: those of a kind of Pi that the front has.
    content["axes"]["nodes.pi.device"] = ["raspberry-pi-5"]
    content["axes"]["nodes.hub.device"] = ["raspberry-pi-5"]
    every = run_study(from_mapping(content, less, folder=EXAMPLES))
    assert len(every) == 9 * 6
    assert aims["subject_to"] == ["latency_s.p99 < 500 ms", "energy_j.per_request < 100 J"]
    count, p99_s, joules = (
        np.asarray(every.values[name], float)
        for name in ("nodes.pi.count", "latency_s.p99", "energy_j.per_request")
    )
    within = (p99_s < 0.5) & (joules < 100.0)
    best = {number: p99_s[within & (count == number)].min() for number in np.unique(count[within])}
    front = [
        (number, latency_s)
        for number, latency_s in best.items()
        if all(latency_s < best[fewer] for fewer in best if fewer < number)
    ]
    rows = [found.row(int(index)) for index in np.flatnonzero(found.pareto())]
    assert {(row["nodes.pi.count"], row["latency_s.p99"]) for row in rows} == set(front)


def test_few_ranks_on_paper_are_always_busy() -> None:
    content = yaml.safe_load((EXAMPLES / "sweep-of-a-sweep.yaml").read_text())
    (axes,) = content["axes"]
    content["axes"] = [{key: [values[0], values[2]] for key, values in axes.items()}]
    one, ten = run_study(from_mapping(content, ["traffic.requests=2000"], folder=EXAMPLES)).rows()
    # A rank that always has a chunk answers 1 / 0.2 s of them, whatever their spread.
    assert one["throughput_per_s"] == pytest.approx(5.0, rel=0.01)
    assert ten["throughput_per_s"] == pytest.approx(50.0, rel=0.02)


def test_points_of_examples_are_the_product_of_their_axes() -> None:
    study = load(EXAMPLES / "five-pis-study.yaml")
    rates = np.geomspace(0.1, 3.0, 40)
    expected = itertools.product(rates, [1, 2, 3, 4, 6])
    for point, (rate, heads) in enumerate(expected):
        first, second = study.points.at(point)
        assert first is not None
        assert second is not None
        assert first.cell == pytest.approx(rate, rel=1e-11)
        assert second.cell == heads


def test_the_schema_of_studies_takes_the_examples_and_no_mistakes() -> None:
    schema = json.loads(edgesim("schema", "--study").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for path in STUDIES:
        assert not list(validator.iter_errors(yaml.safe_load(path.read_text()))), path
    axes = {"traffic.rate": {"from": "1/s", "to": "2/s", "steps": 3}}
    right = {"base": "base.yaml", "axes": axes, "combine": {"kind": "random", "count": 3}}
    assert validator.is_valid(right)
    assert validator.is_valid({**right, "axes": [axes], "combine": "zip"})
    for wrong in (
        {"axes": axes}, {**right, "axis": axes}, {**right, "combine": "cross"},
        {**right, "axes": {"traffic.rate": {"from": 1, "to": 2, "step": 3}}},
        {**right, "axes": {"traffic.rate": []}}, {**right, "keep": "latency_s.p99"},
        {**right, "optimize": {"minimise": ["latency_s.p99"]}},
    ):  # fmt: skip
        assert not validator.is_valid(wrong), wrong


def test_a_study_is_checked_without_being_run(tmp_path: Path) -> None:
    path = EXAMPLES / "five-pis-study.yaml"
    done = edgesim("check", path, "--json", cwd=tmp_path)
    found = document(done.stdout)
    assert (found["study"], found["points"]) == ("five-pis-study", 200)
    assert found["axes"] == [
        {"name": "traffic.rate", "unit": "/s", "values": 40, "first": 0.1, "last": 3.0},
        {"name": "placement.heads", "unit": "", "values": 5, "first": 1, "last": 6},
    ]
    first_point = ("--set", "traffic.rate=0.1/s", "--set", "placement.heads=1")
    first = document(edgesim("check", EXAMPLES / "five-pis.yaml", "--json", *first_point).stdout)
    assert found["first"] == first
    shown = edgesim("check", path, cwd=tmp_path).stdout
    assert "five-pis-study  is valid: 200 points" in shown
    assert "0.1/s" in shown
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_a_study_is_told_by_check(tmp_path: Path) -> None:
    content = yaml.safe_load((EXAMPLES / "five-pis-study.yaml").read_text())
    content["base"] = str(EXAMPLES / "five-pis.yaml")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**content, "keep": ["latency"]}))
    assert_fails(edgesim("check", path), 2, ["no result is named 'latency'"])
    path.write_text(yaml.safe_dump(content))
    assert_fails(edgesim("check", path, "--seed", "3"), 2, ["--seed is for a scenario"])
