"""The example scenarios and the starters run as they stand, and their plans are what they say."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgesim import api
from edgesim.cli.scenarios import Starter
from edgesim.report import plan_tables
from edgesim.scenario import load_text
from tests.edgesim.command import ROOT, document, edgesim
from tests.edgesim.scenario.cases import TASKS

SCENARIOS = [
    path
    for path in sorted((ROOT / "examples").glob("*.yaml"))
    if "training" not in yaml.safe_load(path.read_text()).get("model", {"training": "a study"})
]


def load(name: str, *settings: str) -> Any:
    return api.load(ROOT / "examples" / f"{name}.yaml", overrides=settings)


def checked(name: str, *settings: str) -> dict[str, Any]:
    scenario = load(name, *settings)
    return plan_tables.examine(scenario, api.place(scenario)).document()


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_examples_run(path: Path) -> None:
    # A tenth of their requests is enough to see that they do.
    whole = api.load(path).traffic.requests
    few = [f"traffic.requests={whole // 10}", "traffic.warmup=0"]
    result = api.run(api.load(path, overrides=few))
    requests = result.summary["requests"]
    answered = requests["completed"] + requests["degraded"]
    assert answered + requests.get("dropped", 0) == requests["offered"] == whole // 10
    overloaded = any("overloaded" in warning for warning in result.summary["warnings"])
    # One that shows what a full queue does says so.
    assert not overloaded or requests["dropped"] > 0


@pytest.mark.parametrize("starter", Starter)
def test_starters_run_and_so_do_the_commands_in_their_comments(
    starter: Starter, tmp_path: Path
) -> None:
    done = edgesim("init", "--for", starter, "--json", cwd=tmp_path)
    assert document(done.stdout) == {"file": "cluster.yaml"}
    lines = (tmp_path / "cluster.yaml").read_text().splitlines()
    commands = [
        re.split(" {3,}", line[6:])[0] for line in lines if line.startswith("#     edgesim")
    ]
    assert [command.split()[1] for command in commands[:2]] == ["check", "run"]
    for command in commands:
        done = edgesim(*shlex.split(command)[1:], "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    name = yaml.safe_load("\n".join(lines))["name"]
    summary = json.loads((tmp_path / f"runs/{name}/summary.json").read_text())
    assert summary["requests"]["completed"] == summary["requests"]["offered"] == 1000
    # A starter explains itself: half of its keys have a comment.
    assert sum("#" in line for line in lines) >= len(lines) / 2


def test_five_pis_hold_two_classes_each_in_three_heads() -> None:
    plan = checked("five-pis")
    parts = [row for row in plan["tasks"] if row["kind"] == "compute"]
    assert [row["node"] for row in parts] == [f"pi-{number}" for number in range(5)]
    assert sorted(one for row in parts for one in row["classes"]) == list(range(10))
    assert {len(row["classes"]) for row in parts} == {2}
    assert [row["node"] for row in plan["tasks"] if row["kind"] == "fusion"] == ["hub"]
    # Image of 3 × 224 × 224 floats in; features of 3 heads × 64 floats back.
    sizes = {(one["from"], one["to"]): one["bytes"] for one in plan["transfers"]}
    assert sizes[None, "part-0"] == 3 * 224 * 224 * 4
    assert sizes["part-0", "fusion"] == 3 * 64 * 4


def test_the_pipeline_cuts_for_throughput_or_for_latency() -> None:
    through = checked("pipeline-jetsons")
    quick = checked("pipeline-jetsons", "placement.objective=latency")
    assert len(through["tasks"]) > 1
    assert through["capacity_per_s"] > quick["capacity_per_s"]
    assert quick["unloaded_latency_s"] < through["unloaded_latency_s"]
    # No operator is lost or done twice.
    macs = sum(row["macs"] for row in through["tasks"])
    assert macs == load("pipeline-jetsons").placement.model.graph.macs


def test_the_server_has_a_copy_on_each_gpu() -> None:
    plan = checked("replicate-mlperf-server")
    assert [(row["branch"], row["node"]) for row in plan["tasks"]] == [(0, "gpu-0"), (1, "gpu-1")]
    assert len({row["memory_bytes"] for row in plan["tasks"]}) == 1


def test_the_task_graph_by_hand() -> None:
    settings = ["traffic.rate=0.1/s", "traffic.requests=3", "nodes.right.faults="]
    result = api.run(load("task-graph", *settings))
    # Both pictures share the radio's 10 MB/s: the smaller is there after 60 ms, the larger after
    # 90 ms, each 3 ms late. The larger one's branch is the critical path: 10 ms on the camera,
    # 50 ms on the left board, 20 kB over the bus, and 10 MFLOP at the Pi 5's 154 GFLOP/s.
    bus_s = 0.1e-3 + 20e3 / 50e6
    join_s = 10e6 / 153.6e9
    messages = load("task-graph").cluster.nodes["hub"].device.messaging
    software_s = messages.per_message_s + messages.per_byte_s * 20e3
    expected = 0.010 + (0.003 + 0.090) + 0.050 + bus_s + join_s + software_s
    assert result.summary["latency_s"]["max"] == pytest.approx(expected, rel=1e-9)


def test_the_task_graph_does_without_what_is_optional() -> None:
    result = api.run(load("task-graph"))
    # Down from 60 to 80 s, when five a second come.
    assert result.summary["requests"]["degraded"] == pytest.approx(100, abs=1)
    assert result.summary["requests"]["failed"] == 0


def convolutions_of_print(batch: int) -> int:
    """Pairs of channels of ConvShareViT at 72 x 72, one frame for each, and its head's.

    A plane of 2160 holds 27 x 27 patched images and 144 x 144 tokens, of 82 an image.
    """
    embedding = 3 * 64 * -(-batch // 27**2)
    blocks = 8 * (192 + 64 + 128 + 2 * 64) * -(-batch * 82 // 144**2)
    return embedding + blocks + 100


@pytest.mark.parametrize("batch", [1, 64, 252, 253])
def test_optics_as_printed_takes_two_microseconds_a_convolution(batch: int) -> None:
    few = ["traffic.requests=2", "baselines=[]", f"traffic.samples={batch}"]
    result = api.run(load("optical-what-if", *few))
    expected_s = convolutions_of_print(batch) * 2e-6
    assert result.summary["latency_s"]["mean"] == pytest.approx(expected_s, rel=1e-9)


@pytest.mark.parametrize("device", ["4f-dmd-dlp7000", "4f-lcos-pluto"])
def test_parts_that_one_can_buy_are_swapped_in(device: str) -> None:
    settings = ["traffic.requests=2", f"nodes.light.device={device}"]
    summary = api.run(load("optical-what-if", *settings)).summary
    assert summary["nodes"]["light"]["device"] == device
    assert set(summary["nodes"]["light"]["energy_by_part_j"]) >= {"laser", "camera", "host"}
    assert all(row["speedup"] < 1e-3 for row in summary["baselines"].values())


def test_the_pipeline_gives_light_the_large_images() -> None:
    plan = checked("pis-with-light")
    first, *others = plan["tasks"]
    assert first["node"] == "light"
    assert [row["node"] for row in others] == [f"pi-{number}" for number in range(4)]
    assert first["macs"] > 2 * sum(row["macs"] for row in others)
    alone = checked("pis-with-light", "placement.nodes=[pi]")
    assert plan["capacity_per_s"] > 2.9 * alone["capacity_per_s"]


def test_the_pipeline_leaves_out_light_that_is_slow() -> None:
    with_mirrors = checked("pis-with-light", "nodes.light.device=4f-dmd-dlp7000")
    alone = checked("pis-with-light", "placement.nodes=[pi]")
    assert with_mirrors["tasks"] == alone["tasks"]
    assert with_mirrors["capacity_per_s"] == alone["capacity_per_s"]


@pytest.mark.parametrize("kind", ["switch", "wifi", "links"])
def test_networks_are_told_in_the_bottleneck(kind: str) -> None:
    slow = {"bandwidth": "1 Mbit/s"}
    network = {
        "switch": {"switch": slow},
        "wifi": {"wifi": {**slow, "access_point": "a"}},
        "links": {"links": {"cable": {**slow, "ends": ["a", "b"]}}},
    }[kind]
    data = {
        "model": {
            "tasks": {"one": {"flop": 1, "node": "a"}, "two": {"flop": 1, "node": "b"}},
            "transfers": [{"from": "one", "to": "two", "bytes": "1 MB"}],
        },
        "nodes": {name: {"device": {"peak": {"fp32": "1 GFLOP/s"}}} for name in "ab"},
        "network": network,
        "traffic": {"arrivals": "closed", "requests": 4},
    }
    scenario = load_text(yaml.safe_dump(data))
    plan = plan_tables.examine(scenario, api.place(scenario)).document()
    expected = {"switch": ("a-switch", "b-switch"), "wifi": ("wifi",), "links": ("cable",)}[kind]
    assert plan["bottleneck"] in expected
    assert plan["capacity_per_s"] == pytest.approx(1 / 8)
    assert plan["unloaded_latency_s"] == pytest.approx(8.0, rel=1e-6)


def test_the_explicit_graph_of_two_tasks_by_hand() -> None:
    result = api.run(load_text(TASKS))
    # 2 GFLOP and 1 GFLOP at 1 GFLOP/s; 12.5 MB over 100 Mbit/s after 1 ms.
    total_s = 2.0 + 0.001 + 1.0 + 1.0
    summary = result.summary
    assert summary["latency_s"]["mean"] == pytest.approx(total_s)
    assert summary["breakdown_s"] == pytest.approx(
        {"queue": 0.0, "compute": 3.0, "transfer": 1.001, "fusion": 0.0}
    )
    # Both draw 1 W idle, and 2 W more while they compute.
    assert summary["energy_j"]["nodes"] == pytest.approx(
        {"A": total_s + 2.0 * 2.0, "B": total_s + 2.0 * 1.0}
    )
    assert summary["nodes"]["B"]["memory_bytes"] == 10e6
    assert summary["links"]["ab"]["bytes"] == pytest.approx(12.5e6)
