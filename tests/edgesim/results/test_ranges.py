"""Ranges of a run: one factor for each device, the middle of the draws, and overload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesim import api
from edgesim.hardware.uncertainty import error_of
from edgesim.results.ranges import DRAWS, LEAST, hypercube, middle_90, shortened, uncertain
from edgesim.scenario import Scenario
from edgesim.simulate.arrivals import Poisson
from tests.edgesim.command import edgesim

ONE = {
    "name": "one",
    "seed": 3,
    "model": {"name": "resnet50"},
    "placement": {"strategy": "single", "nodes": ["a"]},
    "nodes": {"a": {"device": "raspberry-pi-4b"}},
    "traffic": {"arrivals": "periodic", "rate": "0.05/s", "requests": 40},
}


def scenario(**changes: Any) -> Scenario:
    return api.load({**ONE, **changes})


def ranges(**changes: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = api.run(scenario(**changes), ranges=True).summary["range_90"]
    return found


@pytest.mark.parametrize("dimensions", [1, 2, 3, 6])
def test_draws_meet_every_twelfth_of_each_device_once(dimensions: int) -> None:
    found = hypercube(dimensions)
    middles = (np.arange(DRAWS) + 0.5) / DRAWS
    assert np.sort(found, axis=0) == pytest.approx(np.tile(middles[:, None], dimensions))
    if dimensions > 1:
        between = np.corrcoef(found.T)[np.triu_indices(dimensions, 1)]
        assert np.abs(between).max() < 0.5


def test_the_middle_of_the_draws_is_that_of_hazen() -> None:
    values = np.random.default_rng(1).lognormal(size=DRAWS)
    expected = np.quantile(values, [0.05, 0.95], method="hazen")
    assert middle_90(values.tolist()) == pytest.approx(tuple(expected))
    assert middle_90([1.0, 2.0, np.inf])[1] == np.inf
    assert middle_90([np.inf, np.inf]) == (np.inf, np.inf)


def test_without_a_queue_the_latency_is_as_uncertain_as_the_device() -> None:
    found = ranges()
    error = error_of(scenario().cluster.nodes["a"].device, "fp32")
    assert error is not None
    factors = [error.factor((i + 0.5) / DRAWS) for i in range(DRAWS)]
    mean_s = api.run(scenario()).summary["latency_s"]["mean"]
    low, high = (mean_s * end for end in middle_90(factors))
    assert found["latency_s"]["mean"] == pytest.approx([low, high], rel=1e-9)
    assert found["latency_s"]["p99"] == pytest.approx([low, high], rel=1e-9)
    # The reciprocal of 12 values, of which the ends are weighed alike.
    assert found["capacity_per_s"] == pytest.approx(
        [end / mean_s for end in middle_90([1.0 / factor for factor in factors])], rel=1e-9
    )
    assert found["unsettled"] == 0
    assert found["notes"] == []


def test_nodes_of_one_device_share_their_factor() -> None:
    """Two tasks in a row on two Pis: their sum is as uncertain as each, not less by chance."""
    two = scenario(
        placement={"strategy": "pipeline", "nodes": ["pi-0", "pi-1"]},
        nodes={"pi": {"device": "raspberry-pi-4b", "count": 2}},
        network={"switch": {"bandwidth": "1 Tbit/s", "latency": "0 s"}},
    )
    devices, exact = uncertain(two, api.place(two))
    assert [one.nodes for one in devices] == [("pi-0", "pi-1")]
    assert exact == []
    both = api.run(two, ranges=True).summary
    one = api.run(scenario(), ranges=True).summary
    factors = [end / one["latency_s"]["mean"] for end in one["range_90"]["latency_s"]["mean"]]
    # Messages are exact: the sum of both tasks takes the whole factor of a draw.
    compute_s, mean_s = both["breakdown_s"]["compute"], both["latency_s"]["mean"]
    expected = [mean_s + (factor - 1.0) * compute_s for factor in factors]
    assert both["range_90"]["latency_s"]["mean"] == pytest.approx(expected, rel=1e-9)


def test_draws_that_do_not_settle_are_said_and_have_no_bound() -> None:
    found = ranges(traffic={"arrivals": "poisson", "rate": "0.9/s", "requests": 60})
    error = error_of(scenario().cluster.nodes["a"].device, "fp32")
    assert error is not None
    alone_s = api.run(scenario()).summary["latency_s"]["mean"]
    slow = sum(0.9 * alone_s * error.factor((i + 0.5) / DRAWS) > 1.0 for i in range(DRAWS))
    assert 0 < slow < DRAWS
    assert found["unsettled"] == slow
    assert f"in {slow} of 12 draws the queue does not settle" in found["notes"][0]
    assert found["latency_s"]["mean"][1] is None
    assert found["latency_s"]["mean"][0] > 0.0
    assert None not in found["throughput_per_s"]


def test_devices_without_known_errors_are_said_or_have_no_range() -> None:
    inline = {"device": {"peak": {"fp32": "50 GFLOP/s"}}}
    result = api.run(scenario(nodes={"a": inline}), ranges=True)
    assert "range_90" not in result.summary
    found = ranges(
        placement={"strategy": "pipeline", "nodes": ["a", "b"]},
        nodes={"a": inline, "b": {"device": "nvidia-h100"}},
        network={"switch": {"bandwidth": "1 Gbit/s", "latency": "0 s"}},
    )
    assert any("no time of nvidia-h100 is published" in note for note in found["notes"])
    assert any("take the times of a as exact" in note for note in found["notes"])


def test_few_requests_are_played_where_the_rate_is_steady() -> None:
    assert shortened(Poisson(requests=13_000, rate_per_s=1.0, warmup=900)) == Poisson(
        requests=1000, rate_per_s=1.0, warmup=250
    )
    assert shortened(Poisson(requests=100, rate_per_s=1.0)).requests == LEAST
    assert shortened(Poisson(requests=7, rate_per_s=1.0)).requests == 7


def test_no_range_leaves_everything_else_as_it_is(tmp_path: Path) -> None:
    """Each run has the same bytes as before: `--no-range` all of them, without it all but one."""
    file = tmp_path / "one.yaml"
    file.write_text(json.dumps(ONE))

    def run(name: str, *options: str) -> tuple[dict[str, Any], bytes]:
        folder = tmp_path / name
        assert edgesim("run", file, "--out", folder, *options).returncode == 0
        summary = json.loads((folder / "summary.json").read_text())
        del summary["wall_s"]
        return summary, (folder / "requests.csv").read_bytes()

    first, again, without = run("first"), run("again"), run("without", "--no-range")
    assert first == again
    found = first[0].pop("range_90")
    assert set(found["latency_s"]) == {"mean", "p50", "p90", "p99"}
    assert first == without
