"""Baselines against arithmetic by hand: a device of 60 FLOP/s and a model of 6 FLOP, 0.1 s each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgesim.placement.whole import held_bytes
from edgesim.results import baselines
from edgesim.results.baselines import best_batch
from edgesim.scenario.scenario import Baseline
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Closed, Periodic, Poisson, SingleStream
from tests.edgesim import cases
from tests.edgesim.simulate.models import Flops, node

FAST = Flops(rate=60.0, power=cases.POWER, name="board")  # idle 2 W, busy 10 W


def played(traffic: Traffic, device: Flops = FAST, **fields: Any) -> dict[str, Any]:
    one = Baseline(name="one", device=device, precision="fp32")
    summary = cases.play(traffic=traffic, baselines=(one,), **fields).summary
    row: dict[str, Any] = summary["baselines"]["one"]
    assert row["speedup"] == pytest.approx(row["latency_s"] / summary["latency_s"]["mean"])
    assert row["energy_ratio"] == pytest.approx(
        row["energy_j_per_request"] / summary["energy_j"]["per_request"]
    )
    return row


def test_light_load_is_idle_power_between_requests() -> None:
    row = played(Periodic(requests=10, rate_per_s=0.5))
    # Requests every 2 s, at 0, 2, …, 18 s: each alone, the last one ends at 18.1 s.
    assert row["latency_s"] == pytest.approx(0.1)
    assert row["unloaded_latency_s"] == pytest.approx(0.1)
    assert row["throughput_per_s"] == pytest.approx(10 / 18.1)
    assert row["energy_j_per_request"] == pytest.approx((2.0 * 18.1 + 8.0 * 0.1 * 10) / 10)
    assert row["idle_j_per_request"] == pytest.approx(2.0 * 18.1 / 10)
    assert row["settled"]


def test_overload_waits_ever_longer() -> None:
    row = played(Periodic(requests=200, rate_per_s=20.0))
    # Every 0.05 s comes what takes 0.1 s: request i waits i × 0.05 s.
    assert row["latency_s"] == pytest.approx(0.1 + 0.05 * 199 / 2)
    assert row["throughput_per_s"] == pytest.approx(10.0)
    assert row["energy_j_per_request"] == pytest.approx(10.0 * 0.1)
    assert not row["settled"]


def test_warm_up_and_samples() -> None:
    traffic = Periodic(requests=20, rate_per_s=20.0, warmup=10)
    # A request of 3 samples takes twice the time of one, by the device's own rule.
    assert played(traffic)["latency_s"] == pytest.approx(0.1 + 0.05 * (10 + 19) / 2)
    row = played(SingleStream(requests=5, samples=3))
    assert row["latency_s"] == row["unloaded_latency_s"] == pytest.approx(0.2)


def test_closed_loop_keeps_the_device_busy() -> None:
    row = played(Closed(requests=50, concurrency=2))
    # Two in flight: each waits for the other, the very first one for nobody.
    assert row["latency_s"] == pytest.approx((0.1 + 49 * 0.2) / 50)
    assert row["throughput_per_s"] == pytest.approx(10.0)


@pytest.mark.parametrize("utilization", [0.5, 0.8])
def test_random_arrivals_are_the_queue_m_d_1(utilization: float) -> None:
    rate = utilization / 0.1
    traffic = Poisson(requests=40_000, rate_per_s=rate, warmup=1000)
    scenario = cases.scenario(traffic=traffic)
    (row,) = baselines.simulate_baselines(scenario)
    assert row.recording is not None
    # Pollaczek and Khinchine: mean wait rho s / (2 (1 - rho)) of a constant service time s.
    expected = 0.1 + utilization * 0.1 / (2 * (1 - utilization))
    # Within five standard errors over twenty batches.
    batches = row.recording.latency_s[1000:].reshape(20, -1).mean(axis=1)
    assert row.latency_s == pytest.approx(expected, abs=5 * batches.std(ddof=1) / np.sqrt(20))


def test_batch_rows_by_hand() -> None:
    # A batch of b takes (b + 1) / 2 times 0.1 s: b = 1, 2, 4, … serves 10, 13.3, 16, 17.8, … /s.
    def best(capacity: float) -> Any:
        device = replace(FAST, memory_capacity_bytes=capacity)
        one = Baseline(name="one", device=device, precision="fp32")
        return best_batch(one, cases.scenario())

    graph = cases.scenario().placement.model.graph
    assert graph is not None
    held = {b: held_bytes(graph, node(batch_max=b), "fp32") for b in (1, 2, 4, 8)}
    # Two live activations of an element of 4 bytes for each request.
    assert held == {1: 8.0, 2: 16.0, 4: 32.0, 8: 64.0}
    assert best(7.0) is None
    for capacity, batch in ((8.0, 1), (15.0, 1), (16.0, 2), (63.0, 4), (64.0, 8)):
        found = best(capacity)
        assert found.batch == batch
        assert found.latency_s == pytest.approx(0.1 * (batch + 1) / 2)
        assert found.throughput_per_s == pytest.approx(batch / found.latency_s)
        assert found.energy_j_per_request == pytest.approx(10.0 * found.latency_s / batch)


def test_rows_come_one_by_one_and_none_of_what_is_cut_short() -> None:
    two = tuple(Baseline(name=name, device=FAST, precision="fp32") for name in ("one", "two"))
    told = []

    def progress(done: int) -> None:
        told.append(done)
        if len(told) == 250:  # each tells of its 200 requests one by one
            raise KeyboardInterrupt

    rows: list[baselines.BaselineRow] = []
    with pytest.raises(KeyboardInterrupt):
        rows.extend(baselines.simulate_baselines(cases.scenario(baselines=two), progress))
    assert [row.name for row in rows] == ["one"]


def test_an_interrupt_between_them_leaves_a_partial_result() -> None:
    from edgesim import api

    two = tuple(Baseline(name=name, device=FAST, precision="fp32") for name in ("one", "two"))

    def progress(label: str, done: int, total: int) -> None:
        if label == "baselines" and done == 100:
            raise KeyboardInterrupt

    result = api.run(cases.scenario(baselines=two), progress=progress)
    assert result.partial
    assert result.summary["partial"]
    assert result.summary["requests"]["completed"] == 200
    assert result.summary["baselines"] == {}
    assert result.summary["warnings"] == ["interrupted: this is what had finished by then"]
