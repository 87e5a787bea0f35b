"""What becomes of requests below and above capacity: predicted beside emulated nodes.

A hub and two nodes take the times of a slow device (`edgesim node --emulate`), so that what they
can serve does not hang on this machine; the same requests are asked in both. Shares of requests in
time, late, degraded, dropped and failed shall agree within 5 points up to 1.5 times the capacity,
and in their direction at 5 times.

    EDGESIM_BENCHMARKS=full python -m pytest tests/benchmarks/test_outcomes.py -s

takes about ten minutes of a machine with nothing else to do, and asserts that; as a plain test it
only runs through.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgesim.serve.keys import make_keys
from tests.benchmarks.scale import FULL
from tests.edgesim.command import ROOT, edgesim_process
from tests.edgesim.serve.cluster import begun

ARTIFACT = ROOT / "examples" / "fashion-2"
LOADS = "0.5,0.9,1.5,5" if FULL else "0.5,1.5"
REQUESTS = 1000 if FULL else 12
NEAR = 0.05
"""Difference of shares that counts as agreement, up to 1.5 times the capacity."""
_ENDS = ("completed", "degraded", "dropped", "failed")
NODES = ("hub", "pi-0", "pi-1")
DEVICE = {
    "peak": {"fp32": "200 MFLOP/s"}, "cores": 1, "decode": {"jpeg": "1 Mpixel/s"},
    "memory": {"capacity": "1 GiB"},
}  # fmt: skip
"""A part of 2.9 million multiply-accumulates takes it 29 ms; this machine, some two."""


def play(folder: Path, queue: dict[str, Any] | None, payload: bool) -> dict[str, Any]:
    """Start emulated nodes, deploy, and play both sides at every load; return the comparison."""
    device, file = folder / "slow.yaml", folder / "scenario.yaml"
    device.write_text(yaml.safe_dump(DEVICE))
    make_keys(folder / "keys", ["localhost"])
    with ExitStack() as stack:
        nodes = {
            name: stack.enter_context(
                begun(
                    folder / name, folder / "keys" / "localhost", "--plain", "--emulate", device,
                    "--name", name,
                )
            ).start()
            for name in NODES
        }  # fmt: skip
        given = {} if queue is None else {"queue": queue}
        document: dict[str, Any] = {
            "name": "outcomes",
            "seed": 7,
            "model": {"artifact": str(ARTIFACT)},
            "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
            "nodes": {
                name: {"device": "slow.yaml", "address": node.inference, **given}
                for name, node in nodes.items()
            },
            "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "50 us"}},
            "traffic": {
                "arrivals": "poisson", "rate": "1/s", "requests": REQUESTS, "deadline": "1 s",
                **({"payload": {"bytes": 700}} if payload else {}),
            },
        }  # fmt: skip
        file.write_text(yaml.safe_dump(document))
        admins = [f"--admin={name}={node.admin}" for name, node in nodes.items()]
        done = edgesim_process(
            "deploy", file, ARTIFACT, "--plain", "--keys", folder / "keys" / "admin", *admins,
            timeout_s=300.0,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        done = edgesim_process(
            "run", file, "--mode", "both", "--plain", "--json", "--loads", LOADS,
            "--out", folder / "out", timeout_s=900.0,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def table(name: str, found: dict[str, Any]) -> str:
    """Return the shares of both sides at every load, in lines."""
    lines = [f"{name}: capacity {found['capacity_per_s']:.1f}/s by {found['bounded_by']}"]
    for load in found["loads"]:
        told = [
            f"{outcome} {pair['predicted']:6.1%} {pair['measured']:6.1%}"
            for outcome, pair in load["outcomes"].items()
        ]
        lines.append(f"  {load['share']:4g} {load['rate_per_s']:6.1f}/s   " + "   ".join(told))
    return "\n".join(lines)


def check(found: dict[str, Any]) -> None:
    """Every request has one outcome in both, and no node has another queue than is played."""
    for load in found["loads"]:
        for side in ("predicted", "measured"):
            counts = load["requests"][side]
            ended = sum(counts.get(name, 0) for name in _ENDS)
            assert counts["offered"] == ended == REQUESTS
        assert not [text for text in load["warnings"]["measured"] if "has the queue" in text]


def check_agreement(found: dict[str, Any]) -> None:
    """Shares are near each other; far above capacity, both sides have fewer in time than below."""
    by_load = {load["share"]: load["outcomes"] for load in found["loads"]}
    for share in (0.5, 0.9, 1.5):
        for name, pair in by_load[share].items():
            assert abs(pair["difference"]) <= NEAR, f"{name} at {share}: {pair}"
    for side in ("predicted", "measured"):
        assert by_load[5.0]["in_time"][side] < by_load[1.5]["in_time"][side] - NEAR


@pytest.mark.parametrize(
    ("queue", "payload"),
    [
        pytest.param(None, False, id="default queue"),
        pytest.param(
            {"order": "edf", "limit": 64, "skip_late": True}, True, id="edf, skip_late, jpeg"
        ),
        pytest.param({"full": "keep-latest"}, False, id="keep-latest"),
    ],
)
def test_outcomes_beside_emulated_nodes(
    queue: dict[str, Any] | None, payload: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = play(tmp_path, queue, payload)
    print(f"\n{REQUESTS} requests a load\n{table(request.node.callspec.id, found)}")
    check(found)
    if FULL:
        check_agreement(found)
