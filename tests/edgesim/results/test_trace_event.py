"""The trace file against the rules of the trace-event format."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edgesim import api
from edgesim.results.result import Result
from edgesim.results.trace_event import trace_json
from edgesim.simulate import simulate
from tests.edgesim.cases import play, scenario
from tests.edgesim.simulate.models import at, cluster, link, node, plan, task

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def result() -> Result:
    return play()


@pytest.fixture(scope="module")
def events(result: Result) -> list[dict[str, Any]]:
    document = json.loads(trace_json(result.recordings[0], result.scenario.cluster))
    assert document["displayTimeUnit"] == "ms"
    found: list[dict[str, Any]] = document["traceEvents"]
    return found


def of(events: list[dict[str, Any]], phase: str) -> list[dict[str, Any]]:
    return [event for event in events if event["ph"] == phase]


def test_every_event_has_what_its_phase_needs(events: list[dict[str, Any]]) -> None:
    needed = {
        "M": {"name", "pid", "tid", "args"},
        "X": {"name", "cat", "pid", "tid", "ts", "dur"},
        "s": {"name", "cat", "id", "pid", "tid", "ts"},
        "f": {"name", "cat", "id", "pid", "tid", "ts", "bp"},
    }
    assert {event["ph"] for event in events} == set(needed)
    for event in events:
        assert needed[event["ph"]] <= set(event)
        assert event.get("dur", 0) >= 0


def test_every_track_is_named_after_its_node_or_link(events: list[dict[str, Any]]) -> None:
    named = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in of(events, "M")
        if event["name"] == "thread_name"
    }
    used = {(event["pid"], event["tid"]) for event in of(events, "X")}
    assert used == set(named)
    tracks = {name.split(" (")[0] for name in named.values()}
    assert {"a", "b", "a-switch →", "a-switch ←", "hub-switch →", "hub-switch ←"} <= tracks


def overlapping(text: str) -> tuple[int, int]:
    """Return how many slices begin before the one ahead of them on their thread ends, and of all.

    Times are decimal numbers with three places, as a reader that counts nanoseconds has them.
    """
    events = json.loads(text, parse_float=Decimal)["traceEvents"]
    threads = defaultdict(list)
    for event in of(events, "X"):
        threads[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    pairs = [pair for slices in threads.values() for pair in itertools.pairwise(sorted(slices))]
    return sum(start < end for (_, end), (start, _) in pairs), len(of(events, "X"))


def test_slices_of_one_thread_do_not_overlap(result: Result) -> None:
    text = trace_json(result.recordings[0], result.scenario.cluster)
    assert overlapping(text) == (0, 5 * 200)


def test_slices_of_the_readmes_run_do_not_overlap() -> None:
    """One flow ends as the next begins: durations rounded by themselves overlapped by 1 ns."""
    scenario = api.load(EXAMPLES / "five-pis.yaml")
    traffic = dataclasses.replace(scenario.traffic, requests=300)
    recording = simulate(api.place(scenario), scenario.cluster, traffic, seed=scenario.seed)
    overlaps, slices = overlapping(trace_json(recording, scenario.cluster))
    assert slices == 26 * 300
    assert overlaps == 0


def test_arrows_are_pairs_that_lie_in_slices(events: list[dict[str, Any]]) -> None:
    slices = defaultdict(list)
    for event in of(events, "X"):
        slices[event["pid"], event["tid"]].append(event)
    starts = {event["id"]: event for event in of(events, "s")}
    ends = {event["id"]: event for event in of(events, "f")}
    assert len(starts) == len(of(events, "s"))
    assert set(starts) == set(ends)
    # Two arrows a request: input to task, and task to answer.
    assert len(starts) == 2 * 200
    for event in [*starts.values(), *ends.values()]:
        around = [
            one
            for one in slices[event["pid"], event["tid"]]
            if one["ts"] - 0.002 <= event["ts"] <= one["ts"] + one["dur"]
        ]
        assert around
    for number, start in starts.items():
        assert start["ts"] <= ends[number]["ts"]


@pytest.mark.parametrize("name", ["a→b", "→", "input", "output", "a→b→c"])
def test_arrows_do_not_depend_on_what_a_task_is_called(name: str) -> None:
    """In and out of the task in the middle, and the same where the input is a transfer, too."""
    where = cluster(
        [node("n"), node("m")], [link("l", 1.0)], {("n", "m"): ["l"], ("m", "n"): ["l"]}
    )
    tasks = [task("a", "n", 1.0), task(name, "m", 1.0), task("c", "n", 1.0)]
    what = plan(tasks, [("a", name, 1.0), (name, "c", 1.0)])
    events = json.loads(trace_json(simulate(what, where, at(0.0), seed=0), where))["traceEvents"]
    slices = {event["tid"]: event["name"] for event in of(events, "X") if event["pid"] == 1}
    assert len(of(events, "s")) == len(of(events, "f")) == 4
    ends = sorted(event["ts"] for event in of(events, "f"))
    # On the link at the end of a, on m after a second, and so on.
    assert ends == [1e6, 2e6, 3e6, 4e6]
    assert set(slices.values()) <= {"a", name, "c"}


def test_slices_are_the_spans(result: Result, events: list[dict[str, Any]]) -> None:
    computed = [event for event in of(events, "X") if event["cat"] == "compute"]
    assert len(computed) == 200
    assert sum(event["dur"] for event in computed) == pytest.approx(200 * 2e6)
    moved = [event for event in of(events, "X") if event["cat"] == "transfer"]
    # Each transfer crosses two links.
    assert len(moved) == 2 * 2 * 200


def test_names_are_escaped() -> None:
    result = play(traffic=dataclasses.replace(scenario().traffic, requests=1))
    recording = result.recordings[0]
    spans = tuple(
        span._replace(task=span.task.replace("chain", 'a"\\b')) for span in recording.spans
    )
    text = trace_json(dataclasses.replace(recording, spans=spans), result.scenario.cluster)
    names = {event["name"] for event in json.loads(text)["traceEvents"]}
    assert 'a"\\b' in names
