"""Plays hours of traffic on real nodes in minutes, and watches what they hold meanwhile.

``python -m tests.abuse.soak --minutes 10`` plays the 7,200 requests of two hours, one a second, on
three nodes with TLS, twelve times as fast, and prints for every process the memory and the
descriptors at the start and at the end, and the slope of a straight line through what was sampled
each second after the first fifth. It exits with 1 where a request is not accounted for, where
memory grows by more than 4 MiB, or where descriptors grow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import yaml

from tests.edgesim.command import COMMAND, ROOT, edgesim_process, started
from tests.edgesim.serve.cluster import NodeProcess, fresh_keys, node

ARTIFACT = ROOT / "examples" / "fashion-2"
NAMES = ("hub", "pi-0", "pi-1")
HOURS = 2.0
RATE_PER_S = 1.0
MOST_GROWTH_MIB = 4.0
"""Over the whole soak: an allocator keeps a block of a few MiB more or less."""


def held(pid: int) -> tuple[float, int, int]:
    """Return resident MiB, open descriptors and threads of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    threads = len(os.listdir(f"/proc/{pid}/task"))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, descriptors, threads


def _scenario(path: Path, nodes: dict[str, NodeProcess], requests: int, rate: float) -> Path:
    document = {
        "name": "soak",
        "seed": 7,
        "model": {"artifact": str(ARTIFACT)},
        "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
        "nodes": {
            name: {"device": "raspberry-pi-4b", "address": one.inference}
            for name, one in nodes.items()
        },
        "network": {"switch": {"bandwidth": "1 Gbit/s"}},
        "traffic": {"arrivals": "poisson", "rate": f"{rate:g}/s", "requests": requests},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def soak(minutes: float) -> tuple[dict[str, list[tuple[float, int, int]]], dict[str, int], int]:
    """Play; return what each process held, second by second, what came of requests, and status."""
    requests = round(HOURS * 3600 * RATE_PER_S * min(1.0, minutes / 10))
    rate = requests / (60.0 * minutes)
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        keys = fresh_keys(folder / "keys")
        nodes = {
            name: stack.enter_context(node(folder / name, keys / "localhost")) for name in NAMES
        }
        file = _scenario(folder / "soak.yaml", nodes, requests, rate)
        admins = [f"--admin={name}={one.admin}" for name, one in nodes.items()]
        done = edgesim_process("deploy", file, ARTIFACT, "--keys", keys / "admin", *admins)
        assert done.returncode == 0, done.stderr
        arguments = ["run", str(file), "--mode", "real", "--keys", str(keys / "client")]
        arguments += ["--out", str(folder / "out"), "--trace", "0"]
        sampled: dict[str, list[tuple[float, int, int]]] = {name: [] for name in NAMES}
        sampled["coordinator"] = []
        with started([*COMMAND, *arguments], folder) as coordinator:
            while coordinator.poll() is None:
                for name, process in [(one, nodes[one].process) for one in NAMES]:
                    sampled[name].append(held(process.pid))
                try:
                    sampled["coordinator"].append(held(coordinator.pid))
                except (OSError, IndexError):
                    break
                time.sleep(1.0)
            _, error = coordinator.communicate()
        assert coordinator.returncode == 0, error
        counts = json.loads((folder / "out" / "summary.json").read_text())["requests"]
        return sampled, counts, requests


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args(arguments)
    sampled, counts, requests = soak(asked.minutes)
    unaccounted = requests - sum(counts[key] for key in ("completed", "degraded", "failed"))
    told = ", ".join(f"{many:,} {key}" for key, many in counts.items())
    print(f"{asked.minutes:g} minutes: {told}; {unaccounted} unaccounted for\n")
    print(
        "| process | MiB at a fifth | at the end | MiB per 1,000 requests | descriptors | threads |"
    )
    print("|---|---|---|---|---|---|")
    bad = unaccounted != 0
    for name, rows in sampled.items():
        # The last samples may be of a process that ends.
        kept = np.array(rows[len(rows) // 5 : -2], float)
        seconds = np.arange(len(kept))
        slope = float(np.polyfit(seconds, kept[:, 0], 1)[0])
        grown = slope * len(kept)
        each = grown / (requests * 0.8) * 1000
        first, last = kept[: max(1, len(kept) // 10)], kept[-max(1, len(kept) // 10) :]
        descriptors = int(np.median(first[:, 1])), int(np.median(last[:, 1]))
        threads = int(np.median(first[:, 2])), int(np.median(last[:, 2]))
        bad |= grown > MOST_GROWTH_MIB or descriptors[1] > descriptors[0]
        print(
            f"| {name} | {np.median(first[:, 0]):.1f} | {np.median(last[:, 0]):.1f} "
            f"| {each:+.3f} | "
            f"{descriptors[0]} → {descriptors[1]} | {threads[0]} → {threads[1]} |"
        )
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
