"""How many tasks a second, and how much memory, when models, nodes and requests are many.

``make bench`` plays ten nodes under 100,000 requests; as a plain test a fiftieth of it. Each run is
a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.benchmarks.scale import FULL

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the peak of memory in /proc"
)

TEN = """
name: ten-pis
model: {name: vit_base_patch16_224, classes: 10}
placement: {strategy: class-wise, submodels: 10, heads: 2, input: hub, fusion: hub}
nodes: {pi: {device: raspberry-pi-4b, count: 10}, hub: {device: raspberry-pi-5}}
network: {switch: {bandwidth: 1 Gbit/s, latency: 0.25 ms}}
traffic: {arrivals: poisson, rate: 2/s, requests: 1000}
"""

THOUSAND = """
name: thousand-nodes
model: {name: vit_base_patch16_224, classes: 10}
placement: {strategy: replicate, input: hub}
nodes: {pi: {device: raspberry-pi-4b, count: 999}, hub: {device: nvidia-h100}}
network: {switch: {bandwidth: 1 Gbit/s, latency: 0.25 ms}}
traffic: {arrivals: poisson, rate: 100/s, requests: 1000}
"""

PLAY = """
import json, re, sys, time
from edgesim import api
scenario = api.load(sys.argv[1], overrides=[f"traffic.requests={sys.argv[2]}"])
begin = time.process_time()
result = api.run(scenario)
seconds = time.process_time() - begin
# Not getrusage, which counts what the parent held when it started this process.
peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
json.dump({"seconds": seconds, "peak": peak, **result.summary["requests"]}, sys.stdout)
"""

REQUESTS = 100_000 if FULL else 2_000
WORK = 11 + 20
"""Tasks and transfers of a request: ten parts and a fusion; ten images out, ten features back."""
BYTES_A_REQUEST = 100


def played(scenario: str, requests: int, folder: Any) -> dict[str, float]:
    path = folder / "scenario.yaml"
    path.write_text(scenario)
    command = [sys.executable, "-c", PLAY, str(path), str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    assert found["completed"] == found["offered"] == requests
    return found


def test_ten_nodes(tmp_path: Any) -> None:
    run = played(TEN, REQUESTS, tmp_path)
    rate = REQUESTS * WORK / run["seconds"]
    print(f"\nViT-B in ten parts on ten nodes, {REQUESTS:,} requests")
    print(f"  {rate:,.0f} tasks and transfers a second")
    print(f"  {run['peak'] / 2**20:,.0f} MiB at the most")


def test_memory_grows_by_little_for_each_request(tmp_path: Any) -> None:
    # As many more requests as make what a process is made of by chance (some MiB) small.
    few, many = (REQUESTS // 10, REQUESTS) if FULL else (5_000, 45_000)
    # A light load: what grows is what is kept of each request, not a queue.
    scenario = TEN if FULL else THOUSAND.replace("count: 999", "count: 2").replace("100/s", "0.2/s")
    grown = played(scenario, many, tmp_path)["peak"] - played(scenario, few, tmp_path)["peak"]
    print(f"\nfrom {few:,} to {many:,} requests: {grown / (many - few):.0f} bytes more for each")
    # Latency, arrival, outcome and four parts of each are kept as they are.
    assert 7 * 8 < grown / (many - few) < BYTES_A_REQUEST


def test_a_thousand_nodes(tmp_path: Any) -> None:
    run = played(THOUSAND, 1_000, tmp_path)
    print(f"\nViT-B on 1,000 nodes, 1,000 requests: {run['seconds']:.2f} s")
