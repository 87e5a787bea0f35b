"""Predicted beside measured: a cluster in network namespaces, with a profile made in the same run.

Two nodes are two processes, each on a processor of its own; the coordinator and the hub share one.
Six nodes are on the same two processors, and are modelled as sharing them. Links are held at 1
Gbit/s. What is printed is what was reached; how near it is depends on who else uses the machine, so
no error is asserted, but that the same requests were asked and answered in both.

``make bench`` plays as many requests as percentiles take; as a plain test it only runs through,
with a profile that lies in the examples.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgesim.serve.keys import make_keys
from tests.benchmarks.scale import FULL
from tests.edgesim.command import ROOT, edgesim_process
from tests.edgesim.serve.cluster import begun
from tests.edgesim.serve.echo import round_trip_s
from tests.edgesim.serve.namespaces import Rate, Star, lacking, star

REQUESTS = 1500 if FULL else 15
LOADS = "0.1,0.5,0.9" if FULL else "0.1"
RATE = Rate(byte_s=1e9 / 8, burst_bytes=128 << 10)
"""A gigabit's bucket must hold more than one timer tick lets out."""
CORES = sorted(os.sched_getaffinity(0))[:2]

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="two nodes want two processors")


class Cluster:
    """Nodes on processors, and the scenario that says so."""

    def __init__(self, folder: Path, net: Star, artifact: Path, parts: int) -> None:
        self.folder = folder
        self.net = net
        self.artifact = artifact
        self.names = list(net.addresses)
        self.file = folder / "scenario.yaml"
        self._parts = parts
        make_keys(folder / "keys", sorted({*net.addresses.values()}))

    def core(self, name: str) -> int:
        """Return the processor of a node: the hub's is the first, the others take turns."""
        return CORES[self.names.index(name) % len(CORES)]

    def run(self) -> dict[str, Any]:
        """Start the nodes, profile this machine, deploy, and play both; return the comparison."""
        with ExitStack() as stack:
            nodes = {name: stack.enter_context(self._node(name)).start() for name in self.names}
            self._profile()
            latency_s = self._latency_s()
            self._write(latency_s, {name: one.inference for name, one in nodes.items()})
            admins = [f"--admin={name}={one.admin}" for name, one in nodes.items()]
            self._do("deploy", self.file, self.artifact, "--keys", "admin", *admins)
            return self._do(
                "run", self.file, "--mode", "both", "--json", "--loads", LOADS,
                "--keys", "client", "--out", self.folder / "out",
            )  # fmt: skip

    def _profile(self) -> None:
        """Measure a processor while the nodes rest; they are alike."""
        out = self.folder / "here.yaml"
        if not FULL:
            shutil.copy(ROOT / "examples" / "devices" / "this-machine.yaml", out)
            return
        done = edgesim_process(
            "profile", "--artifact", self.artifact, "--threads", "1", "--cpus", str(CORES[1]),
            "--out", out, inside=self.net.inside("hub"), timeout_s=600.0,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        print(done.stdout)

    def _latency_s(self) -> float:
        """Return a link's latency: what a byte takes over two of them, less within a machine."""
        last = self.names[-1]
        there, here = self._pinned(last), self._pinned("hub")
        over = round_trip_s(self.net.addresses[last], there, here)
        within = round_trip_s("127.0.0.1", self._pinned("hub", self.core(last)), here)
        found = max(0.0, over - within) / 4
        print(f"{over * 1e6:.0f} us there and back, {within * 1e6:.0f} us within a machine")
        return found

    def _node(self, name: str) -> Any:
        host = self.net.addresses[name]
        options = ("--listen", f"{host}:0", "--admin", f"{host}:0", "--name", name)
        inside = self.net.inside(name)
        return begun(
            self.folder / name, self.folder / "keys" / host, *options,
            "--cpus", str(self.core(name)), inside=inside,
        )  # fmt: skip

    def _pinned(self, name: str, core: int | None = None) -> list[str]:
        """Return what a command begins with that shall run beside a node, or on another core."""
        chosen = self.core(name) if core is None else core
        return [*self.net.inside(name), "taskset", "--cpu-list", str(chosen)]

    def _do(self, command: str, *arguments: str | Path) -> Any:
        told = list(arguments)
        told[told.index("--keys") + 1] = self.folder / "keys" / str(told[told.index("--keys") + 1])
        done = edgesim_process(command, *told, inside=self._pinned("hub"), timeout_s=900.0)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in told else done.stdout

    def _write(self, latency_s: float, addresses: dict[str, str]) -> None:
        document = {
            "name": self.artifact.name,
            "seed": 7,
            "model": {"artifact": str(self.artifact)},
            "placement": {
                "strategy": "class-wise", "input": "hub", "fusion": "hub",
                "nodes": [name for name in self.names if name != "hub"],
            },
            "nodes": {
                name: {
                    "device": "here.yaml", "address": address,
                    "host": f"processor {self.core(name)}", "queue": {"limit": 4096},
                }
                for name, address in addresses.items()
            },
            "hosts": {f"processor {core}": {"cores": 1} for core in CORES},
            "network": {"switch": {"bandwidth": f"{RATE.byte_s} B/s", "latency": latency_s}},
            "traffic": {"arrivals": "poisson", "rate": "10/s", "requests": REQUESTS},
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump(document))


def table(name: str, found: dict[str, Any]) -> str:
    """Return predicted, measured and error, in lines."""
    lines = [f"{name}: capacity {found['capacity_per_s']:.0f}/s by {found['bounded_by']}"]
    for load in found["loads"]:
        told = [f"  {load['share']:>4.0%} {load['rate_per_s']:7.1f}/s"]
        for figure in ("p50", "p90", "p99"):
            row = load["latency_s"][figure]
            told.append(
                f"{figure} {row['predicted'] * 1e3:6.2f} {row['measured'] * 1e3:6.2f} ms "
                f"{row['error']:+6.1%}"
            )
        busy = [
            f"{name} {row['utilization']['predicted']:.1%} {row['utilization']['measured']:.1%}"
            for name, row in load["nodes"].items()
        ]
        lines.append("   ".join(told))
        lines.append("        busy " + ", ".join(busy))
    return "\n".join(lines)


def check(found: dict[str, Any]) -> None:
    """The same requests were asked and answered in both."""
    assert [load["share"] for load in found["loads"]] == [float(one) for one in LOADS.split(",")]
    for load in found["loads"]:
        for side in ("predicted", "measured"):
            counts = load["requests"][side]
            assert counts["offered"] == counts["completed"] == REQUESTS, counts


@pytest.mark.parametrize(
    ("artifact", "names"),
    [
        pytest.param("fashion-2", ("hub", "pi"), id="a node on each processor"),
        pytest.param(
            "fashion-5", ("hub", *(f"pi-{n}" for n in range(5))), id="six nodes on two processors"
        ),
    ],
)
def test_prediction_beside_measurement(artifact: str, names: Sequence[str], tmp_path: Path) -> None:
    with star(names, RATE) as net:
        found = Cluster(tmp_path, net, ROOT / "examples" / artifact, len(names) - 1).run()
    where = "network namespaces" if not lacking() else f"loopback ({lacking()})"
    print(f"\n{REQUESTS} requests a load, in {where}\n{table(artifact, found)}")
    check(found)
