"""The example with processes of a user: its governor and its operator against closed forms."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from math import log
from types import ModuleType

import numpy as np
import pytest

from edgesim import api
from edgesim.hardware.message import passage
from edgesim.results.result import Result
from edgesim.simulate.recording import Span
from tests.edgesim.command import ROOT


@pytest.fixture
def example() -> ModuleType:
    """Return the example as a module."""
    path = ROOT / "examples" / "own-process.py"
    spec = importlib.util.spec_from_file_location("own_process", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def played(example: ModuleType, process: str, *settings: str, images: int) -> Result:
    settings = (*settings, f"traffic.requests={images}")
    scenario = api.load(example.SCENARIO, overrides=settings)
    return api.run(scenario, trace_requests=images, processes=[getattr(example, process)])


def spans(result: Result, kind: str, node: str) -> list[Span]:
    return [one for one in result.recordings[0].spans if one.kind == kind and one.node == node]


def times(result: Result, what: Sequence[str]) -> list[float]:
    faults = result.recordings[0].faults
    assert faults is not None
    return [one.time_s for one in faults.events if one.what in what]


def test_the_governor_holds_a_busy_board_between_its_temperatures(example: ModuleType) -> None:
    # Images come faster than the board computes them, so it is busy from the first one on: its
    # temperature is a chain of exponentials, and the work is the integral of the speed.
    images = 600
    result = played(example, "governor", "traffic.rate=1/s", images=images)
    scenario = result.scenario
    device = scenario.cluster.nodes["board"].device
    graph = scenario.placement.model.graph
    assert graph is not None
    cost = device.graph_cost(graph, "fp32", 1)
    idle_w, full_w = device.power.idle_w, cost.power_w
    slow_w = idle_w + example.SLOW * (full_w - idle_w)

    def between_s(from_c: float, to_c: float, watts: float) -> float:
        steady_c = example.AMBIENT_C + example.RESISTANCE_K_W * watts
        return example.TIME_CONSTANT_S * log((from_c - steady_c) / (to_c - steady_c))

    cold_c = example.AMBIENT_C + example.RESISTANCE_K_W * idle_w
    heat_s = between_s(example.COOL_C, example.HOT_C, full_w)
    cool_s = between_s(example.HOT_C, example.COOL_C, slow_w)
    work_s = images * cost.time_s
    done_s = spent_s = between_s(cold_c, example.HOT_C, full_w)
    switches = [spent_s]
    while done_s < work_s:
        speed, takes_s = (example.SLOW, cool_s) if len(switches) % 2 else (1.0, heat_s)
        takes_s = min(takes_s, (work_s - done_s) / speed)
        done_s += takes_s * speed
        spent_s += takes_s
        switches.append(spent_s)
    assert len(switches) > 8
    computed = spans(result, "compute", "board")
    begin_s = computed[0].start_s
    assert computed[-1].end_s == pytest.approx(begin_s + spent_s, rel=1e-9)
    expected = [begin_s + one for one in switches[:-1]]
    assert times(result, ["governor"]) == pytest.approx(expected, rel=1e-9)
    assert times(result, ["slow", "restore"]) == times(result, ["governor"])
    # The energy of the work does not depend on its speed.
    recording = result.recordings[0]
    joules = idle_w * recording.simulated_s + (full_w - idle_w) * work_s
    assert recording.nodes["board"].energy_j == pytest.approx(joules, rel=1e-9)
    assert any("processes of your own" in text for text in result.summary["warnings"])


def test_images_of_the_night_share_the_radio_in_the_morning(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "HOUR_S", 60.0)
    evening_s, morning_s = 4 * 60.0, 12 * 60.0
    result = played(example, "operator", "traffic.rate=0.4/s", images=400)
    cluster = result.scenario.cluster
    sent = spans(result, "transfer", "gateway")
    size = result.plan.branches[0].transfers[0].bytes
    way = passage(cluster, "gateway", "board")
    starts_s = np.array([one.start_s for one in sent]) + way.before_s(size)
    ends_s = np.array([one.end_s for one in sent]) - way.after_s(size)
    alone_s = size / cluster.network.links["radio"].bandwidth_byte_s
    night = (starts_s >= evening_s) & (starts_s < morning_s)
    assert ends_s[starts_s < evening_s] == pytest.approx(starts_s[starts_s < evening_s] + alone_s)
    # All move at the capacity over their number, which grows by one with each later image.
    now_s, sharing, left_s = morning_s, int(night.sum()), alone_s
    assert sharing > 150
    for next_s in starts_s[starts_s >= morning_s]:
        if left_s <= (next_s - now_s) / sharing:
            break
        left_s -= (next_s - now_s) / sharing
        now_s, sharing = next_s, sharing + 1
    assert sharing > night.sum() + 10
    assert ends_s[night] == pytest.approx(now_s + left_s * sharing, rel=1e-12)
