"""How much faster two play a sweep than one, what a point costs beside its run, and memory.

``make bench`` plays the 200 points of the ED-ViT study; as a plain test a few of them. Each sweep
is a process of its own; those that are compared take turns.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import needs
from tests.benchmarks.scale import FULL
from tests.edgesim.command import COMMAND, ROOT, environment

ED_VIT = ROOT / "examples" / "five-pis-study.yaml"
ON_PAPER = ROOT / "examples" / "sweep-of-a-sweep.yaml"
TURNS = 3 if FULL else 1
TRIVIAL: dict[str, Any] = {
    "base": {
        "model": {"tasks": {"a": {"flop": "1 GFLOP", "node": "n"}}},
        "nodes": {"n": {"device": {"peak": {"fp32": "1 GFLOP/s"}}}},
        "traffic": {"arrivals": "closed", "requests": 1},
    },
    "axes": {"model.tasks.a.flop": {"from": "1 GFLOP", "to": "2 GFLOP", "steps": 2}},
    "keep": ["latency_s.mean", "throughput_per_s", "energy_j.per_request", "requests.failed"],
}


def swept(study: Path, out: Path, *arguments: str, before: tuple[str, ...] = ()) -> float:
    """Play a study; return the seconds that the whole process took, its start among them."""
    shutil.rmtree(out, ignore_errors=True)
    began_s = time.perf_counter()
    subprocess.run(
        [*before, *COMMAND, "sweep", str(study), "--out", str(out), "--json", *arguments],
        env=environment(), capture_output=True, check=True, cwd=out.parent,
    )  # fmt: skip
    return time.perf_counter() - began_s


def ed_vit(folder: Path) -> tuple[Path, int]:
    """Return the study of five Pis that is timed, and its number of points."""
    content = yaml.safe_load(ED_VIT.read_text())
    content["base"] = str(ROOT / "examples" / content["base"])
    content["axes"]["traffic.rate"]["steps"] = 40 if FULL else 2
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path, 200 if FULL else 10


def compared(folder: Path, one: tuple[str, ...], two: tuple[str, ...], *options: str) -> float:
    """Return how many times faster the second way plays; both give the same bytes."""
    study, points = ed_vit(folder)
    alone_s, both_s = [], []
    for _ in range(TURNS):
        alone_s.append(swept(study, folder / "one", before=one))
        both_s.append(swept(study, folder / "two", *options, before=two))
    tables = [(folder / name / "table.csv").read_bytes() for name in ("one", "two")]
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") == points + 1
    print(f"\n  one {min(alone_s):.2f} s, two {min(both_s):.2f} s for {points} points")
    return min(alone_s) / min(both_s)


def test_two_workers_beside_one(tmp_path: Path) -> None:
    ratio = compared(tmp_path, (), (), "--workers", "2")
    print(f"  two workers: {ratio:.2f} times as fast as one")


def test_two_ranks_beside_one(tmp_path: Path) -> None:
    mpiexec = needs.MPI.require()
    ratio = compared(tmp_path, (mpiexec, "-n", "1"), (mpiexec, "-n", "2"))
    print(f"  two ranks: {ratio:.2f} times as fast as one")
    if FULL:
        print(f"  predicted by {ON_PAPER.name}: {on_paper():.2f} times")


def on_paper() -> float:
    """Return what the simulation of a sweep says of two ranks that play, beside one."""
    from edgesim import api
    from edgesim.sweep.reader import load

    base = load(ON_PAPER).document["base"]
    throughput = []
    for ranks in (1, 2):
        # With so few ranks the first one plays too; what it plays crosses no medium.
        nodes = {"nodes": {**base["nodes"], "rank": {**base["nodes"]["rank"], "count": 1}}}
        nodes["nodes"]["lead"] = {**base["nodes"]["rank"], "count": None}
        placed = {"placement": {**base["placement"], "nodes": ["lead", "rank"][:ranks]}}
        traffic = {"traffic": {**base["traffic"], "concurrency": 2 * ranks, "requests": 1_000}}
        scenario = _scenario({**base, **nodes, **placed, **traffic})
        throughput.append(api.run(scenario).summary["throughput_per_s"])
    return float(throughput[1] / throughput[0])


def _scenario(mapping: dict[str, Any]) -> Any:
    from edgesim.scenario import from_mapping

    return from_mapping(mapping)


def trivial(folder: Path, points: int) -> Path:
    content = json.loads(json.dumps(TRIVIAL))
    content["axes"]["model.tasks.a.flop"]["steps"] = points
    path = folder / f"trivial-{points}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_point_costs_beside_its_run(tmp_path: Path, workers: int) -> None:
    from edgesim import api
    from edgesim.sweep.reader import from_mapping

    few, many = (1_000, 21_000) if FULL else (50, 350)
    option = ("--workers", str(workers))
    took_s = {
        points: min(swept(trivial(tmp_path, points), tmp_path / "out", *option)
                    for _ in range(TURNS))
        for points in (few, many)
    }  # fmt: skip
    scenario = from_mapping(TRIVIAL).scenario(0)
    began_s = time.perf_counter()
    runs = 500 if FULL else 100
    for _ in range(runs):
        api.run(scenario, trace_requests=0)
    alone_s = (time.perf_counter() - began_s) / runs
    # As many processes as processors: the seconds of each count.
    point_s = workers * (took_s[many] - took_s[few]) / (many - few)
    print(f"\n  {workers} playing: {1e3 * point_s:.2f} ms a point, its run {1e3 * alone_s:.2f} ms")
    print(f"  overhead {1e3 * (point_s - alone_s):.2f} ms a point")


PEAK = """
import re, sys
from edgesim import cli
try:
    cli.main()
finally:
    # Not getrusage, which counts what the parent held when it started this process.
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
    print(peak[1], file=sys.stderr)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the peak of memory in /proc"
)
def test_memory_of_many_points(tmp_path: Path) -> None:
    few, many = (10_000, 100_000) if FULL else (200, 600)
    peaks = {}
    for points in (few, many):
        study = trivial(tmp_path, points)
        command = [sys.executable, "-c", PEAK, "sweep", str(study), "--out", str(tmp_path / "out"),
                   "--workers", "2"]  # fmt: skip
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=True
        )
        peaks[points] = 1024 * int(done.stderr.split()[-1])
    grown = (peaks[many] - peaks[few]) / (many - few)
    print(f"\n  {many:,} points: {peaks[many] / 2**20:.0f} MiB at the most")
    print(f"  {grown:.0f} bytes more for each")
