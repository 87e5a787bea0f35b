"""Random scenarios, from file to folder and back: nothing is lost, and runs repeat to the byte."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim import api
from edgesim.report import folder
from edgesim.results.result import Result
from tests.edgesim.scenario.strategies import scenarios


def play(data: Mapping[str, Any], directory: Path) -> Result:
    """Run a scenario from a file, and write its folder."""
    file = directory / "c.yaml"
    file.write_text(yaml.safe_dump(dict(data), sort_keys=False))
    result = api.run(api.load(file), trace_requests=3)
    folder.write(result, directory / "out")
    return result


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_conserved(result: Result, out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    requests, energy = summary["requests"], summary["energy_j"]
    offered = result.scenario.traffic.requests * result.scenario.replications
    assert requests["offered"] == offered
    outcomes = ("completed", "degraded", "failed", "dropped")
    assert sum(requests.get(outcome, 0) for outcome in outcomes) == offered
    table = rows(out / "requests.csv")
    for outcome in outcomes:
        assert sum(row["outcome"] == outcome for row in table) == requests.get(outcome, 0)
    deadline_s = result.scenario.traffic.deadline_s
    late = [row for row in table if float(row["latency_s"] or 0.0) > (deadline_s or math.inf)]
    assert requests.get("late", 0) == len(late)
    parts = [*energy["nodes"].values(), *energy["links"].values()]
    assert math.fsum(parts) == pytest.approx(energy["total"], rel=1e-12, abs=1e-300)
    assert energy["total"] >= math.fsum(one["idle_j"] for one in summary["nodes"].values()) - 1e-9
    for row in table:
        if row["latency_s"]:
            path = [float(row[f"{part}_s"]) for part in ("queue", "compute", "transfer", "fusion")]
            assert min(path) >= 0.0
            # A sum of four differences of times: off by a few roundings of the clock.
            clock = float(row["arrival_s"]) + float(row["latency_s"])
            assert math.fsum(path) == pytest.approx(
                float(row["latency_s"]), rel=1e-9, abs=1e-13 * (1 + clock)
            )
    mean, breakdown = summary["latency_s"]["mean"], summary["breakdown_s"]
    if mean is not None:
        assert math.fsum(breakdown.values()) == pytest.approx(mean, rel=1e-9, abs=1e-12)


def assert_bytes_arrive(result: Result) -> None:
    """Check that links carried what the plan sends, once for each link on the way."""
    scenario, plan = result.scenario, result.plan
    nodes, network = scenario.cluster.nodes, scenario.cluster.network
    if any(node.faults or node.queue.drops for node in nodes.values()):
        return
    sent = set()
    for branch in plan.branches:
        placed = {task.name: task.node for task in branch.tasks}
        total = 0.0
        for one in branch.transfers:
            ends = [
                placed[name] if name is not None else plan.input_node
                for name in (one.source, one.target)
            ]
            if ends[0] != ends[1]:
                total += one.bytes * len(network.route(*ends) or ())
        sent.add(total)
    if len(sent) > 1:
        return
    expected = sent.pop() * scenario.traffic.samples * scenario.traffic.requests
    carried = math.fsum(link["bytes"] for link in result.summary["links"].values())
    assert carried == pytest.approx(expected, rel=1e-6)


@settings(max_examples=60)
@given(data=scenarios())
def test_random_scenarios_conserve_and_repeat(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        result = play(data, directory)
        out = directory / "out"
        assert_conserved(result, out)
        assert_bytes_arrive(result)
        again = api.run(api.load(out / "scenario.yaml"), trace_requests=3)
        folder.write(again, directory / "again")
        for file in ("requests.csv", "tasks.csv", "scenario.yaml", "trace.json"):
            assert (directory / "again" / file).read_bytes() == (out / file).read_bytes()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1 s", "-1 s", "raspberry-pi-5", "hub", "pi-0", "t0", "n0", "1 GB"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                               max_size=3),
    max_leaves=5,
)  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, inner in entries:
        found += paths(inner, (*path, key))
    return found


@settings(max_examples=150)
@given(data=scenarios(), draw=st.data())
def test_broken_scenarios_are_told_or_placed(data: dict[str, Any], draw: st.DataObject) -> None:
    from edgesim.common.errors import InputError
    from edgesim.scenario import from_mapping

    for _ in range(draw.draw(st.integers(1, 2))):
        *way, last = draw.draw(st.sampled_from(paths(data)))
        here = data
        for key in way:
            here = here[key]
        here[last] = draw.draw(JUNK)
    try:
        scenario = from_mapping(data)
        api.place(scenario)
    except InputError:
        return
