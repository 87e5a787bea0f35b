"""The engine against SimGrid: flows over random links, and whole requests through a cluster."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgesim.hardware import Cluster
from edgesim.hardware.topology import wifi
from tests import needs
from tests.edgesim.simulate.models import Flops, at, cluster, link, node, plan, play, task

FLOWS = "simgrid_flows.py"
CLUSTER = "simgrid_cluster.py"
WIFI = "simgrid_wifi.py"
Flow = tuple[float, int, list[str]]
"""(start in seconds, bytes, names of the links that it crosses)"""


def asked_of_simgrid(script: str, given: dict[str, Any]) -> list[float]:
    command = [needs.SIMGRID.require(), str(Path(__file__).with_name(script))]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found


def with_simgrid(links: dict[str, float], flows: list[Flow], latency_s: float) -> list[float]:
    return asked_of_simgrid(FLOWS, {"links": links, "flows": flows, "latency_s": latency_s})


def with_edgesim(links: dict[str, float], flows: list[Flow], latency_s: float) -> list[float]:
    nodes, tasks, transfers, routes = [], [], [], {}
    for index, (start_s, size, route) in enumerate(flows):
        source, target = f"source{index}", f"target{index}"
        nodes += [node(source), node(target)]
        routes[source, target] = route
        tasks += [task(f"wait{index}", source, start_s), task(f"got{index}", target, 0.0)]
        transfers.append((f"wait{index}", f"got{index}", size))
    wires = [link(name, bandwidth, latency_s) for name, bandwidth in links.items()]
    recording = play(plan(tasks, transfers), cluster(nodes, wires, routes), at(0.0))
    by_name = {span.task: span.end_s for span in recording.spans}
    return [by_name[f"wait{index}→got{index}"] for index in range(len(flows))]


@needs.SIMGRID.mark
@pytest.mark.parametrize("seed", range(12))
def test_flows_end_when_simgrids_do(seed: int) -> None:
    draw = random.Random(seed)
    links = {f"l{index}": draw.uniform(1e6, 20e6) for index in range(draw.randint(1, 6))}
    hops = draw.randint(1, len(links))
    # SimGrid weighs competing flows by their routes' latencies, as TCP does; all flows cross
    # equally many links here, so that it shares evenly, which is what edgesim says it does.
    flows: list[Flow] = [
        (draw.choice([0.0, draw.uniform(0.0, 3.0)]), draw.randint(1_000_000, 60_000_000),
         draw.sample(sorted(links), hops))
        for _ in range(draw.randint(2, 14))
    ]  # fmt: skip
    latency_s = draw.choice([1e-3, 0.1])
    expected = with_simgrid(links, flows, latency_s)
    assert with_edgesim(links, flows, latency_s) == pytest.approx(expected, rel=1e-9)


def fork_with_simgrid(given: dict[str, Any]) -> list[float]:
    return asked_of_simgrid(CLUSTER, given)


def fork_with_edgesim(given: dict[str, Any]) -> list[float]:
    hub = node("hub", device=Flops(rate=given["hub_flops"]))
    nodes = [hub]
    tasks, transfers = [], []
    for index, rate in enumerate(given["part_flops"]):
        nodes.append(node(f"part{index}", device=Flops(rate=rate)))
        tasks.append(task(f"p{index}", f"part{index}", given["part_flop"]))
        transfers.append((None, f"p{index}", given["input_bytes"]))
        transfers.append((f"p{index}", "fusion", given["feature_bytes"]))
    tasks.append(task("fusion", "hub", given["fusion_flop"], kind="fusion"))
    wires = [link(name, rate, given["latency_s"]) for name, rate in given["bandwidth"].items()]
    routes = {("hub", one.name): ["hub", one.name] for one in nodes[1:]}
    routes |= {(one.name, "hub"): [f"-{one.name}", "-hub"] for one in nodes[1:]}
    where = cluster(nodes, wires, routes)
    made = plan(tasks, transfers, input_node="hub", output_node="hub")
    recording = play(made, where, at(*given["arrivals_s"]))
    return (recording.arrival_s + recording.latency_s).tolist()


@needs.SIMGRID.mark
@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_answers_when_simgrids_does(seed: int) -> None:
    # Every request's end, not a mean: queues, forks, joins and shared links all at once.
    draw = random.Random(100 + seed)
    parts = draw.randint(2, 6)
    arrivals_s = sorted(draw.uniform(0.0, 8.0) for _ in range(24))
    names = ["hub", *(f"part{index}" for index in range(parts))]
    given = {
        "arrivals_s": arrivals_s,
        "hub_flops": 1e9,
        "part_flops": [draw.uniform(2e8, 4e8) for _ in range(parts)],
        "part_flop": 5e7,
        "fusion_flop": draw.uniform(1e6, 1e8),
        "input_bytes": 600_000,
        "feature_bytes": draw.randint(100_000, 1_000_000),
        "bandwidth": {name: draw.uniform(1e7, 2e7) for name in names},
        "latency_s": 1e-3,
    }
    expected = fork_with_simgrid(given)
    assert fork_with_edgesim(given) == pytest.approx(expected, rel=1e-9)


AirFlow = tuple[float, int, str, str]
"""(start in seconds, bytes, from, to)"""


def air_with_edgesim(
    stations: list[str], access_point: str, bandwidth: float, flows: list[AirFlow]
) -> list[float]:
    tasks, transfers = [], []
    for index, (start_s, size, source, target) in enumerate(flows):
        # A core for each flow, so that none waits for another's start.
        tasks += [
            task(f"wait{index}", source, start_s / len(flows), cores=1),
            task(f"got{index}", target, 0.0, cores=1),
        ]
        transfers.append((f"wait{index}", f"got{index}", size))
    device = Flops(rate=1.0, cores=len(flows))
    nodes = {name: node(name, device=device) for name in stations}
    network = wifi(stations, access_point, bandwidth_byte_s=bandwidth)
    where = Cluster(nodes=nodes, network=network)
    recording = play(plan(tasks, transfers), where, at(0.0))
    by_name = {span.task: span.end_s for span in recording.spans}
    return [by_name[f"wait{index}→got{index}"] for index in range(len(flows))]


@needs.SIMGRID.mark
@pytest.mark.parametrize("access_point", ["router", "s1"])
@pytest.mark.parametrize("seed", range(6))
def test_flows_over_wifi_end_when_simgrids_do(seed: int, access_point: str) -> None:
    # With a router all flows cross the air twice; with a station as access point some cross it
    # once, at the same rate as those that cross it twice beside them.
    draw = random.Random(seed)
    stations = [f"s{index}" for index in range(1, draw.randint(3, 6))]
    bandwidth = draw.uniform(1e6, 20e6)
    flows: list[AirFlow] = [
        (draw.uniform(0.0, 2.0), draw.randint(10_000, 20_000_000), *draw.sample(stations, 2))
        for _ in range(draw.randint(2, 14))
    ]
    given = {"stations": stations, "access_point": access_point, "bandwidth": bandwidth}
    expected = asked_of_simgrid(WIFI, {**given, "flows": flows})
    found = air_with_edgesim(stations, access_point, bandwidth, flows)
    assert found == pytest.approx(expected, rel=1e-9)
