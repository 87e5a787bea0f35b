"""The same schedule of faults in the simulator and on five nodes and a hub, in one table.

Every node is a process in a network namespace of its own. A program kills, stops and slows
processes and takes links down when the schedule says so. EDGESIM_FAULT_SCHEDULE=full plays a longer
one, with devices that were profiled just before.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgesim.serve.faults.driver import orders_of
from tests.edgesim.command import COMMAND, edgesim, edgesim_process
from tests.edgesim.scenario.cases import BASE, changed, load
from tests.edgesim.serve.cluster import ARTIFACT
from tests.edgesim.serve.five import HUB, Five, five, needs_links
from tests.edgesim.serve.namespaces import Rate

FULL = os.environ.get("EDGESIM_FAULT_SCHEDULE") == "full"
RATE = Rate(125e6)
BOOT_S = 1.6
"""From the start of a node's process until it answers, here: Python, torch, its part."""
SHORT = """
schedule:
- {at: 1 s, duration: 1 s, node: pi-0, kind: crash}
- {at: 6 s, duration: 3 s, node: pi-1, kind: freeze}
- {at: 11 s, duration: 3 s, link: pi-2-switch, kind: cut}
- {at: 16 s, duration: 2 s, node: pi-3, kind: slow, speed: 30 %}
"""
LONG = """
schedule:
- {at: 10 s, duration: 10 s, node: pi-0, kind: crash}
- {at: 35 s, duration: 10 s, node: pi-1, kind: freeze}
- {at: 60 s, duration: 10 s, link: pi-2-switch, kind: cut}
- {at: 85 s, duration: 20 s, node: pi-3, kind: slow, speed: 20 %}
- {at: 115 s, duration: 15 s, link: pi-4-switch, kind: degrade, bandwidth: 1 Mbit/s}
- {at: 140 s, duration: 5 s, node: pi-0, kind: crash}
- {at: 150 s, duration: 5 s, node: pi-2, kind: freeze}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Five]:
    with five(tmp_path_factory.mktemp("five"), RATE) as running:
        yield running


def program(cluster: Five) -> str:
    """Write what the driver needs to know of the cluster; return its command."""
    nodes = {}
    for name, process in cluster.nodes.items():
        host = cluster.net.addresses[name]
        start = [
            *cluster.net.inside(name), *COMMAND, "node", "--listen", process.inference,
            "--admin", process.admin, "--name", name, "--store", str(cluster.folder / name),
            "--keys", str(cluster.keys / host),
        ]  # fmt: skip
        nodes[name] = {"pid": process.process.pid, "start": start}
    links = {}
    for name in cluster.nodes:
        plug = [*cluster.net.inside(name), "ip", "link", "set", "eth0"]
        ends = [
            [*inside, "tc", "qdisc", "replace", "dev", device, "root"]
            for inside, device in cluster.net.ends(name)
        ]
        # A kernel without netem has token buckets: less bandwidth, but no latency and no loss.
        slow = ["tbf", "rate", "{bandwidth}bps", "burst", "1600", "limit", str(64 << 20)]
        own = ["tbf", "rate", f"{RATE.byte_s:.0f}bps", "burst", str(RATE.burst_bytes)]
        own += ["limit", str(64 << 20)]
        links[f"{name}-switch"] = {
            "cut": [[*plug, "down"]],
            "mend": [[*plug, "up"], *([*end, *own] for end in ends)],
            "degrade": [[*end, *slow] for end in ends],
        }
    told = cluster.folder / "cluster.json"
    told.write_text(json.dumps({"nodes": nodes, "links": links}))
    return f"{sys.executable} -m edgesim.serve.faults.local {told}"


def profiled(cluster: Five, document: dict[str, Any]) -> None:
    """Let the nodes be processes of this machine, as it is measured now."""
    device = cluster.folder / "this-machine.yaml"
    done = edgesim_process("profile", "--artifact", ARTIFACT, "--quick", "--out", device)
    assert done.returncode == 0, done.stderr
    for node in document["nodes"].values():
        node |= {"device": "./this-machine.yaml", "host": "here"}
    document["hosts"] = {"here": {"cores": len(os.sched_getaffinity(0))}}


def scenario(cluster: Five, schedule: str, requests: int, rate: int) -> Path:
    document: dict[str, Any] = yaml.safe_load(cluster.file.read_text())
    document["name"] = "faults"
    document["faults"] = yaml.safe_load(schedule)
    document["recovery"] = {
        "deadline": "1 s",
        "retry": {"attempts": 3},
        "health": {"interval": "500 ms", "strikes": 2},
    }
    document["traffic"] = {"arrivals": "periodic", "rate": f"{rate}/s", "requests": requests}
    for name, node in document["nodes"].items():
        if name != HUB:
            node["restart"] = f"{BOOT_S:g} s"
    if FULL:
        profiled(cluster, document)
    path = cluster.folder / "faults.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.skipif(not FULL, reason="takes 4 minutes; EDGESIM_FAULT_SCHEDULE=full plays it")
@needs_links
def test_a_long_schedule_on_devices_that_were_profiled(cluster: Five) -> None:
    file = scenario(cluster, LONG, requests=1700, rate=10)
    out = cluster.folder / "long"
    done = edgesim_process(
        "run", file, "--mode", "both", "--loads", "scenario", "--keys", cluster.keys / "client",
        "--faults-by", program(cluster), "--out", out, inside=cluster.net.inside(HUB),
    )  # fmt: skip
    print(f"\n{LONG}\n{done.stdout}\n{done.stderr}")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((out / "comparison.json").read_text())["loads"]
    for side in ("predicted", "measured"):
        counts = found["requests"][side]
        assert sum(counts[key] for key in ("completed", "degraded", "failed")) == 1700


def taken_in_s(events: str, node: str) -> float:
    """Return when a node was in service again, by the events of a prediction."""
    rows = [line.split(",") for line in events.splitlines() if f",{node}," in line]
    return next(float(row[1]) for row in rows if row[3] == "taken in")


def together(*spans: tuple[float, float]) -> float:
    """Return the time that is in any of the spans."""
    whole_s, until_s = 0.0, 0.0
    for begin_s, end_s in sorted(spans):
        whole_s += max(0.0, end_s - max(begin_s, until_s))
        until_s = max(until_s, end_s)
    return whole_s


@needs_links
def test_a_schedule_is_predicted_and_measured(cluster: Five) -> None:
    file = scenario(cluster, SHORT, requests=190, rate=10)
    out = cluster.folder / "out"
    done = edgesim_process(
        "run", file, "--mode", "both", "--loads", "scenario", "--keys", cluster.keys / "client",
        "--faults-by", program(cluster), "--out", out, inside=cluster.net.inside(HUB),
    )  # fmt: skip
    print(f"\n{done.stdout}\n{done.stderr}")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((out / "comparison.json").read_text())["loads"]
    counts = found["requests"]
    for side in ("predicted", "measured"):
        assert counts[side]["offered"] == 190
        assert sum(counts[side][key] for key in ("completed", "degraded", "failed")) == 190
    told = "\n".join(found["warnings"]["measured"])
    assert "8 orders of the schedule were carried out" in told
    # A crash and a start, a freeze and a cut leave a part out; nothing takes the fusion.
    for name in ("pi-0", "pi-1", "pi-2"):
        assert f"'{name}' was out of service" in told
    whole = found["availability"]["whole"]
    # A part is lacking from its fault until a check sees that it is back: 3 s after the crash,
    # of which 1.6 s the start takes, and 3 s each while frozen and cut.
    assert whole["predicted"] == pytest.approx(1 - 9.0 / 19, abs=0.02)
    # What was frozen and cut is lacking as long as predicted; a process takes the time to start
    # that others leave it.
    events = (out / "as-written" / "predicted" / "faults.csv").read_text()
    started_s = re.search(r"'pi-0' was out of service from .* s to (.*) s: ", told)
    assert started_s is not None
    lacking = together(
        (1.0, float(started_s[1])), (6.0, taken_in_s(events, "pi-1")),
        (11.0, taken_in_s(events, "pi-2")),
    )  # fmt: skip
    assert whole["measured"] == pytest.approx(1 - lacking / 19, abs=0.08)
    answered = found["availability"]["answered"]
    assert answered["predicted"] == 1.0
    assert answered["measured"] > 0.98
    assert [line.split(",")[1:4] for line in events.splitlines() if ",pi-0," in line] == [
        ["1.0", "pi-0", "crash"], ["1.5", "pi-0", "taken out"], ["2.0", "pi-0", "repair"],
        ["3.6", "pi-0", "up"], ["4.0", "pi-0", "taken in"],
    ]  # fmt: skip
    # Everything was put right.
    seen, _ = cluster.play(traffic="{arrivals: periodic, rate: 20/s, requests: 20}")
    assert all(one.parts_answered == [True] * 5 for one in seen)
    assert len(seen) == 20


def test_a_schedule_without_anybody_to_play_it_is_refused(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "model": {"artifact": str(ARTIFACT)},
        "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
        "nodes": {
            "hub": {"device": "raspberry-pi-4b", "address": "127.0.0.1:1"},
            "pi": {"device": "raspberry-pi-4b", "address": "127.0.0.1:2"},
        },
        "network": {"switch": {"bandwidth": "1 Gbit/s"}},
        "faults": {"schedule": [{"at": 1, "duration": 1, "node": "pi", "kind": "crash"}]},
        "traffic": {"arrivals": "closed", "requests": 1},
    }
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(document))
    done = edgesim("run", file, "--mode", "real", "--plain", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "the scenario has 1 scheduled faults, and no program that causes them" in done.stderr
    done = edgesim(
        "run", file, "--set", "faults=", "--mode", "real", "--plain", "--faults-by", "x",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 2
    assert "--faults-by: the scenario has no scheduled faults" in done.stderr
    done = edgesim(
        "run", file, "--set", "recovery.standby=[pi]", "--mode", "real", "--plain",
        "--faults-by", "x", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 2
    assert "recovery.standby is simulated only" in done.stderr


def test_orders_are_in_the_order_of_their_times() -> None:
    text = changed(
        "traffic:",
        "faults: {schedule: [{at: 5, duration: 2, link: hub-switch, kind: degrade, "
        "bandwidth: 8 Mbit/s, latency: 20 ms, loss: 1 %}, "
        "{at: 1, duration: 4, node: pi-0, kind: slow, speed: 20 %}]}\ntraffic:",
        BASE,
    )
    orders = orders_of(load(text).cluster)
    assert [(one.at_s, one.text, one.undo) for one in orders] == [
        (1.0, "slow pi-0 0.2", "restore pi-0"),
        (5.0, "restore pi-0", ""),
        (5.0, "degrade hub-switch 1000000 0.02 0.01", "mend hub-switch"),
        (7.0, "mend hub-switch", ""),
    ]
