"""Flows over Wi-Fi, by hand: through an access point they cross the air twice."""

from __future__ import annotations

import pytest

from edgesim import api
from edgesim.hardware import Cluster
from edgesim.hardware.topology import wifi
from edgesim.scenario.reader import load_text
from edgesim.simulate import Recording
from tests.edgesim.simulate.models import at, fault, faulty, node, plan, play, task

TWO_STATIONS = """
name: wifi-two-stations
model:
  tasks: {src: {flop: 0, node: s1}, mid: {flop: 0, node: s2}, c: {flop: 0, node: s3}}
  transfers:
    - {from: src, to: mid, bytes: 1 MB}
nodes:
  s1: {device: &d {peak: {fp32: 1 GFLOP/s}, power: {idle: 1 W, busy: 2 W}}}
  s2: {device: *d}
  s3: {device: *d}
network: {wifi: {bandwidth: 8 Mbit/s, latency: 10 ms, energy_per_byte: 1 uJ/B}}
traffic: {arrivals: trace, times: [0]}
"""


@pytest.mark.parametrize(
    ("access_point", "crossings"), [("router", 2), ("s3", 2), ("s1", 1), ("s2", 1), ("none", 1)]
)
def test_a_megabyte_at_a_megabyte_per_second(access_point: str, crossings: int) -> None:
    text = TWO_STATIONS.replace("wifi: {", f"wifi: {{access_point: {access_point}, ")
    summary = api.run(load_text(text)).summary
    assert summary["latency_s"]["mean"] == pytest.approx(crossings * (0.010 + 1.0), rel=1e-12)
    assert summary["links"]["wifi"]["bytes"] == pytest.approx(crossings * 1e6, rel=1e-12)
    assert summary["energy_j"]["links"]["wifi"] == pytest.approx(crossings * 1.0, rel=1e-12)


def test_the_router_is_the_default() -> None:
    assert api.run(load_text(TWO_STATIONS)).summary["latency_s"]["mean"] == pytest.approx(2.02)


def over_air(access_point: str, *sent: tuple[str, str, float], at_s: float = 0.0) -> Recording:
    """Play transfers that start together, at 12 bytes per second, over s1, s2 and s3."""
    stations = ["s1", "s2", "s3"]
    nodes = {name: node(name) for name in stations}
    network = wifi(stations, access_point, bandwidth_byte_s=12.0)
    where = Cluster(nodes=nodes, network=network)
    if at_s:
        where = faulty(where, fault("cut", "wifi", at_s, 5.0))
    tasks = [task(f"out{index}", source, 0.0) for index, (source, _, _) in enumerate(sent)]
    tasks += [task(f"in{index}", target, 0.0) for index, (_, target, _) in enumerate(sent)]
    moves = [(f"out{index}", f"in{index}", size) for index, (_, _, size) in enumerate(sent)]
    return play(plan(tasks, moves), where, at(0.0))


def ends(recording: Recording, many: int) -> list[float]:
    by_name = {span.task: span.end_s for span in recording.spans}
    return [by_name[f"out{index}→in{index}"] for index in range(many)]


def test_flows_that_cross_once_and_twice_have_one_rate() -> None:
    # s1 is the access point. The flow from it takes the air once, the other one twice: 12 bytes per
    # second are three shares of 4. The first ends at 2 s; the other then has 12 / 2 = 6 per second.
    recording = over_air("s1", ("s1", "s2", 8.0), ("s2", "s3", 20.0))
    assert ends(recording, 2) == [2.0, 4.0]
    assert recording.links["wifi"].bytes == pytest.approx(8.0 + 2 * 20.0)
    assert recording.links["wifi"].utilization == pytest.approx(1.0)


def test_two_flows_of_one_route_share_the_rate_of_a_route() -> None:
    # Four shares of 3 bytes per second; from 2 s on two of 6.
    recording = over_air("router", ("s1", "s2", 6.0), ("s1", "s2", 18.0))
    assert ends(recording, 2) == [2.0, 4.0]


def test_a_cut_stops_what_crosses_twice_and_it_goes_on() -> None:
    recording = over_air("router", ("s1", "s2", 12.0), at_s=1.0)
    assert ends(recording, 1) == [7.0]
    assert recording.links["wifi"].bytes == pytest.approx(24.0)
