"""What is kept of a run, held to the summary that it is of."""

from __future__ import annotations

import json
import statistics
from functools import cache
from typing import Any

import pytest

from edgesim import api
from edgesim.common.errors import InputError
from edgesim.sweep.pool import PointSimulator, Task
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.results import DEFAULT, result_column
from tests.edgesim.command import FIVE_PIS


@cache
def summary() -> Any:
    scenario = api.load(FIVE_PIS, overrides=["traffic.requests=40"])
    return api.run(scenario, trace_requests=0).summary


def numbers(value: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from numbers(one, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def test_every_default_is_a_number_of_the_summary() -> None:
    for name in DEFAULT:
        assert isinstance(result_column(name).of(summary()), int | float), name


def test_single_numbers_are_those_of_the_summary() -> None:
    found = 0
    for path, value in numbers(summary()):
        if "best_batch" in path:
            continue  # no baseline is named so: checking the study refuses it
        try:
            one = result_column(".".join(path))
        except InputError:
            continue
        found += 1
        assert one.of(summary()) == value
    assert found > 60


def test_merged_numbers_are_those_of_all_nodes() -> None:
    nodes, links = summary()["nodes"].values(), summary()["links"].values()
    busy = [one["utilization"] for one in nodes]
    assert result_column("max(nodes.*.utilization)").of(summary()) == max(busy)
    assert result_column("min( nodes.*.utilization )").of(summary()) == min(busy)
    assert result_column("mean(nodes.*.utilization)").of(summary()) == statistics.fmean(busy)
    assert result_column("sum(links.*.bytes)").of(summary()) == sum(one["bytes"] for one in links)
    assert result_column("max(nodes.*.max_queue)").of(summary()) == max(
        one["max_queue"] for one in nodes
    )
    assert result_column("count(nodes)").of(summary()) == 6
    assert result_column("count(links)").of(summary()) == 6
    joules = json.loads(json.dumps(summary()))["energy_j"]["nodes"]
    assert result_column("max(energy_j.nodes.*)").of(summary()) == max(joules.values())
    assert result_column("energy_j.nodes.pi-3").of(summary()) == joules["pi-3"]


def test_intervals_and_warnings_are_columns() -> None:
    assert {"mean", "p99.9"} <= summary()["confidence_95"].keys()
    given = {"confidence_95": {"mean": [1.0, 2.0], "p99.9": None}}
    assert result_column("confidence_95.mean.low").of(given) == 1.0
    assert result_column("confidence_95.mean.high").of(given) == 2.0
    assert result_column("confidence_95.p99.9.low").of(given) is None
    assert result_column("confidence_95.mean.low").column.unit == "s"
    assert result_column("warnings").of({"warnings": ["one", "two"]}) == "one; two"
    assert result_column("warnings").of({"warnings": []}) is None
    assert result_column("count(warnings)").of({"warnings": ["one", "two"]}) == 2


def test_columns_tell_their_kind_and_unit() -> None:
    units = {
        "latency_s.p99.9": "s", "throughput_per_s": "/s", "energy_j.per_request": "J",
        "nodes.pi-0.memory_bytes": "B", "max(nodes.*.utilization)": "", "breakdown_s.queue": "s",
        "energy_j.nodes.hub": "J", "sum(links.*.bytes)": "B", "plan.capacity_per_s": "/s",
        "baselines.x.energy_j_per_request": "J", "baselines.x.latency_s": "s",
    }  # fmt: skip
    assert {name: result_column(name).column.unit for name in units} == units
    assert result_column("plan.bottleneck").column.kind == "text"
    assert result_column("plan.bottleneck").of(summary()) == "pi-0"
    assert result_column("nodes.hub.device").of(summary()) == "raspberry-pi-5"
    assert result_column("requests.failed").column.integer
    assert not result_column("latency_s.mean").column.integer
    assert not result_column("mean(nodes.*.max_queue)").column.integer


def test_what_a_run_does_not_have_is_nothing() -> None:
    assert result_column("accuracy.top1").of(summary()) is None
    assert result_column("nodes.pi-9.utilization").of(summary()) is None
    assert result_column("mlperf.value").of(summary()) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency_s.p98", "no result is named 'latency_s.p98' (did you mean 'latency_s.p9"),
        ("latency", "no result is named 'latency'"),
        ("nodes.pi-0.utilisation", "'utilisation' is nothing that nodes have (did you mean"),
        ("nodes.*.utilization", "'*' goes with max, min, mean or sum, as in max(nodes.*"),
        ("max(nodes.pi-0.utilization)", "expected max of all entries"),
        ("max(nodes.*.device)", "'device' is no number of nodes"),
        ("max(nodes.*.load)", "'load' is no number of nodes"),
        ("max(energy_j.nodes.*.x)", "'x' is no number of energy_j.nodes"),
        ("count(baselines)", "expected count(nodes), count(links) or count(warnings)"),
        ("wall_s", "differs between runs of the same scenario"),
        ("", "no result is named ''"),
    ],
)
def test_what_no_run_has_is_told(text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        result_column(text)
    assert message in str(raised.value)


BOARD = {
    "model": {"name": "resnet18"},
    "placement": {"strategy": "single", "nodes": ["a"]},
    "nodes": {"a": {"device": "raspberry-pi-4b"}},
    "traffic": {"arrivals": "periodic", "rate": "0.1/s", "requests": 5},
}


def test_ranges_of_a_study_are_those_of_a_run() -> None:
    base = {"base": BOARD, "axes": {"traffic.requests": [5]}}
    study = from_mapping({**base, "range": True})
    names = ["point", *(one.name for one in study.columns), "error"]
    row = dict(zip(names, PointSimulator(study).row(Task(0)), strict=True))
    found = api.run(api.load(BOARD), ranges=True).summary["range_90"]
    assert row["error"] is None
    ends = [row[f"range_90.latency_s.p99.{end}"] for end in ("low", "high")]
    assert ends == found["latency_s"]["p99"]
    assert row["range_90.energy_j.per_request.low"] == found["energy_j"]["per_request"][0]
    with pytest.raises(InputError, match="needs 'range: true' beside 'keep'"):
        from_mapping({**base, "keep": ["range_90.throughput_per_s.low"]})
